"""The layout of the scripts before zrep, and what makes a backup of one of their snapshots.

They wrote each source into a folder `HOST@PATH` of one dataset, slashes spelled as plus signs, and
took `snap_YYYYMMDD_HHMMSS` of it. Such a snapshot is a backup when it carries IMPORTED itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from zrep.model.names import BackupId, BackupLabel, parse_classes, parse_label

# The classes that the snapshot counts for; it is written last, so it vouches for the manifest.
IMPORTED = "io.zrep:imported"
# Where a replica keeps the history of the root itself; no logical host can be called so.
HISTORY = "zrep:imported"

_SNAP = "snap_"
_FOLDER = r"(?P<host>[^@/]+)@(?P<path>\+[^/]*)"


def layout_id(snap: str) -> BackupId | None:
    """snap_20220906_082043 -> 20220906_082043; None for other names and for times that are none."""
    try:
        return BackupId(snap.removeprefix(_SNAP)) if snap.startswith(_SNAP) else None
    except ValueError:
        return None


def label_of(snap: str, properties: Mapping[str, str]) -> BackupLabel | None:
    """What makes a snapshot zrep's own: its name, or the old name and the mark of the import."""
    own = parse_label(snap)
    old = layout_id(snap)
    if own is not None or old is None or IMPORTED not in properties:
        return own
    try:
        return BackupLabel(old, parse_classes(properties[IMPORTED]))
    except ValueError:
        return None


def spell_folder(host: str, path: str) -> str:
    """manager-1, /docker/ -> manager-1@+docker"""
    return f"{host}@{path.rstrip('/').replace('/', '+')}"


def parse_folder(name: str) -> tuple[str, str] | None:
    """manager-1@+srv+mail -> manager-1, srv-mail: a name for what no source is configured for."""
    match = re.fullmatch(_FOLDER, name)
    return (match["host"], match["path"].strip("+").replace("+", "-")) if match else None


def is_folder(name: str) -> bool:
    """One step below the top of a dataset, and nowhere else."""
    return name not in {"", ".", ".."} and not set(name) & {"/", "\0"}
