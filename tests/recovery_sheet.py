"""A recovery sheet as its reader runs it: the indented lines of some of its parts."""

from __future__ import annotations

import re


def commands(sheet: str, *parts: str) -> str:
    """Of the parts that begin so (`"1. "`, `"4.2 "`), in the sheet's order; of all without any."""
    sections = re.split(r"^(?=\d\.(?:\d+)? )", sheet, flags=re.MULTILINE)
    wanted = (s for s in sections if s.startswith(parts or ("",)))
    return "\n".join(line for s in wanted for line in re.findall(r"^    (.*)$", s, re.MULTILINE))


def part_of(sheet: str, key: str) -> str:
    """The number of the part that brings a source back."""
    (number,) = re.findall(rf"^(4\.\d+) {re.escape(key)} ", sheet, re.MULTILINE)
    return f"{number} "
