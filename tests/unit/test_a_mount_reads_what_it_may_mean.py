"""Which backup is mounted does not depend on whether manifests were read to know it."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from tests.unit.test_engine_on_a_simulated_pool import HOURLY, KEYS, ROOT, SESSIONS
from zrep.engine.requests import MountWish, Place, mount_request
from zrep.errors import BackupNotFound
from zrep.model.backup import (
    CAPTURED,
    GLANCE,
    MAX_CAPTURED,
    Manifest,
    SourceRecord,
    State,
    encode_manifest,
)
from zrep.model.inventory import Inventory
from zrep.model.key import SourceKey
from zrep.model.names import BackupId, DatasetName, make_label
from zrep.model.source import Consistency
from zrep.planner.backups import find_backups, resolve
from zrep.planner.simulate.pool import new_pool
from zrep.zfs.fake import FakeZfs

TEXTS = (
    *("latest", "latest~1", "latest~3", "latest~7", "latest~99", "latest~x", "latest~"),
    *("2022", "20220101_12", "20220101_120003", "20220101_120099", "", "x"),
    *("@2022-01-01T12:00:04", "@2021", "@2022-01-02"),
)


class Reading(FakeZfs):
    """Notes which properties were read."""

    def __init__(self) -> None:
        super().__init__(new_pool("backup"))
        self.asked: list[Sequence[str] | None] = []

    def inventory(
        self, root: DatasetName, *, snapshots: bool = True, only: Sequence[str] | None = None
    ) -> Inventory:
        self.asked.append(only)
        return super().inventory(root, snapshots=snapshots, only=only)


def pool_with(fates: Sequence[str]) -> Reading:
    """One backup a second, oldest first: whole, partial, torn (a child is gone), bare, or old: of
    a zrep that did not say in one property what it captured."""
    zfs = Reading()
    for name in (ROOT, *(ROOT / k.host for k in KEYS), *(ROOT / str(k) for k in KEYS)):
        zfs.create(name, {})
    for second, fate in enumerate(fates):
        label = make_label(BackupId(f"20220101_1200{second:02d}"), HOURLY)
        told = Manifest(
            set_name="platform",
            state=State.PARTIAL if fate == "partial" else State.COMPLETE,
            consistency=Consistency.NODE,
            sources=tuple(
                SourceRecord(key=k, ok=k == KEYS[0] or fate != "partial", files=second)
                for k in KEYS
            ),
        )
        there = KEYS if fate in ("whole", "old") else KEYS[:1]
        words = {} if fate == "bare" else encode_manifest(told)
        if fate == "old":
            del words[CAPTURED]
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


@pytest.mark.parametrize("seed", range(4))
def test_the_same_backup_is_meant_as_when_all_manifests_are_read(seed: int) -> None:
    chance = random.Random(seed)
    kinds = ("whole", "partial", "torn", "bare", "old")
    fates = chance.choices(kinds, weights=(5, 2, 1, chance.choice((0, 1)), 1), k=10)
    zfs = pool_with(fates)
    for text in TEXTS:
        for sources in ((), ("h1/a",), ("h2/b",)):
            assert meant(zfs, text, *sources) == known(zfs, text, *sources), (fates, text, sources)


@pytest.mark.parametrize(
    ("fates", "text", "asked"),
    [
        (["whole"] * 9, "latest", [GLANCE]),
        (["bare", "old", *["whole"] * 3, "partial", "torn"], "latest~2", [GLANCE]),
        (["old", "whole"], "@2022-01-01T12:00:01", [GLANCE]),
        (["old", "whole"], "20220101_120001", [GLANCE]),
        (["old", "whole"], "latest~1", [GLANCE, None]),
        (["whole", "bare"], "latest", [GLANCE, None]),
        (["whole", "old"], "20220101_120000", [GLANCE, None]),
        (["whole"], "latest~1", [GLANCE, None]),
    ],
)
def test_manifests_are_read_only_when_a_glance_leaves_open_what_a_backup_is(
    fates: list[str], text: str, asked: list[tuple[str, ...] | None]
) -> None:
    zfs = pool_with(fates)
    meant(zfs, text)
    assert zfs.asked == asked


def test_a_glance_is_short_whatever_the_number_of_sources() -> None:
    """What does not fit into one property is left out, and then the manifest is read."""
    many = [SourceRecord(key=SourceKey(f"host-{n}", "data"), ok=True) for n in range(1000)]
    told = {
        n: encode_manifest(
            Manifest(
                set_name="platform",
                state=State.COMPLETE,
                consistency=Consistency.NODE,
                sources=tuple(many[:n]),
            )
        ).get(CAPTURED)
        for n in (2, 1000)
    }
    assert told == {2: "host-0/data host-1/data", 1000: None}
    assert len(" ".join(str(r.key) for r in many)) > MAX_CAPTURED
