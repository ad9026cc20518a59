"""Dataset sections from any of their forms: sanoid.conf, TOML, or a policy file by itself.

All that follows from a text; `zrep.config.load` reads the files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from enum import StrEnum

from zrep.config import datasets, keys
from zrep.config.document import Document, Problem, parse_document
from zrep.config.housekeeping import read_housekeeping
from zrep.config.policy import read_policy
from zrep.config.sanoid_check import check_sections
from zrep.config.sanoid_ini import parse_ini
from zrep.config.schema import nearest, open_document
from zrep.frozen import dataclass
from zrep.model.housekeeping import Housekeeping
from zrep.model.sanoid import TEMPLATE, Compat, Finding, RawSection, used_templates

_TOML_HEADER = re.compile(r"\s*\[\s*(dataset|template|target)\b[^/]*?[.\]]")


class Form(StrEnum):
    """In which form the sections are written."""

    INI = "sanoid.conf"
    TOML = "TOML"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """The sections of one file in order, ready to be resolved; `remarks` refuse nothing."""

    file: str
    form: Form
    sections: tuple[RawSection, ...]
    problems: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()
    keeping: Housekeeping = field(default_factory=Housekeeping)

    @property
    def paths(self) -> tuple[str, ...]:
        """The datasets that sections name, in file order."""
        return tuple(s.values.get("path") or s.name for s in self.sections if not s.is_template)

    def absent(self, datasets: Sequence[str]) -> list[Problem]:
        """A remark on each section whose dataset is none of these."""
        there = frozenset(datasets)
        return [
            self.placed(_absent(section, path, datasets))
            for section in self.sections
            if not section.is_template
            and (path := section.values.get("path") or section.name) not in there
        ]

    def placed(self, finding: Finding) -> Problem:
        """A finding about these sections, with the file, the line and the key's name."""
        if self.form is Form.TOML:
            where = datasets.place(finding)
        else:
            where = f"[{finding.section}]" + (f" {finding.key}" if finding.key else "")
        return Problem(self.file, finding.line, f"{where}: {finding.text}")


def _absent(section: RawSection, path: str, datasets: Sequence[str]) -> Finding:
    near = nearest(path, datasets)
    text = f"there is no dataset {path}" + (f", did you mean {near}?" if near else "")
    key = "path" if section.values.get("path") else None
    line = section.line_of(key)
    return Finding(section=section.name, key=key, line=line, text=text, refused=False)


def form_of(name: str, text: str) -> Form:
    """By the file's name; by its first table when the name does not tell."""
    if name.endswith((".toml", ".conf", ".ini")):
        return Form.TOML if name.endswith(".toml") else Form.INI
    headers = (line for line in text.splitlines() if line.lstrip().startswith("["))
    return Form.TOML if _TOML_HEADER.match(next(headers, "")) else Form.INI


def read_ini(text: str, file: str, compat: Compat = Compat.DEFAULT) -> Sections:
    """The sections of a sanoid.conf; bug-for-bug all that sanoid would start with is taken."""
    ini = parse_ini(text, file)
    found = Sections(file=file, form=Form.INI, sections=ini.sections, problems=ini.problems)
    if compat is Compat.BUG_FOR_BUG or ini.malformed:
        return found
    known = tuple(_known(section) for section in ini.sections)
    sections, findings = check_sections(known)
    refused = (found.placed(f) for f in findings if f.refused)
    return replace(
        found,
        sections=sections,
        problems=tuple(sorted({*ini.problems, *refused})),
        remarks=tuple(found.placed(f) for f in findings if not f.refused),
    )


def _known(section: RawSection) -> RawSection:
    """The section without the keys that are reported as unknown already."""
    values = {key: value for key, value in section.values.items() if key in keys.SANOID}
    return replace(section, values=values)


PolicyFiles = Mapping[str, Document]


def read_toml(
    document: Document,
    policies: PolicyFiles,
    compat: Compat = Compat.DEFAULT,
    *,
    roots: Sequence[str] = ("tank",),
) -> Sections:
    """The sections of a TOML file; a policy file stands for one section for each of `roots`."""
    problems: list[Problem] = []
    keeping = Housekeeping()
    if _is_policy(document):
        sections = _policy_alone(document, problems, roots)
    else:
        trusting = compat is Compat.BUG_FOR_BUG
        root = open_document(document, problems, keys.ZREP[""])
        keeping = read_housekeeping(root)
        own = datasets.read_sections(root, policies, trusting=trusting)
        sections = (*_borrowed(own, policies, problems), *own)
        if not own and not problems:
            root.note('has no section: write [dataset."NAME"] for each dataset')
    return Sections(
        file=document.file,
        form=Form.TOML,
        sections=sections,
        problems=tuple(sorted(problems)),
        keeping=keeping,
    )


def _is_policy(document: Document) -> bool:
    return bool(document.values) and all(key in keys.POLICY for key in document.values)


def _policy_alone(
    document: Document, problems: list[Problem], roots: Sequence[str]
) -> tuple[RawSection, ...]:
    read_policy(document, "policy", problems)
    template = datasets.policy_template("policy", document.values)
    wanted = {"use_template": "policy", "recursive": "yes"}
    return (template, *(RawSection(name=root, line=1, values=wanted) for root in roots))


def _borrowed(
    own: Sequence[RawSection], policies: PolicyFiles, problems: list[Problem]
) -> list[RawSection]:
    """The policies that are used as templates and are no templates of the file itself."""
    defined = {s.name.removeprefix(TEMPLATE) for s in own if s.is_template}
    used = {name for s in own for name in used_templates(s.values.get("use_template", ""))}
    return [
        datasets.policy_template(name, policies[name].values)
        for name in sorted((used - defined) & set(policies))
        if read_policy(policies[name], name, problems) is not None
    ]


def parse_sections(
    text: str,
    file: str,
    policies: PolicyFiles,
    compat: Compat = Compat.DEFAULT,
    *,
    roots: Sequence[str] = ("tank",),
) -> Sections:
    """The sections of a text in either form."""
    if form_of(file, text) is Form.INI:
        return read_ini(text, file, compat)
    document = parse_document(text.removeprefix("\ufeff"), file)
    if isinstance(document, Problem):
        return Sections(file=file, form=Form.TOML, sections=(), problems=(document,))
    return read_toml(document, policies, compat, roots=roots)
