"""Backups drawn in a few words, for the planners' tests."""

from __future__ import annotations

from collections.abc import Sequence

from zrep.model.backup import Backup, Manifest, SourceRecord, State, encode_manifest
from zrep.model.inventory import Dataset, Inventory, Snapshot
from zrep.model.key import SourceKey
from zrep.model.names import BackupId, DatasetName, Guid, SnapClass, SnapshotName, Txg, make_label
from zrep.model.source import Consistency
from zrep.planner.backups import find_backups

ROOT = DatasetName("backup/current")
A, B = SourceKey("h1", "a"), SourceKey("h2", "b")
NOON = BackupId("20220101_120000")


def manifest(
    keys: Sequence[SourceKey] = (A, B),
    *,
    set_name: str = "platform",
    failed: Sequence[SourceKey] = (),
) -> Manifest:
    records = [SourceRecord(key=k, ok=True, files=3, size=5, method="lvm") for k in keys]
    records += [SourceRecord(key=k, ok=False, why="rsync said no", method="lvm") for k in failed]
    return Manifest(
        set_name=set_name,
        state=State.PARTIAL if failed else State.COMPLETE,
        consistency=Consistency.NODE,
        sources=tuple(sorted(records, key=lambda r: r.key)),
        version="1.0",
        config="abc",
        seconds=2.5,
    )


def child(
    key: SourceKey,
    backup: str,
    *,
    classes: str = "hourly",
    described: Manifest | None = None,
    userrefs: int = 0,
    clones: tuple[str, ...] = (),
) -> Snapshot:
    made = BackupId(backup)
    label = make_label(made, frozenset(SnapClass(c) for c in classes.split(".")))
    moment = int(made.moment.timestamp())
    return Snapshot(
        name=SnapshotName(ROOT / str(key), str(label)),
        guid=Guid(moment * 10 + (key == B)),
        createtxg=Txg(moment),
        creation=moment,
        used=100,
        userrefs=userrefs,
        clones=tuple(DatasetName(c) for c in clones),
        properties=encode_manifest(described) if described else {},
    )


def inventory(*snapshots: Snapshot) -> Inventory:
    names = sorted({s.name.dataset for s in snapshots})
    return Inventory(
        tuple(
            Dataset(
                name=name,
                guid=Guid(i + 1),
                snapshots=tuple(s for s in snapshots if s.name.dataset == name),
            )
            for i, name in enumerate(names)
        )
    )


def backups(*snapshots: Snapshot) -> tuple[Backup, ...]:
    return find_backups(inventory(*snapshots), ROOT)
