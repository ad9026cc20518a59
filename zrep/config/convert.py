"""sanoid.conf -> TOML: the same meaning, in the same order, with every comment.

A value that sanoid takes for something else than it looks is a problem, unless it is forced: then
what sanoid makes of it is written, with a comment. What has no effect becomes a comment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from zrep.config import keys
from zrep.config.datasets import section_name
from zrep.config.document import Problem
from zrep.config.sanoid_ini import BLANKS, Header, Other, Pair, parse_ini, scan
from zrep.config.sanoid_text import READERS
from zrep.config.sections import read_ini
from zrep.config.values import Wrong
from zrep.frozen import dataclass
from zrep.model.ages import age_seconds
from zrep.model.sanoid import (
    FALSE_WORDS,
    INERT_IN_TEMPLATES,
    TEMPLATE,
    TOGGLES,
    TRUE_WORDS,
    number,
    used_templates,
)

_NUMBERS = frozenset(
    (*keys.COUNTS, *keys.SCHEDULE, *keys.CAPACITY, "prune_defer", "script_timeout")
)
_OFF = ("autosnap", "autoprune", "monitor")

Value = int | bool | str | list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """The TOML text; empty when there are problems."""

    text: str
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class _Block:
    """A section's lines: what stood above it, its header, its keys and comments."""

    lead: list[str]
    header: str
    lines: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)


def convert(text: str, file: str, *, force: bool = False) -> Converted:
    """The whole file as TOML, or every problem for which it cannot be."""
    problems = parse_ini(text, file).problems if force else read_ini(text, file).problems
    if problems:
        return Converted(text="", problems=problems)
    writer = _Writer(text, file, force=force)
    written = writer.write()
    if writer.problems:
        return Converted(text="", problems=tuple(sorted(writer.problems)))
    return Converted(text=written)


class _Writer:
    def __init__(self, text: str, file: str, *, force: bool) -> None:
        self.problems: list[Problem] = []
        self._lines = tuple(scan(text))
        self._file = file
        self._force = force
        headers = (line.name for line in self._lines if isinstance(line, Header))
        self._templates = {n.removeprefix(TEMPLATE) for n in headers if n.startswith(TEMPLATE)}
        self._blocks: dict[str, _Block] = {}
        self._pending: list[str] = []

    def write(self) -> str:
        name = ""
        for line in self._lines:
            match line:
                case Header():
                    name = line.name
                    self._open(line)
                case Pair():
                    block = self._blocks[name]
                    block.lines += self._pending
                    self._pending = []
                    block.lines += self._pair(line, block, name)
                case Other():
                    self._pending.append(_comment(line))
        lines = [one for b in self._blocks.values() for one in (*b.lead, b.header, *b.lines)]
        return "".join(f"{line}\n" for line in (*lines, *self._pending))

    def _open(self, line: Header) -> None:
        known = self._blocks.get(line.name)
        if known is not None:
            known.lines += [*self._pending, f"# from line {line.number}: [{line.name}] again"]
        else:
            self._blocks[line.name] = _Block(lead=self._pending, header=self._header(line))
            if line.name.startswith("template") and not line.name.startswith(TEMPLATE):
                self._silence(self._blocks[line.name])
        self._pending = []

    def _header(self, line: Header) -> str:
        is_template = line.name.startswith(TEMPLATE)
        name = line.name.removeprefix(TEMPLATE) if is_template else line.name
        if is_template and (not name or "," in name):
            self._note(line, "no use_template can name it")
        elif not is_template:
            try:
                section_name(name)
            except Wrong as wrong:
                self._note(line, f"the name {wrong}")
        kind = "template" if is_template else "dataset"
        return f"[{kind}.{_key(name)}]"

    def _silence(self, block: _Block) -> None:
        """Sanoid ignores such a section; in TOML its name would be like any other."""
        block.lines.append("# sanoid ignores sections whose names begin with template")
        block.lines += [f"{key} = false" for key in _OFF]
        block.seen |= set(_OFF)

    def _pair(self, line: Pair, block: _Block, name: str) -> Iterable[str]:
        first, *others = (value.strip(BLANKS) for value in line.values)
        inert = name.startswith(TEMPLATE) and line.key in INERT_IN_TEMPLATES
        if line.key in block.seen:
            yield _said(line, first, "was given before; the first counts")
        elif inert:
            yield _said(line, first, "has no effect")
        else:
            block.seen.add(line.key)
            if not first and line.key in {"path", "use_template"}:
                yield _said(line, first, "has no effect")
            else:
                yield from self._assignment(line, first)
        for other in others:
            yield _said(line, other, "only the first line of a here-document counts")

    def _assignment(self, line: Pair, text: str) -> Iterable[str]:
        plain, remark = text, ""
        try:
            plain, remark = READERS[line.key](text)
        except Wrong as wrong:
            forced = _forced(line.key, text)
            if forced is None:
                self._note(line, f"{line.key} {wrong}; it has no counterpart")
                return
            plain = forced
            yield _said(line, text, "is what sanoid reads as follows")
        if line.key == "use_template":
            known = [n for n in used_templates(plain) if n in {*self._templates, "default"}]
            if known != used_templates(plain):
                yield _said(line, text, "names a template that does not exist")
                plain = ", ".join(known)
        if plain or line.key in keys.SCRIPTS:
            after = f"  #{_after(text)}" if remark and line.key in _NUMBERS else ""
            yield f"{line.indent}{line.key} = {_toml(_typed(line.key, plain))}{after}"

    def _note(self, line: Header | Pair, text: str) -> None:
        where = f"[{line.name}]: " if isinstance(line, Header) else ""
        self.problems.append(Problem(self._file, line.number, f"{where}{text}"))


def _typed(key: str, plain: str) -> Value:
    if key in _NUMBERS or (key in keys.AGES and plain.isdigit()):
        return int(plain)
    if key in TOGGLES or (key == "recursive" and plain != "zfs"):
        return plain in TRUE_WORDS
    used = used_templates(plain) if key == "use_template" else []
    return used if len(used) > 1 else plain


def _forced(key: str, text: str) -> str | None:
    """What sanoid makes of a text that is refused, when TOML can say it."""
    if key in _NUMBERS:
        value = number(text)
        plain = str(int(value)) if value == value // 1 and abs(value) < 10**9 else ""
        return plain if plain and _reads(key, plain) else None
    if key in TOGGLES:
        return "yes" if text not in {"", *FALSE_WORDS} else "no"
    if key == "recursive":
        return "zfs" if "zfs" in text.lower() else "yes" if text in TRUE_WORDS else "no"
    return "1s" if key in keys.AGES and age_seconds(key, text) is None else None


def _reads(key: str, plain: str) -> bool:
    try:
        READERS[key](plain)
    except Wrong:
        return False
    return True


def _toml(value: Value) -> str:
    import tomlkit

    return tomlkit.item(value).as_string()


def _key(name: str) -> str:
    bare = name and all(c.isascii() and (c.isalnum() or c in "_-") for c in name)
    return name if bare else _toml(name)


def _said(line: Pair, value: str, why: str) -> str:
    return f"{line.indent}# {line.key} = {_printable(value)}  # line {line.number}: {why}"


def _comment(line: Other) -> str:
    """`; text` -> `# text`"""
    if line.is_blank:
        return ""
    indent = line.text[: len(line.text) - len(line.text.lstrip(BLANKS))]
    return f"{_printable(indent)}#{_printable(line.text.strip(BLANKS)[1:])}"


def _after(text: str) -> str:
    place = min(text.find(sign) for sign in "#;" if sign in text)
    return _printable(text[place + 1 :])


def _printable(text: str) -> str:
    """Without characters that a TOML comment must not have."""
    return "".join(c if c == "\t" or (c >= " " and c != "\x7f") else " " for c in text)
