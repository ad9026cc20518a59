"""What a sync plans does not depend on whether all manifests were read for it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from tests.unit.test_a_mount_reads_what_it_may_mean import Reading, pool_with
from tests.unit.test_engine_on_a_simulated_pool import KEYS, ROOT
from zrep.engine.site import Site
from zrep.engine.sync import SyncPlan, plan_sync
from zrep.engine.transfer import find_guards
from zrep.model.backup import Backup
from zrep.model.key import SourceKey
from zrep.model.names import SnapClass
from zrep.model.policy import Policy
from zrep.model.source import Address, BackupSet, Config, Method, Source, Target
from zrep.model.waiting import GUARD, Waiting, encode_waiting
from zrep.planner.backups import find_backups
from zrep.planner.publish import classes_due
from zrep.zfs.port import Zfs

NOW = datetime(2022, 1, 1, 12, 30, tzinfo=UTC)
POLICY = Policy(name="p", keep={SnapClass.HOURLY: 24, SnapClass.DAILY: 7})
SET = BackupSet(
    name="platform",
    sources=tuple(Source(key=key, method=Method.DIR, path="/data") for key in KEYS),
)
WAITS = Waiting(run="20220101_120000", deletes=7, files=8, size=9)


class PoolSite(Site):
    """A Site of nothing but a target."""

    def __init__(self, zfs: Reading) -> None:
        super().__init__(
            Config(
                target=Target(dataset=ROOT, policy=POLICY),
                hosts={key.host: Address(host=key.host) for key in KEYS},
                sets={SET.name: SET},
                replicas={},
                services={},
            )
        )
        self.zfs = zfs

    @property
    def target(self) -> Zfs:
        return self.zfs


def planned(zfs: Reading) -> SyncPlan:
    return plan_sync(PoolSite(zfs), SET, now=NOW)


def told(backups: Sequence[Backup]) -> list[tuple[str, ...]]:
    """What the sheet and the schedule go by."""
    return [(str(b.label), b.set_name, b.state.value, *map(str, b.keys)) for b in backups]


def listings(zfs: Reading) -> list[bool]:
    """Of each reading whether it was of chosen properties."""
    return [only is not None for only in zfs.asked]


@pytest.mark.parametrize("seed", range(6))
def test_the_plan_is_the_same_as_when_all_manifests_are_read(seed: int) -> None:
    chance = random.Random(seed)
    kinds = ("whole", "partial", "torn", "bare", "old")
    weights = (6, 2, 1, *((1, 1) if seed % 2 else (0, 0)))
    fates = chance.choices(kinds, weights=weights, k=8)
    zfs = pool_with(fates)
    zfs.set_properties([ROOT / str(KEYS[1])], {GUARD: encode_waiting(WAITS)})
    whole = zfs.inventory(ROOT)
    backups = find_backups(whole, ROOT)
    plan = planned(zfs)
    assert told(plan.backups) == told(backups), fates
    assert plan.guards == find_guards(SET, ROOT, whole, backups), fates
    assert plan.guards.waiting == {KEYS[1]: WAITS}
    due = classes_due(POLICY, backups, SET.name, now=int(NOW.timestamp()))
    assert set(plan.label.classes) == due
    assert plan.create == ()


@pytest.mark.parametrize(
    ("fates", "asked"),
    [
        (["whole"] * 5, [True]),
        (["whole", "partial", "torn"], [True]),
        (["whole", "bare"], [True, False]),
        (["old", "whole"], [True, False]),
        ([], [True, False]),
    ],
)
def test_everything_is_read_only_when_short_properties_say_too_little(
    fates: list[str], asked: list[bool]
) -> None:
    zfs = pool_with(fates)
    planned(zfs)
    assert listings(zfs) == asked


def test_the_newest_snapshot_there_is_of_a_source_tells_how_much_it_had() -> None:
    """Nothing is compared with what was destroyed by hand."""
    zfs = pool_with(["whole", "whole", "partial", "torn", "partial"])
    files = {key: record.files for key, record in planned(zfs).guards.last.items()}
    assert files == {KEYS[0]: 4, KEYS[1]: 1}


@pytest.mark.parametrize("fates", [[], ["whole"]])
def test_what_is_missing_here_is_made(fates: list[str]) -> None:
    more = Source(key=SourceKey("h3", "c"), method=Method.DIR, path="/more")
    bigger = BackupSet(name=SET.name, sources=(*SET.sources, more))
    plan = plan_sync(PoolSite(pool_with(fates)), bigger, now=NOW)
    assert plan.create == (ROOT / "h3", ROOT / "h3/c")
