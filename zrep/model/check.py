"""What monitoring found: a level as Nagios and Icinga know it, one line of text, the figures."""

from __future__ import annotations

from enum import IntEnum

from zrep.frozen import dataclass
from zrep.model.names import SnapClass


class Level(IntEnum):
    """The exit status of a check."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One figure that is watched, and what is said about it (nothing when all is well).

    `value` is the age in seconds of a dataset's newest snapshot of a class, or how full a pool is
    in per cent; None when there is none. Limits are in the same unit, 0 is no limit. `level` is
    what the exit status may become for it, which a section can forbid.
    """

    name: str
    value: int | None
    unit: str
    warn: int
    crit: int
    snap_class: SnapClass | None = None
    level: Level = Level.OK
    says: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The result of one check: `message` is one line in sanoid's words."""

    level: Level
    message: str
    watched: tuple[Watched, ...] = ()


def worst(levels: tuple[Level, ...]) -> Level:
    return max(levels, default=Level.OK)
