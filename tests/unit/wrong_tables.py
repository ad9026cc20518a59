"""The tables of mistakes in tests/data: what is replaced in a good file, by what, what is said."""

from __future__ import annotations

import re
from pathlib import Path

Change = tuple[str, str, list[str]]
_ESCAPED = re.compile(r"\\(\\|n|r|t|ufeff)")
_MEANT = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t", "ufeff": "\ufeff"}


def changes(table: str) -> list[Change]:
    """`- old`, `+ new`, then `> problem` lines, one block a case."""
    text = (Path(__file__).parents[1] / "data" / table).read_text()
    return [_change(block) for block in text.split("\n\n")]


def first_words(change: Change) -> str:
    """What a case is called: the beginning of the first problem."""
    return change[2][0][:60]


def _change(block: str) -> Change:
    old, new, *expected = [line[2:] for line in block.strip("\n").split("\n")]
    return _unescaped(old), _unescaped(new), expected


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: _MEANT[match[1]], text)
