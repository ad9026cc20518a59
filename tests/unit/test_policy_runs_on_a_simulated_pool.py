"""Taking and pruning plain datasets, played on a simulated pool that behaves as a real one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from zrep.config.sections import read_ini
from zrep.engine.destroy import confirm
from zrep.engine.expire import expire, observe_expiry
from zrep.engine.pools import Pools, common_roots
from zrep.engine.progress import Silent
from zrep.engine.take import observe_take, take
from zrep.engine.undelete import KEEP_TAG, Tree, undelete
from zrep.errors import Conflict, InvariantBroken, PoolFull, Refused, UnknownName
from zrep.host.local import LocalHost
from zrep.model.housekeeping import Brake, Housekeeping, doomed_since
from zrep.model.names import DatasetName, SnapshotName
from zrep.model.pool_view import PoolView
from zrep.planner.effective import Effective, resolve
from zrep.planner.expire import check_expiry
from zrep.planner.simulate.pool import new_pool
from zrep.zfs.fake import FakeZfs

HOUR = 3600
DATASETS = ("tank/a", "tank/a/x", "tank/b")
HOURLY = "hourly = 2\ndaily = 0\nmonthly = 0\n"


class Counting(FakeZfs):
    """Counts the calls that change something; a dataset in `full` takes no snapshot."""

    def __init__(self) -> None:
        super().__init__(new_pool("tank"))
        self.calls: list[str] = []
        for name in DATASETS:
            self.create(DatasetName(name), {})

    def snapshot(self, names: Sequence[SnapshotName], properties: Mapping[str, str]) -> None:
        self.calls.append(f"snapshot {len(names)}")
        super().snapshot(names, properties)

    def destroy_snapshots(self, names: Sequence[SnapshotName]) -> dict[SnapshotName, str]:
        self.calls.append(f"destroy {len(names)}")
        return dict(super().destroy_snapshots(names))


def pools(
    zfs: FakeZfs, folder: Path, text: str, *, grace: int = 0, brake: Brake | None = None
) -> Pools:
    sections = read_ini(text, "sanoid.conf")
    assert sections.problems == ()

    def settings(view: PoolView) -> Sequence[Effective]:
        found = resolve(sections.sections, view.children)
        assert found.refused == ()
        return found.effective

    return Pools(
        zfs=zfs,
        host=LocalHost(),
        paths=sections.paths,
        settings=settings,
        keeping=Housekeeping(
            state_dir=str(folder), run_dir=str(folder), grace=grace, brake=brake or Brake()
        ),
    )


def names(zfs: FakeZfs) -> list[str]:
    return [str(s.name) for s in zfs.inventory(DatasetName("tank")).snapshots()]


def hourlies(zfs: FakeZfs, dataset: str, ages: Iterable[int]) -> None:
    """Snapshots so many hours old, counted from now."""
    now = int(time.time())
    for age in sorted(ages, reverse=True):
        zfs.pool = zfs.pool.at(now - age * HOUR - 60)
        zfs.snapshot([SnapshotName.parse(f"{dataset}@autosnap_{age:02d}_hourly")], {})
    zfs.pool = zfs.pool.at(now)
    if isinstance(zfs, Counting):
        zfs.calls.clear()


def ages(zfs: FakeZfs, dataset: str) -> list[str]:
    return [n.split("_")[1] for n in names(zfs) if n.startswith(f"{dataset}@")]


def test_all_datasets_due_are_one_transaction_group_for_each_class(tmp_path: Path) -> None:
    zfs, both = Counting(), HOURLY.replace("daily = 0", "daily = 1")
    done = take(pools(zfs, tmp_path, "[tank]\nrecursive = yes\n" + both), Silent())
    assert zfs.calls == ["snapshot 4", "snapshot 4"]
    assert done.failed == {}
    assert len(done.taken) == 8
    snapshots = list(zfs.inventory(DatasetName("tank")).snapshots())
    groups = {s.name.snap.rpartition("_")[2]: set[int]() for s in snapshots}
    for snapshot in snapshots:
        groups[snapshot.name.snap.rpartition("_")[2]].add(snapshot.createtxg)
    assert {k: len(v) for k, v in groups.items()} == {"hourly": 1, "daily": 1}


def test_what_was_taken_is_not_due_again(tmp_path: Path) -> None:
    zfs = Counting()
    mine = pools(zfs, tmp_path, f"[tank/a]\n{HOURLY}")
    zfs.pool = zfs.pool.at(int(time.time()))
    take(mine, Silent())
    assert observe_take(mine, int(time.time())).orders == ()
    assert take(mine, Silent()).taken == ()


def test_recursive_zfs_takes_the_children_with_the_same_name(tmp_path: Path) -> None:
    zfs = Counting()
    take(pools(zfs, tmp_path, f"[tank/a]\nrecursive = zfs\n{HOURLY}"), Silent())
    assert zfs.calls == ["snapshot 2"]
    parent, child = names(zfs)
    assert parent.partition("@")[2] == child.partition("@")[2]


def test_one_dataset_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    zfs = Counting()
    mine = pools(zfs, tmp_path, f"[tank/a]\n{HOURLY}[tank/b]\n{HOURLY}")
    zfs.snapshot = _failing_for(zfs, "tank/a")  # type: ignore[method-assign]
    done = take(mine, Silent())
    assert [str(n.dataset) for n in done.taken] == ["tank/b"]
    assert list(done.failed) == ["tank/a"]


def _failing_for(zfs: Counting, dataset: str) -> Callable[..., None]:
    def snapshot(wanted: Sequence[SnapshotName], properties: Mapping[str, str]) -> None:
        if any(str(n.dataset) == dataset for n in wanted):
            raise PoolFull(f"cannot snapshot {dataset}", why="out of space")
        Counting.snapshot(zfs, wanted, properties)

    return snapshot


def test_prune_destroys_what_age_and_count_let_go_in_one_call(tmp_path: Path) -> None:
    zfs = Counting()
    hourlies(zfs, "tank/a", range(6))
    hourlies(zfs, "tank/b", range(4))
    done = expire(pools(zfs, tmp_path, f"[tank/a]\n{HOURLY}[tank/b]\n{HOURLY}"), Silent())
    assert zfs.calls == ["destroy 6"]
    assert ages(zfs, "tank/a") == ages(zfs, "tank/b") == ["01", "00"]
    assert len(done.outcome.destroyed) == 6


def test_a_held_snapshot_is_not_tried_and_counts_among_those_that_stay(tmp_path: Path) -> None:
    zfs = Counting()
    hourlies(zfs, "tank/a", range(5))
    zfs.hold([SnapshotName.parse("tank/a@autosnap_04_hourly")], "mine")
    done = expire(pools(zfs, tmp_path, f"[tank/a]\n{HOURLY}"), Silent())
    assert ages(zfs, "tank/a") == ["04", "01", "00"]
    assert done.outcome.failed == {}
    assert [str(s.name) for s in done.plan.stuck] == ["tank/a@autosnap_04_hourly"]


@pytest.mark.parametrize("brake", [Brake(count=3), Brake(percent=60)])
def test_the_brake_refuses_before_anything_is_destroyed(tmp_path: Path, brake: Brake) -> None:
    zfs = Counting()
    hourlies(zfs, "tank/a", range(6))
    with pytest.raises(Refused, match="4 of 6"):
        expire(pools(zfs, tmp_path, f"[tank/a]\n{HOURLY}", brake=brake), Silent())
    assert zfs.calls == []
    enough = Brake(count=4, percent=67)
    expire(pools(zfs, tmp_path, f"[tank/a]\n{HOURLY}", brake=enough), Silent())
    assert zfs.calls == ["destroy 4"]


def test_a_clock_behind_the_newest_snapshot_destroys_nothing(tmp_path: Path) -> None:
    zfs = Counting()
    hourlies(zfs, "tank/a", range(6))
    zfs.pool = zfs.pool.at(int(time.time()) + 10 * HOUR)
    zfs.snapshot([SnapshotName.parse("tank/a@autosnap_new_hourly")], {})
    with pytest.raises(Refused, match="clock"):
        expire(pools(zfs, tmp_path, f"[tank/a]\n{HOURLY}"), Silent())
    assert len(ages(zfs, "tank/a")) == 7


def marks(zfs: FakeZfs) -> dict[str, int]:
    found = zfs.inventory(DatasetName("tank")).snapshots()
    return {s.name.snap: t for s in found if (t := doomed_since(s.properties)) is not None}


def test_with_a_grace_period_snapshots_are_marked_and_only_later_destroyed(tmp_path: Path) -> None:
    zfs = Counting()
    hourlies(zfs, "tank/a", range(4))
    mine = pools(zfs, tmp_path, f"[tank/a]\n{HOURLY}", grace=HOUR)
    first = expire(mine, Silent())
    assert first.outcome.destroyed == ()
    assert set(marks(zfs)) == {"autosnap_02_hourly", "autosnap_03_hourly"}
    assert expire(mine, Silent()).outcome == replace(first.outcome, marked=())
    zfs.set_properties([first.outcome.marked[0]], {"io.zrep:doomed": str(int(time.time()) - HOUR)})
    assert [n.snap for n in expire(mine, Silent()).outcome.destroyed] == ["autosnap_03_hourly"]
    assert ages(zfs, "tank/a") == ["02", "01", "00"]


def test_a_policy_that_wants_a_marked_snapshot_again_takes_the_mark_off(tmp_path: Path) -> None:
    zfs = Counting()
    hourlies(zfs, "tank/a", range(4))
    expire(pools(zfs, tmp_path, f"[tank/a]\n{HOURLY}", grace=HOUR), Silent())
    longer = HOURLY.replace("2", "9")
    done = expire(pools(zfs, tmp_path, f"[tank/a]\n{longer}", grace=HOUR), Silent())
    assert len(done.outcome.spared) == 2
    assert marks(zfs) == {}


def test_undelete_takes_the_mark_off_and_may_keep_for_good(tmp_path: Path) -> None:
    zfs = Counting()
    hourlies(zfs, "tank/a", range(4))
    mine = pools(zfs, tmp_path, f"[tank/a]\n{HOURLY}", grace=HOUR)
    expire(mine, Silent())

    def tree() -> list[Tree]:
        return [Tree(zfs=zfs, inventory=mine.inventory())]

    undelete(tree(), ["tank/a@autosnap_02_hourly"], keep=True)
    assert set(marks(zfs)) == {"autosnap_03_hourly"}
    kept = SnapshotName.parse("tank/a@autosnap_02_hourly")
    assert zfs.holds([kept])[kept] == {KEEP_TAG}
    assert "autosnap_02_hourly" not in {n.snap for n in expire(mine, Silent()).outcome.marked}
    with pytest.raises(UnknownName, match="autosnap_02"):
        undelete(tree(), ["tank/a@autosnap_02_hourly"], keep=False)


def test_a_snapshot_that_was_held_after_the_plan_is_a_conflict(tmp_path: Path) -> None:
    zfs = Counting()
    hourlies(zfs, "tank/a", range(4))
    mine = pools(zfs, tmp_path, f"[tank/a]\n{HOURLY}")
    seen = list(mine.inventory().snapshots())
    zfs.hold([SnapshotName.parse("tank/a@autosnap_03_hourly")], "mine")
    with pytest.raises(Conflict, match="autosnap_03"):
        confirm(zfs.look([s.name for s in seen]), seen)


def test_the_second_pair_of_eyes_sees_a_class_that_would_become_too_small(tmp_path: Path) -> None:
    zfs = Counting()
    hourlies(zfs, "tank/a", range(4))
    plan = observe_expiry(pools(zfs, tmp_path, f"[tank/a]\n{HOURLY}"), int(time.time()))
    check_expiry(plan)
    more = replace(plan, phases=replace(plan.phases, destroy=plan.owned[:3]))
    with pytest.raises(InvariantBroken, match="1 hourly"):
        check_expiry(more)
    foreign = replace(plan.owned[0], name=SnapshotName.parse("tank/a@mine"))
    with pytest.raises(InvariantBroken, match="not ours"):
        check_expiry(replace(plan, phases=replace(plan.phases, destroy=(foreign,))))


def test_a_pool_is_read_from_the_one_dataset_above_all_that_sections_name() -> None:
    assert list(map(str, common_roots(["tank/a/x", "data", "tank/a/y"]))) == ["data", "tank/a"]
    assert list(map(str, common_roots(["tank/a/x", "tank/ab"]))) == ["tank"]
    assert list(map(str, common_roots(["tank/a", "tank/a/x"]))) == ["tank/a"]


def test_a_missing_dataset_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    zfs = Counting()
    done = take(pools(zfs, tmp_path, f"[tank/none]\n{HOURLY}[other/x]\n{HOURLY}"), Silent())
    assert done.taken == ()
    assert set(done.failed) == {"tank/none", "other/x"}
    done = take(pools(zfs, tmp_path, f"[tank/none]\n{HOURLY}[tank/b]\n{HOURLY}"), Silent())
    assert set(done.failed) == {"tank/none"}
    assert [str(n.dataset) for n in done.taken] == ["tank/b"]
