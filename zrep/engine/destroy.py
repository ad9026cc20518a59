"""What all pruning shares: marks that give a grace period, and the last look before the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from zrep.errors import Conflict
from zrep.frozen import dataclass
from zrep.model.housekeeping import DOOMED
from zrep.model.inventory import Snapshot
from zrep.model.names import SnapshotName
from zrep.zfs.port import Zfs


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run did; `failed` says why the rest of what it should destroy is still there."""

    destroyed: tuple[SnapshotName, ...] = ()
    failed: Mapping[SnapshotName, str] = field(default_factory=dict, hash=False)
    marked: tuple[SnapshotName, ...] = ()
    spared: tuple[SnapshotName, ...] = ()


def mark(zfs: Zfs, snapshots: Sequence[Snapshot], now: int) -> None:
    """From now on (epoch seconds) they wait for their end."""
    if snapshots:
        zfs.set_properties([s.name for s in snapshots], {DOOMED: str(now)})


def unmark(zfs: Zfs, snapshots: Sequence[Snapshot]) -> None:
    """A mark without a time is none; ZFS cannot take a property off many snapshots at once."""
    if snapshots:
        zfs.set_properties([s.name for s in snapshots], {DOOMED: "-"})


def confirm(current: Mapping[SnapshotName, Snapshot], doomed: Sequence[Snapshot]) -> None:
    """Every doomed name must still be the snapshot that was judged, and still free; or Conflict."""
    for snapshot in doomed:
        now = current.get(snapshot.name)
        if now and (now.guid != snapshot.guid or now.userrefs or now.clones):
            raise Conflict(
                f"{now.name} changed while the plan was made",
                why="another guid, a hold or a clone appeared",
                next_step="run zrep prune again",
            )
