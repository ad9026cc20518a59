"""Cron expressions of five fields, checked without knowing the time."""

from __future__ import annotations

import re

from zrep.config.values import Wrong, shown, text

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

# field, lowest, highest, names of its values from the lowest on
_FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)
_ITEM = r"(?:\*|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>\d{1,2}))?"


def cron(value: object) -> str:
    """ "0 3 * * *" -> itself, with single spaces; Wrong names the field that is to blame."""
    words = text(value).split()
    if len(words) != len(_FIELDS):
        raise Wrong(
            "must have the five fields minute, hour, day of month, month and day of week, "
            f"as in '0 3 * * *', not {shown(value)}"
        )
    for word, (name, low, high, names) in zip(words, _FIELDS, strict=True):
        if not all(_fits(item, low, high, names) for item in word.split(",")):
            raise Wrong(f"the {name} {shown(word)} cannot be; valid are {low} to {high}")
    return " ".join(words)


def _fits(item: str, low: int, high: int, names: list[str]) -> bool:
    match = re.fullmatch(_ITEM, item.lower())
    if match is None or match["step"] == "0":
        return False
    ends = [_number(e, low, names) for e in (match["low"], match["high"]) if e is not None]
    return all(low <= e <= high for e in ends) and ends == sorted(ends)


def _number(word: str, low: int, names: list[str]) -> int:
    if word in names:
        return low + names.index(word)
    return int(word) if word.isdecimal() else -1
