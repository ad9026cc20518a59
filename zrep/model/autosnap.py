"""Sanoid's snapshot names: which class one counts for, and how one is spelled.

Sanoid never reads the date in a name: age is the snapshot's creation. Whatever begins with
`autosnap` and ends with `_` and a class is its own.
"""

from __future__ import annotations

import re
from datetime import datetime

from zrep.model.names import SnapClass

_TYPES = {c.value: c for c in SnapClass if c is not SnapClass.MANUAL}
_LAST_TYPE = re.compile(r".*_(\w*ly)", re.ASCII)


def autosnap_class(snap: str) -> SnapClass | None:
    """The class that a sanoid snapshot counts for; None for every other name.

    autosnap_2022-09-06_08:20:43_daily -> daily
    autosnap-before-upgrade_daily -> daily
    autosnap_x_monthlydaily, manual_daily -> None
    """
    if not snap.startswith("autosnap"):
        return None
    return _TYPES.get(snap.rpartition("_")[2])


def sanoid_class(snap: str) -> SnapClass | None:
    """The same as sanoid itself sees it, which takes a few names more for its own.

    autosnap_x_daily-before-friendly -> daily, for it ends with "ly" and has a class after a "_"
    """
    if not (snap.startswith("autosnap") and snap.endswith("ly")):
        return None
    found = _LAST_TYPE.match(snap)
    return _TYPES.get(found[1]) if found else None


def autosnap_name(moment: datetime, snap_class: SnapClass) -> str:
    """autosnap_2022-09-06_08:20:43_daily, in the time zone of `moment`."""
    return f"autosnap_{moment:%Y-%m-%d_%H:%M:%S}_{snap_class}"
