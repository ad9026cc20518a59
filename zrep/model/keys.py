"""Our ssh keys by name, and how far the rotation of one has come."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum


class KeyName(StrEnum):
    """What a key is for: asking, reading what is prepared, writing what is armed."""

    CONTROL = "control"
    READ = "read"
    RESTORE = "restore"


class Phase(StrEnum):
    """What a rotation does next. The files beside the key say it, so a crash loses nothing."""

    MAKE = "make"
    ADD = "add"
    REMOVE = "remove"


NEXT, OLD = ".next", ".old"


def phase_of(suffixes: Collection[str]) -> Phase:
    """From the suffixes of the files there are: a new key waits, or an old one is still accepted.

    At every moment the machines accept the key in use: a new one is used only when all of them
    accept it, and the old one is taken away only when none is asked with it any more.
    """
    if NEXT in suffixes:
        return Phase.ADD
    return Phase.REMOVE if OLD in suffixes else Phase.MAKE
