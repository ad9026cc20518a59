"""The grammar of sanoid.conf: text -> sections in order, with lines; nothing is interpreted.

It is that of the INI reader which sanoid uses: comments only on lines of their own, quotes and
backslashes without meaning, here-documents, repeated sections merged into the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field
from typing import NamedTuple

from zrep.config.document import Problem
from zrep.config.keys import SANOID
from zrep.config.schema import suggest
from zrep.frozen import dataclass
from zrep.model.sanoid import TEMPLATE, RawSection

BLANKS = " \t\n\r\f\v"  # other scripts' spaces are text to sanoid
_SECTION = re.compile(r"\s*\[\s*(\S|\S.*\S)\s*\]\s*", re.ASCII)
_PAIR = re.compile(r"(\s*)([^=]*?[^=\s])\s*=\s*(.*)", re.ASCII)
_HERE = re.compile(r"<<(\S.*)")
_COMMENT_AFTER = re.compile(r"\s*\[[^#;]*\]\s*[#;]")


class Header(NamedTuple):
    """[name]"""

    number: int
    name: str


class Pair(NamedTuple):
    """key = value; several values when it opens a here-document, none when that never ends."""

    number: int
    indent: str
    key: str
    values: tuple[str, ...]
    opening: str


class Other(NamedTuple):
    """A blank line or a comment, or text that is neither these nor anything else."""

    number: int
    text: str

    @property
    def is_blank(self) -> bool:
        return not self.text.strip(BLANKS)

    @property
    def is_comment(self) -> bool:
        return self.text.lstrip(BLANKS).startswith(("#", ";"))


Line = Header | Pair | Other


@dataclass(frozen=True, slots=True, kw_only=True)
class Ini:
    """The sections of a file; when `problems` is not empty, sanoid would not start with it.

    `malformed` says that these are of the grammar, so that sections may be other than meant.
    """

    sections: tuple[RawSection, ...]
    problems: tuple[Problem, ...]
    malformed: bool


@dataclass(slots=True)
class _Open:
    """A section while its keys are being read."""

    line: int
    values: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    repeated: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def add(self, key: str, value: str, line: int) -> None:
        if key in self.values:
            self.repeated[key] = (*self.repeated.get(key, ()), line)
        else:
            self.values[key] = value.strip(BLANKS)
            self.lines[key] = line


def parse_ini(text: str, file: str) -> Ini:
    """The sections of a sanoid.conf, and everything for which sanoid would refuse it."""
    sections: dict[str, _Open] = {}
    problems: list[Problem] = []
    current: _Open | None = None
    for line in scan(text):
        match line:
            case Header():
                current = sections.setdefault(line.name, _Open(line.number))
            case Pair() if current is not None:
                if not line.values:
                    problems.append(Problem(file, line.number, f"{line.opening} is never closed"))
                for value in line.values:
                    current.add(line.key, value, line.number)
            case Pair():
                if not problems:  # what follows a mangled header is no mistake of its own
                    problems.append(Problem(file, line.number, "a key before any [section]"))
            case Other() if not line.is_blank and not line.is_comment:
                problems.append(Problem(file, line.number, _reason(line.text)))
    if not sections and not problems:
        problems.append(Problem(file, 1, "has no section"))
    found = tuple(_closed(name, section) for name, section in sections.items())
    return Ini(
        sections=found,
        problems=tuple(sorted((*problems, *_unknown_keys(found, file)))),
        malformed=bool(problems),
    )


def scan(text: str) -> Iterator[Line]:
    """The file line by line; a here-document is one line."""
    lines = iter(enumerate(split_lines(text), start=1))
    for number, line in lines:
        if not line.strip(BLANKS) or line.lstrip(BLANKS)[0] in "#;":
            yield Other(number, line)
        elif header := _SECTION.fullmatch(line):
            yield Header(number, header[1])
        elif pair := _PAIR.fullmatch(line):
            yield Pair(number, pair[1], pair[2], _values(pair[3], lines), pair[3])
        else:
            yield Other(number, line)


def split_lines(text: str) -> list[str]:
    """Lines end as the first one does: by LF, CR LF or CR."""
    first = re.search(r"\r\n|\n|\r", text)
    lines = text.split(first[0]) if first else [text]
    return lines if lines[-1] else lines[:-1]


def _values(value: str, lines: Iterator[tuple[int, str]]) -> tuple[str, ...]:
    """The value, or the lines of the here-document that it opens; none when that never ends."""
    here = _HERE.match(value)
    if here is None:
        return (value,)
    found: list[str] = []
    for _, line in lines:
        if line == here[1]:
            return tuple(found) or ("",)
        found.append(line)
    return ()


def _closed(name: str, section: _Open) -> RawSection:
    return RawSection(
        name=name,
        line=section.line,
        values=section.values,
        is_template=name.startswith(TEMPLATE),
        lines=section.lines,
        repeated=section.repeated,
    )


def _unknown_keys(sections: tuple[RawSection, ...], file: str) -> list[Problem]:
    return [
        Problem(file, line, f"[{section.name}] {key}: unknown key{suggest(key, SANOID)}")
        for section in sections
        for key, line in section.lines.items()
        if key not in SANOID
    ]


def _reason(line: str) -> str:
    if line.startswith("\ufeff"):
        return "begins with a byte order mark, which sanoid cannot read: save it as plain UTF-8"
    if _COMMENT_AFTER.match(line):
        return "a comment needs a line of its own"
    if "\n" in line:
        return "ends otherwise than the first line of the file: convert the line ends"
    return f"neither [section] nor key = value: {line.strip()[:60]!r}"
