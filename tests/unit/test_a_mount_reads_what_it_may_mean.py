"""Which backup is mounted does not depend on how many manifests were read to know it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import pytest

from tests.unit.test_engine_on_a_simulated_pool import HOURLY, KEYS, ROOT, SESSIONS
from zrep.engine.requests import MountWish, Place, mount_request
from zrep.errors import BackupNotFound
from zrep.model.backup import Manifest, SourceRecord, State, encode_manifest
from zrep.model.inventory import Inventory
from zrep.model.names import BackupId, DatasetName, SnapshotName, make_label
from zrep.model.source import Consistency
from zrep.planner.backups import SPARE, find_backups, labels_meant, resolve
from zrep.planner.simulate.pool import new_pool
from zrep.zfs.fake import FakeZfs

TEXTS = (
    *("latest", "latest~1", "latest~3", "latest~7", "latest~99", "latest~x", "latest~"),
    *("2022", "20220101_12", "20220101_120003", "20220101_120099", "", "x"),
    *("@2022-01-01T12:00:04", "@2021", "@2022-01-02"),
)


class Reading(FakeZfs):
    """Counts the snapshots whose properties were read."""

    def __init__(self) -> None:
        super().__init__(new_pool("backup"))
        self.read = 0

    def inventory(
        self, root: DatasetName, *, snapshots: bool = True, only: Sequence[str] | None = None
    ) -> Inventory:
        found = super().inventory(root, snapshots=snapshots, only=only)
        self.read += 0 if only == () else sum(1 for _ in found.snapshots())
        return found

    def described(self, names: Sequence[SnapshotName]) -> Mapping[SnapshotName, Mapping[str, str]]:
        self.read += len(names)
        return super().described(names)


def pool_with(fates: Sequence[str]) -> Reading:
    """One backup a second, oldest first: whole, partial, torn (a child is gone), or bare."""
    zfs = Reading()
    for name in (ROOT, *(ROOT / k.host for k in KEYS), *(ROOT / str(k) for k in KEYS)):
        zfs.create(name, {})
    for second, fate in enumerate(fates):
        label = make_label(BackupId(f"20220101_1200{second:02d}"), HOURLY)
        told = Manifest(
            set_name="platform",
            state=State.PARTIAL if fate == "partial" else State.COMPLETE,
            consistency=Consistency.NODE,
            sources=tuple(SourceRecord(key=k, ok=k == KEYS[0] or fate != "partial") for k in KEYS),
        )
        there = KEYS if fate == "whole" else KEYS[:1]
        words = {} if fate == "bare" else encode_manifest(told)
        zfs.snapshot([(ROOT / str(k)).at(str(label)) for k in there], words)
    return zfs


def place(zfs: Reading) -> Place:
    return Place(zfs=zfs, root=ROOT, sessions_root=SESSIONS, address=None)


def meant(zfs: Reading, text: str, *sources: str) -> str:
    wish = MountWish(backup=text, owner="me", sources=sources)
    try:
        return str(mount_request(place(zfs), wish).session.backup)
    except BackupNotFound as error:
        return str(error)


def known(zfs: Reading, text: str, *sources: str) -> str:
    having = next((k for k in KEYS if str(k) in sources), None)
    try:
        backups = find_backups(zfs.inventory(ROOT), ROOT)
        return str(resolve(backups, text, having=having).id)
    except BackupNotFound as error:
        return str(error)


@pytest.mark.parametrize("seed", range(6))
def test_the_same_backup_is_meant_as_when_all_manifests_are_read(seed: int) -> None:
    chance = random.Random(seed)
    fates = chance.choices(("whole", "partial", "torn", "bare"), weights=(4, 2, 1, 1), k=14)
    zfs = pool_with(fates)
    for text in TEXTS:
        for sources in ((), ("h1/a",), ("h2/b",)):
            assert meant(zfs, text, *sources) == known(zfs, text, *sources), (fates, text, sources)


def test_of_many_backups_few_manifests_are_read() -> None:
    zfs = pool_with(["whole"] * 40)
    for text, most in (("latest", 1 + SPARE), ("latest~2", 3 + SPARE), ("20220101_120007", 1)):
        zfs.read = 0
        meant(zfs, text)
        assert zfs.read == most * len(KEYS)


def test_when_the_newest_are_all_partial_the_rest_is_read_too() -> None:
    zfs = pool_with(["whole", *["partial"] * 10])
    assert meant(zfs, "latest") == "20220101_120000"


def test_of_a_time_any_may_be_meant() -> None:
    label = make_label(BackupId("20220101_120000"), HOURLY)
    assert labels_meant([label], "@2022-01-01") is None
    assert labels_meant([label], "latest") == frozenset({label})
    assert labels_meant([label], "") == frozenset()
