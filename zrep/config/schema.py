"""One table of a document being read: typed values out of it, every problem noted with its line.

Reading goes on after a problem, so that all are reported at once; what could not be read is None.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from zrep.config.document import Document, Problem
from zrep.config.values import Parse, T, Wrong, shown, word
from zrep.frozen import dataclass

if TYPE_CHECKING:
    from zrep.config.positions import Path

_BARE = r"[A-Za-z0-9_-]+"
_FEW = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The table at `path`, which may have `keys`; `problems` collects what is wrong with it.

    `absent` means that something else stands where the table should be; nothing is missed in it.
    """

    document: Document
    problems: list[Problem] = field(hash=False)
    path: Path
    values: Mapping[str, object] = field(hash=False)
    keys: tuple[str, ...]
    absent: bool = False

    @property
    def line(self) -> int:
        return self.document.line(self.path)

    @property
    def unknown(self) -> list[str]:
        return [key for key in self.values if key not in self.keys]

    def check_keys(self) -> None:
        for key in self.unknown:
            self.note(f"unknown key{suggest(key, self.keys)}", key)

    def note(self, text: str, *keys: str | int) -> None:
        """A problem with the table, or with what `keys` lead to in it."""
        path = (*self.path, *keys)
        name = f"{dotted(path)}: " if path else ""
        found = Problem(self.document.file, self.document.line(path), f"{name}{text}")
        self.problems.append(found)

    def get(self, key: str, parse: Parse[T]) -> T | None:
        """The value of `key` as `parse` reads it; None when it is absent or wrong."""
        if key not in self.values:
            return None
        try:
            return parse(self.values[key])
        except Wrong as wrong:
            self.note(str(wrong), key, *wrong.at)
            return None

    def get_or(self, key: str, parse: Parse[T], default: T) -> T:
        found = self.get(key, parse)
        return default if found is None else found

    def need(self, key: str, parse: Parse[T], why: str = "is missing") -> T | None:
        if key not in self.values and not self.absent and not self.misspelt(key):
            self.note(f"{key} {why}")
        return self.get(key, parse)

    def misspelt(self, key: str) -> bool:
        """True when a key that is unknown here must be meant for `key`: reported once, as such."""
        return any(nearest(k, self.keys) == key for k in self.unknown)

    def table(self, key: str, keys: tuple[str, ...]) -> Section:
        """The table under `key`; an empty one when there is none."""
        found = self.values.get(key, {})
        values = found if isinstance(found, dict) else {}
        if values is not found:
            self.note(f"must be a table, not {shown(found)}", key)
        section = Section(
            document=self.document,
            problems=self.problems,
            path=(*self.path, key),
            values=values,
            keys=keys or tuple(values),
            absent=values is not found,
        )
        section.check_keys()
        return section

    def tables(
        self, key: str, keys: tuple[str, ...], *, name: Parse[str] = word
    ) -> dict[str, Section]:
        """The tables under `key` by the names that the administrator gave them."""
        outer = self.table(key, ())
        for chosen in outer.values:
            try:
                name(chosen)
            except Wrong as wrong:
                outer.note(f"the name {wrong}", chosen)
        return {chosen: outer.table(chosen, keys) for chosen in outer.values}


def open_document(document: Document, problems: list[Problem], keys: tuple[str, ...]) -> Section:
    """The whole document as a section."""
    section = Section(
        document=document, problems=problems, path=(), values=document.values, keys=keys
    )
    section.check_keys()
    return section


def dotted(path: Path) -> str:
    """("set", "a b", "hosts", 0) -> set."a b".hosts[0]"""
    parts: list[str] = []
    for part in path:
        if isinstance(part, int):
            parts.append(f"[{part}]")
        else:
            quoted = part if re.fullmatch(_BARE, part) else f'"{part}"'
            parts.append(f".{quoted}" if parts else quoted)
    return "".join(parts)


def suggest(word: str, candidates: Iterable[str]) -> str:
    """What to say after a word that is not one of `candidates`: the nearest, or all when few."""
    known = sorted(candidates)
    near = nearest(word, known)
    if near is not None:
        return f", did you mean {near}?"
    if not known:
        return ""
    more = ", ..." if len(known) > _FEW else ""
    return f"; valid are {', '.join(known[:_FEW])}{more}"


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    from difflib import get_close_matches

    near = get_close_matches(word.lower(), list(candidates), n=1, cutoff=0.6)
    return near[0] if near else None
