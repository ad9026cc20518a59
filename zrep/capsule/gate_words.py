"""The words of a request, taken one by one; each is validated as it is taken. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

from zrep.model.names import DatasetName, SnapshotName, plain_dataset, plain_snapshot

T = TypeVar("T")

# Compiled when a request first needs them, most of which need few.
_PROPERTY = r"[A-Za-z0-9][A-Za-z0-9:._\-@]*"
_OURS = r"io\.zrep:[a-z0-9][a-z0-9:._\-]*"
_VALUE = r"[^\0\n\r]{0,8191}"
MAX_NAMES = 5000


class NotAllowedError(Exception):
    """The request does not fit; the text says where."""


def refuse(why: str) -> NoReturn:
    raise NotAllowedError(why)


class Words:
    """What is left of an argv."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._left = list(argv)

    def take(self, what: str) -> str:
        if not self._left:
            refuse(f"{what} is missing")
        return self._left.pop(0)

    def expect(self, *words: str) -> None:
        for word in words:
            found = self.take(repr(word))
            if found != word:
                refuse(f"{found!r} instead of {word!r}")

    def one_of(self, *words: str) -> str:
        found = self.take(" or ".join(words))
        return found if found in words else refuse(f"{found!r} instead of {' or '.join(words)}")

    def skip(self, *words: str) -> bool:
        """Take these words if they come next."""
        if self._left[: len(words)] != list(words):
            return False
        del self._left[: len(words)]
        return True

    def next_starts(self, *prefixes: str) -> bool:
        return bool(self._left) and self._left[0].startswith(prefixes)

    def last(self, read: Callable[[str], T]) -> T:
        value = read(self.take("a name"))
        self.end()
        return value

    def rest(self, read: Callable[[str], T]) -> list[T]:
        """One or more words, all of a kind."""
        if not 0 < len(self._left) <= MAX_NAMES:
            refuse(f"{len(self._left)} names")
        found, self._left = [read(word) for word in self._left], []
        return found

    def end(self) -> None:
        if self._left:
            refuse(f"{self._left[0]!r} is too much")


def dataset(word: str) -> DatasetName:
    try:
        return plain_dataset(word)
    except ValueError as error:
        raise NotAllowedError(str(error)) from error


def snapshot(word: str) -> SnapshotName:
    try:
        return plain_snapshot(word)
    except ValueError as error:
        raise NotAllowedError(str(error)) from error


def bookmark(word: str) -> SnapshotName:
    """`dataset#mark` as dataset and mark, which is spelled like a snapshot's name."""
    if word.count("#") != 1 or "@" in word:
        refuse(f"not a bookmark: {word!r}")
    return snapshot(word.replace("#", "@"))


def anything(word: str) -> DatasetName:
    """The dataset of a dataset, snapshot or bookmark name."""
    if "@" in word:
        return snapshot(word).dataset
    return bookmark(word).dataset if "#" in word else dataset(word)


def properties(word: str) -> None:
    for name in word.split(","):
        if not re.fullmatch(_PROPERTY, name):
            refuse(f"not a property name: {name!r}")


def assignment(word: str) -> tuple[str, str]:
    """`key=value`; a value is data, it never reaches a shell."""
    key, equals, value = word.partition("=")
    if not equals or not re.fullmatch(_PROPERTY, key) or not re.fullmatch(_VALUE, value):
        refuse(f"not an assignment: {word!r}")
    return key, value


def our_assignment(word: str) -> None:
    if not is_ours(assignment(word)[0]):
        refuse(f"only io.zrep: properties may be set, not {word!r}")


def is_ours(key: str) -> bool:
    return bool(re.fullmatch(_OURS, key))
