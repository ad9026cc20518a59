"""A TOML text with its values and, for error messages, the line of each of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from zrep.frozen import dataclass

if TYPE_CHECKING:
    from zrep.config.positions import Path

_PARSER_PLACE = r" \(at (?:line (\d+), column (\d+)|end of document)\)$"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong, or worth saying, at one line of one file."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


@dataclass(slots=True)
class Document:
    """A parsed file: `values` as the TOML parser gives them."""

    file: str
    text: str
    values: Mapping[str, object]
    _lines: dict[Path, int] | None = field(default=None, repr=False)

    def line(self, path: Path) -> int:
        """The line of a key, or of the nearest table around it that is written down.

        Lines are looked for only once something is wrong: good files load faster.
        """
        if self._lines is None:
            from zrep.config.positions import find_positions

            self._lines = find_positions(self.text)
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)


def parse_document(text: str, file: str) -> Document | Problem:
    """The document, or the place where the text stops being TOML."""
    try:
        return Document(file=file, text=text, values=tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        return _syntax_problem(str(error), text, file)


# The parser's words, and what they mean to somebody who edits a configuration.
_MEANINGS = (
    ("Invalid value", "there is no value here; text, durations and sizes need quotes"),
    ("Expected newline", "the value ends before this; text, durations and sizes need quotes"),
    ("Expected ']'", "the table's name does not end here; names with / in them need quotes"),
    ("Expected '='", "there is no = after the key"),
    ("Invalid statement", "this is neither a key nor a [table]"),
    ("Cannot declare", "this table is there already"),
    ("Cannot overwrite", "this key has a value already"),
    ("Duplicate inline table key", "this key has a value already"),
    ("Unterminated string", "a quote is opened and not closed"),
    ("Illegal character '\\n'", "a quote is opened and not closed in this line"),
    ("Unclosed array", "a list is opened and not closed"),
    ("Unclosed inline table", "a { is opened and not closed in this line"),
    ("Unescaped '\\'", "a backslash must be doubled, or the text put in single quotes"),
)


def _syntax_problem(message: str, text: str, file: str) -> Problem:
    place = re.search(_PARSER_PLACE, message)
    said = re.sub(_PARSER_PLACE, "", message)
    what = next((mean for words, mean in _MEANINGS if said.startswith(words)), said)
    if place and place[1]:
        return Problem(file, int(place[1]), f"column {place[2]}: {what}")
    return Problem(file, text.rstrip().count("\n") + 1, f"{what} (the file ends here)")
