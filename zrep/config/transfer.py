"""The keys about how data moves: the deletion guard's allowance and the bandwidth."""

from __future__ import annotations

import re

from zrep.config.housekeeping import brake
from zrep.config.schema import Section
from zrep.config.values import Wrong, shown, text
from zrep.model.guard import Allowance

_RATE = r"([1-9]\d{0,5})([kmg])"
_KIB = {"k": 1, "m": 1 << 10, "g": 1 << 20}
_PERCENT = r"(\d{1,2}|100)%"


def read_allowance(section: Section) -> Allowance:
    usual = Allowance()
    count, percent = section.get_or("allow_delete", _deletions, (usual.count, usual.percent))
    shrink = section.get_or("allow_shrink", _percent, usual.shrink)
    return Allowance(count=count, percent=percent, shrink=shrink)


def _deletions(value: object) -> tuple[int, int]:
    """500 -> 500 files; "30%" -> that share; [500, "30%"] -> whichever is more."""
    found = brake(value)
    return found.count or 0, found.percent or 0


def _percent(value: object) -> int:
    match = re.fullmatch(_PERCENT, text(value), re.ASCII)
    if match is None:
        raise Wrong(f'must be a share like "50%", not {shown(value)}')
    return int(match[1])


def bandwidth(value: object) -> int:
    """KiB per second: "500k" -> 500, "20m" -> 20480."""
    match = re.fullmatch(_RATE, text(value), re.IGNORECASE)
    if match is None:
        raise Wrong(f"must be bytes per second like 500k or 20m, not {shown(value)}")
    return int(match[1]) * _KIB[match[2].lower()]
