"""What each dataset's settings come to: sanoid's defaults, templates, inheritance and order.

Exactly sanoid's resolution, surprises included, for an existing configuration must go on to mean
what it meant: sections count in file order, an override does not reach the children, a parent
after its child wipes the child. What is dangerous about that becomes a finding, with its line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field

from zrep.frozen import dataclass
from zrep.model.sanoid import (
    DEFAULTS,
    FALSE_WORDS,
    TEMPLATE,
    TOGGLES,
    TRUE_WORDS,
    Compat,
    Finding,
    RawSection,
    number,
    used_templates,
)

_NOT_FROM_TEMPLATES = ("use_template", "recursive")
_NOT_OWN = ("use_template", "recursive", "skip_children")
_NOT_FOR_CHILDREN = re.compile(r"template|recursive|children_only")

Children = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """What is in force for one dataset: `values` as text, switches as "1" and "0".

    A switch with a word that is neither keeps it; sanoid takes all but "" and "0" for on.
    `zfs_recursion` says that a snapshot of it, or of a parent, takes the children along;
    `inherited` that a section above reached it, and `by` names the section that spoke last.
    """

    section: str
    path: str
    by: str
    values: Mapping[str, str] = field(hash=False)
    zfs_recursion: bool = False
    inherited: bool = False

    def is_on(self, toggle: str) -> bool:
        return self.values.get(toggle, "") not in {"", "0"}

    @property
    def takes(self) -> bool:
        return self.is_on("autosnap") and not self.is_on("process_children_only")

    @property
    def prunes(self) -> bool:
        return self.is_on("autoprune") and not self.is_on("process_children_only")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """All settings in force, in the order in which they arose, and what is dangerous in them."""

    effective: tuple[Effective, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def refused(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.refused)


@dataclass(slots=True)
class _Draft:
    values: Mapping[str, str]
    path: str
    by: str
    inherited: bool = False
    zfs_recursion: bool = False


class _Resolver:
    def __init__(self, sections: Sequence[RawSection]) -> None:
        self.templates = {s.name: s for s in sections if s.is_template}
        self.sections = {s.name: s for s in sections if not s.is_template}
        self.drafts: dict[str, _Draft] = {}
        self.findings: list[Finding] = []

    def own(self, section: RawSection) -> _Draft:
        """The section's own settings: on top of its parent's when a parent came before."""
        known = self.drafts.get(section.name)
        values = dict(known.values) if known else {}
        if known is None or not known.inherited:
            values |= DEFAULTS
            values |= self.template("default")
        for name in used_templates(section.values.get("use_template", "")):
            values |= self.template(name)
        values |= {k: v for k, v in section.values.items() if k not in _NOT_OWN}
        values |= {k: _switched(values[k]) for k in TOGGLES if k in values}
        covered = known is not None and known.zfs_recursion
        if covered and number(values["autosnap"]) == 1:
            values["autosnap"] = "0"
        return _Draft(
            values=values,
            path=section.values.get("path") or section.name,
            by=section.name,
            inherited=known is not None and known.inherited,
            zfs_recursion=covered,
        )

    def template(self, name: str) -> Mapping[str, str]:
        section = self.templates.get(TEMPLATE + name)
        values = section.values if section else {}
        return {k: v for k, v in values.items() if k not in _NOT_FROM_TEMPLATES}

    def hand_down(self, section: RawSection, draft: _Draft, children: Children) -> None:
        """Give the children what they inherit: zfs recursion beats skip_children beats yes."""
        wish = section.values.get("recursive", "")
        atomic = "zfs" in wish.lower()
        skipped = section.values.get("skip_children", "") in TRUE_WORDS
        draft.zfs_recursion = draft.zfs_recursion or atomic
        if not (atomic or skipped or wish in TRUE_WORDS):
            return
        inherited = {k: v for k, v in draft.values.items() if not _NOT_FOR_CHILDREN.search(k)}
        if atomic:
            inherited["autosnap"] = "0"
        for child in children(draft.path):
            self.note_lost(child, section)
            if skipped and not atomic:
                self.drafts.pop(child, None)
            else:
                self.drafts[child] = _child(child, inherited, draft, self.drafts.get(child))

    def note_lost(self, child: str, parent: RawSection) -> None:
        lost = self.sections.get(child)
        known = self.drafts.get(child)
        if lost is not None and known is not None and known.by == child:
            text = (
                f"counts for nothing: [{parent.name}] in line {parent.line} comes later and takes "
                "it over; move this section below that one"
            )
            self.findings.append(_finding(lost, None, text, refused=False))


def resolve(
    sections: Sequence[RawSection], children: Children, compat: Compat = Compat.DEFAULT
) -> Resolution:
    """The settings in force, by section or dataset name.

    `children` gives all filesystems and volumes below a dataset, in the order of `zfs list -r`.
    Bug-for-bug there are no findings.
    """
    resolver = _Resolver(sections)
    for section in sections:
        if not section.is_template:
            draft = resolver.own(section)
            resolver.drafts[section.name] = draft
            resolver.hand_down(section, draft, children)
    effective = tuple(_effective(name, draft) for name, draft in resolver.drafts.items())
    if compat is Compat.BUG_FOR_BUG:
        return Resolution(effective=effective)
    findings = (
        *resolver.findings,
        *_without_children(resolver.sections, effective),
        *_taken_twice(resolver.sections, effective),
        *_same_path(resolver.sections, effective),
    )
    return Resolution(effective=effective, findings=findings)


def _child(name: str, inherited: Mapping[str, str], parent: _Draft, known: _Draft | None) -> _Draft:
    """Of what was known of the child before, only what it cannot inherit survives."""
    kept = {k: v for k, v in known.values.items() if k not in inherited} if known else {}
    return _Draft(
        values={**kept, **inherited} if kept else inherited,
        path=name,
        by=parent.by,
        inherited=True,
        zfs_recursion=parent.zfs_recursion or (known is not None and known.zfs_recursion),
    )


def _switched(word: str) -> str:
    return "1" if word in TRUE_WORDS else "0" if word in FALSE_WORDS else word


def _effective(name: str, draft: _Draft) -> Effective:
    return Effective(
        section=name,
        path=draft.path,
        by=draft.by,
        values=draft.values,
        zfs_recursion=draft.zfs_recursion,
        inherited=draft.inherited,
    )


Sections = Mapping[str, RawSection]


def _without_children(sections: Sections, effective: Sequence[Effective]) -> Iterator[Finding]:
    for one in effective:
        section = sections.get(one.section)
        atomic = section is not None and "zfs" in section.values.get("recursive", "").lower()
        if section and atomic and one.is_on("autosnap") and one.is_on("process_children_only"):
            key = next(k for k in ("process_children_only", "recursive") if k in section.values)
            text = (
                "recursive = zfs together with process_children_only takes no snapshot at all, "
                "for the children get theirs only with this dataset's; use recursive = yes"
            )
            yield _finding(section, key, text, refused=True)


def _taken_twice(sections: Sections, effective: Sequence[Effective]) -> Iterator[Finding]:
    """Two `zfs snapshot -r` over one dataset would make the same name twice, and fail."""
    roots = {e.path for e in effective if e.zfs_recursion and e.takes}
    for one in effective if roots else ():
        root = next((above for above in _above(one.path) if above in roots), None)
        if root is not None and one.takes:
            section = sections[one.by]
            text = (
                f"makes {one.path} take snapshots of its own, which the recursive snapshot of "
                f"{root} takes already; set autosnap = no here, or move [{section.name}] above "
                "the section with recursive = zfs"
            )
            yield _finding(section, "recursive", text, refused=True)
            return


def _above(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _same_path(sections: Sections, effective: Sequence[Effective]) -> Iterator[Finding]:
    first: dict[str, Effective] = {}
    for one in effective:
        other = first.setdefault(one.path, one)
        if other is not one:
            section = sections[one.by]
            text = (
                f"{one.path} is taken care of by [{other.section}] too: what either of the two "
                "lets go is destroyed"
            )
            yield _finding(section, "path", text, refused=False)


def _finding(section: RawSection, key: str | None, text: str, *, refused: bool) -> Finding:
    return Finding(
        section=section.name, key=key, line=section.line_of(key), text=text, refused=refused
    )
