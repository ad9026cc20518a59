"""The grammar of sanoid.conf: text -> sections in order, with lines; nothing is interpreted.

It is that of the INI reader which sanoid uses: comments only on lines of their own, quotes and
backslashes without meaning, here-documents, repeated sections merged into the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from zrep.config.document import Problem
from zrep.config.keys import SANOID
from zrep.config.schema import suggest
from zrep.model.sanoid import TEMPLATE, RawSection

_SECTION = re.compile(r"\s*\[\s*(\S|\S.*\S)\s*\]\s*")
_PAIR = re.compile(r"\s*([^=]*?[^=\s])\s*=\s*(.*)")
_HERE = re.compile(r"<<(\S.*)")
_COMMENT_AFTER = re.compile(r"\s*\[[^#;]*\]\s*[#;]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ini:
    """The sections of a file; when `problems` is not empty, sanoid would not start with it."""

    sections: tuple[RawSection, ...]
    problems: tuple[Problem, ...]


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
            self.values[key] = value.strip()
            self.lines[key] = line


def parse_ini(text: str, file: str) -> Ini:
    """The sections of a sanoid.conf, and everything for which sanoid would refuse it."""
    sections: dict[str, _Open] = {}
    problems: list[Problem] = []
    current: _Open | None = None
    lines = iter(enumerate(split_lines(text), start=1))
    for number, line in lines:
        if not line.strip() or line.lstrip()[0] in "#;":
            continue
        if header := _SECTION.fullmatch(line):
            current = sections.setdefault(header[1], _Open(number))
        elif (pair := _PAIR.fullmatch(line)) and current is not None:
            values = _values(pair[2], lines)
            if values is None:
                problems.append(Problem(file, number, f"{pair[2]} is never closed"))
            for value in values or ():
                current.add(pair[1], value, number)
        else:
            problems.append(Problem(file, number, _reason(line, first=current is None)))
    if not sections and not problems:
        problems.append(Problem(file, 1, "has no section"))
    found = tuple(_closed(name, section) for name, section in sections.items())
    problems += _unknown_keys(found, file)
    return Ini(sections=found, problems=tuple(sorted(problems)))


def split_lines(text: str) -> list[str]:
    """Lines end as the first one does: by LF, CR LF or CR."""
    first = re.search(r"\r\n|\n|\r", text)
    lines = text.split(first[0]) if first else [text]
    return lines if lines[-1] else lines[:-1]


def _values(value: str, lines: Iterator[tuple[int, str]]) -> list[str] | None:
    """The value, or the lines of the here-document that it opens; None when that never ends."""
    here = _HERE.match(value)
    if here is None:
        return [value]
    found: list[str] = []
    for _, line in lines:
        if line == here[1].strip():
            return found
        found.append(line)
    return None


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


def _reason(line: str, *, first: bool) -> str:
    if line.startswith("\ufeff"):
        return "begins with a byte order mark, which sanoid cannot read: save it as plain UTF-8"
    if _COMMENT_AFTER.match(line):
        return "a comment needs a line of its own"
    if "\n" in line:
        return "ends otherwise than the first line of the file: convert the line ends"
    if first and "=" in line:
        return "a key before any [section]"
    return f"neither [section] nor key = value: {line.strip()[:60]!r}"
