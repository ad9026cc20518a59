"""Backups whose files are real: a simulated pool mounted over a real folder, with .zfs/snapshot."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from zrep.engine.browse import Shelf
from zrep.model.backup import Manifest, SourceRecord, State, encode_manifest
from zrep.model.key import SourceKey
from zrep.model.names import BackupId, DatasetName, SnapClass, make_label
from zrep.model.source import Consistency, Method, Source
from zrep.planner.backups import find_backups
from zrep.planner.simulate.pool import new_pool
from zrep.zfs.fake import FakeZfs

ROOT = DatasetName("backup/current")
DOCKER, MAIL = SourceKey("manager-1", "docker"), SourceKey("manager-1", "mail")
CONFIGURED = (
    Source(key=DOCKER, method=Method.DIR, path="/docker"),
    Source(key=MAIL, method=Method.DIR, path="/srv/mail"),
)

Fill = Callable[[Path], None]


@dataclass
class World:
    """`world.backup(first, {DOCKER: fill})` makes a snapshot of what `fill` puts into a folder."""

    top: Path
    zfs: FakeZfs = field(default_factory=lambda: FakeZfs(new_pool("backup")))

    def __post_init__(self) -> None:
        self.zfs.create(ROOT, {"mountpoint": str(self.top)})
        self.zfs.create(ROOT / "manager-1", {"canmount": "off"})

    def backup(self, second: int, contents: dict[SourceKey, Fill]) -> BackupId:
        backup = BackupId(f"20220101_1200{second:02d}")
        label = str(make_label(backup, frozenset({SnapClass.HOURLY})))
        told = Manifest(
            set_name="platform",
            state=State.COMPLETE,
            consistency=Consistency.NODE,
            sources=tuple(SourceRecord(key=k, ok=True) for k in contents),
        )
        for key, fill in contents.items():
            self._ensure(key)
            folder = self.top / str(key) / ".zfs" / "snapshot" / label
            folder.mkdir(parents=True)
            fill(folder)
        self.zfs.snapshot([(ROOT / str(k)).at(label) for k in contents], encode_manifest(told))
        return backup

    def _ensure(self, key: SourceKey) -> None:
        known = {d.name for d in self.zfs.inventory(ROOT)}
        if ROOT / str(key) not in known:
            self.zfs.create(ROOT / str(key), {})

    def shelf(self, *sources: Source) -> Shelf:
        inventory = self.zfs.inventory(ROOT)
        return Shelf(
            inventory=inventory,
            backups=find_backups(inventory, ROOT),
            sources=sources or CONFIGURED,
        )


def nothing(_folder: Path) -> None:
    """An empty source."""


def files(**texts: str) -> Fill:
    """`files(a__b="x")` writes a/b; the time of all of them is one and the same."""

    def fill(folder: Path) -> None:
        for name, text in texts.items():
            path = folder / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            os.utime(path, ns=(10**18, 10**18))

    return fill
