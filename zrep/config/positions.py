"""Where in a TOML text each key and array element stands: dotted path -> line number.

The scanner walks text that a TOML parser has accepted already; it only finds its way, and
checks nothing. Paths are tuples of keys, with integers for places in arrays.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left

Path = tuple[str | int, ...]

_BLANK = re.compile(r"[ \t\r\n]*(?:#[^\n]*[ \t\r\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LITERAL_KEY = re.compile(r"'([^'\n]*)'")
_BASIC_KEY = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|' + r"'''.*?'{3,5}|" + r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]}#\n]*")


def find_positions(text: str) -> dict[Path, int]:
    """Lines (from 1) of all keys and array elements of a valid TOML text.

    "a = 1\\n[b]\\nc.d = [2,\\n3]" -> {("a",): 1, ("b",): 2, ("b", "c"): 3, ("b", "c", "d"): 3,
                                      ("b", "c", "d", 0): 3, ("b", "c", "d", 1): 4}

    A table that several headers or dotted keys open has the line of the first that names it.
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._here = 0
        self._ends = [i for i, c in enumerate(text) if c == "\n"]
        self._lengths: dict[Path, int] = {}  # of arrays of tables

    def document(self) -> None:
        table: Path = ()
        self._skip(_BLANK)
        while self._here < len(self._text):
            if self._text[self._here] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> Path:
        brackets = 2 if self._text.startswith("[[", self._here) else 1
        self._here += brackets
        *parents, last = self._key()
        path: Path = ()
        for key in parents:
            path = self._enter((*path, key))
        path = (*path, last)
        self._note(path)
        if brackets == 2:
            self._lengths[path] = self._lengths.get(path, 0) + 1
            path = self._enter(path)
            self._note(path)
        self._here += brackets
        return path

    def _enter(self, path: Path) -> Path:
        """The table that a header means by `path`: of an array of tables, the last one."""
        self._note(path)
        length = self._lengths.get(path)
        return path if length is None else (*path, length - 1)

    def _pair(self, table: Path) -> None:
        path = table
        for key in self._key():
            path = (*path, key)
            self._note(path)
        self._here += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> list[str]:
        """The parts of a dotted key; afterwards at the first character behind it."""
        parts = []
        while True:
            self._skip(_SPACE)
            parts.append(self._simple_key())
            self._skip(_SPACE)
            if self._text[self._here] != ".":
                return parts
            self._here += 1

    def _simple_key(self) -> str:
        if literal := _LITERAL_KEY.match(self._text, self._here):
            self._here = literal.end()
            return literal[1]
        if basic := _BASIC_KEY.match(self._text, self._here):
            self._here = basic.end()
            return _unescape(basic[0])
        bare = _BARE.match(self._text, self._here)
        if bare is None:
            raise ValueError(f"not TOML at character {self._here}")
        self._here = bare.end()
        return bare[0]

    def _value(self, path: Path) -> None:
        first = self._text[self._here]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        elif first in "\"'":
            self._skip(_STRING)
        else:
            self._skip(_PLAIN)

    def _array(self, path: Path) -> None:
        index = 0
        while self._next_item("]"):
            self._note((*path, index))
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: Path) -> None:
        while self._next_item("}"):
            self._pair(path)

    def _next_item(self, closing: str) -> bool:
        """Step over an opening bracket or comma; False once the closing bracket is passed."""
        self._skip(_BLANK)
        if self._text[self._here] in "[{,":
            self._here += 1
            self._skip(_BLANK)
        if self._text[self._here] != closing:
            return True
        self._here += 1
        return False

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._here)
        self._here = match.end() if match else self._here

    def _note(self, path: Path) -> None:
        self.lines.setdefault(path, bisect_left(self._ends, self._here) + 1)


def _unescape(quoted: str) -> str:
    value: str = tomllib.loads(f"key = {quoted}")["key"]
    return value
