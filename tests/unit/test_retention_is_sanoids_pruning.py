"""Retention keeps what sanoid keeps, lets one class speak for a snapshot, and gives reasons."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.rows import of_each
from tests.unit.sanoid_vectors import Run, runs
from zrep.model.autosnap import autosnap_class
from zrep.model.names import SnapClass
from zrep.model.policy import SCHEDULED, Policy
from zrep.planner.retention import Aged, Keep, Release, deferred, judge

NOW = 1_714_559_400
HOUR = 3600
DAY = 86_400
YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, FREQUENTLY, MANUAL = SnapClass

# Counts of minus one and a half, and a prune_defer of 101, are no policy here.
REFUSED = {"P12", "P13d", "S18", "E6"}
PRUNING = [r for r in runs("P", "X", "S") if r.prunes and not r.died and r.id not in REFUSED]


def aged(run: Run) -> list[Aged]:
    return [Aged(n, c, (k,)) for n, c in run.snapshots if (k := autosnap_class(n))]


def gone(snapshots: Sequence[Aged], policy: Policy, now: int = NOW) -> list[str]:
    verdicts = judge(snapshots, policy, now)
    return [snapshots[p].name for p in verdicts.released()]


def hourlies(*hours: float) -> list[Aged]:
    """Hourly snapshots of these ages, named by them."""
    return [Aged(str(h), int(NOW - h * HOUR), (HOURLY,)) for h in hours]


def keeping(**keep: int) -> Policy:
    return Policy(name="t", keep={SnapClass(k): v for k, v in keep.items()})


@of_each(PRUNING, name=lambda r: r.id)
def test_recorded_sanoid_runs_pruned_the_same_snapshots_in_the_same_order(run: Run) -> None:
    policy = run.policy()
    pruned = [] if deferred(policy, run.capacity) else gone(aged(run), policy, run.now)
    assert tuple(pruned) == run.pruned


@pytest.mark.parametrize(
    ("policy", "snapshots", "expected"),
    [
        pytest.param(keeping(hourly=3), hourlies(4.5, 3.5, 2.5, 1.5, 0.5), ["4.5", "3.5"], id="P1"),
        pytest.param(keeping(hourly=3), hourlies(104.5, 103.5, 102.5), [], id="P2"),
        pytest.param(
            keeping(hourly=3),
            [Aged("old", NOW - 3 * HOUR - 1, (HOURLY,)), *hourlies(1, 0.9, 0.8)],
            ["old"],
            id="P4b",
        ),
        pytest.param(
            keeping(hourly=0),
            [Aged("hour", NOW - HOUR, (HOURLY,)), Aged("second", NOW - 1, (HOURLY,))],
            ["hour", "second"],
            id="P5",
        ),
        pytest.param(keeping(hourly=0), hourlies(0), [], id="P5b"),
        pytest.param(
            keeping(frequently=4),
            [Aged(str(s), NOW - s, (FREQUENTLY,)) for s in (3601, 3600, 2700, 1800, 900, 1)],
            ["3601"],
            id="P8",
        ),
    ],
)
def test_rows_of_the_pruning_table_hold(
    policy: Policy, snapshots: list[Aged], expected: list[str]
) -> None:
    assert gone(snapshots, policy) == expected


def test_one_class_keeps_a_snapshot_that_another_lets_go() -> None:
    both = Aged("both", NOW - 20 * HOUR, (DAILY, HOURLY))
    snapshots = [both, *hourlies(5, 2, 1)]
    policy = keeping(daily=1, hourly=2)
    assert gone(snapshots, policy) == ["5"]
    assert judge(snapshots, policy, NOW)[0].reasons == (
        Keep(snap_class=DAILY, index=1, count=1, until=both.creation + DAY, young=True),
        Release(snap_class=HOURLY, index=4, count=2, since=both.creation + 2 * HOUR),
    )


def test_a_snapshot_goes_when_all_its_classes_let_it_go() -> None:
    snapshots = [
        Aged("a", NOW - 3 * DAY, (DAILY, HOURLY)),
        Aged("b", NOW - 2 * DAY, (DAILY, HOURLY)),
        Aged("c", NOW - HOUR, (DAILY, HOURLY)),
    ]
    assert gone(snapshots, keeping(daily=1, hourly=1)) == ["a", "b"]
    assert gone(snapshots, keeping(daily=2, hourly=1)) == ["a"]
    assert gone(snapshots, keeping(daily=0, hourly=0)) == ["a", "b", "c"]


def test_a_snapshot_kept_by_another_class_does_not_push_out_younger_ones() -> None:
    """The yearly one is the third hourly, and stays; it does not cost the second its place."""
    snapshots = [Aged("y", NOW - 90 * HOUR, (YEARLY, HOURLY)), *hourlies(80, 70)]
    assert gone(snapshots, keeping(yearly=1, hourly=2)) == []


def test_manual_snapshots_stay_for_ever_or_as_many_as_counted() -> None:
    snapshots = [Aged(n, NOW - 9 * 365 * DAY + i, (MANUAL,)) for i, n in enumerate("abc")]
    assert gone(snapshots, keeping(daily=1)) == []
    assert judge(snapshots, keeping(daily=1), NOW)[0].reasons == (
        Keep(snap_class=MANUAL, index=3, count=None, until=None, young=False),
    )
    assert gone(snapshots, keeping(manual=2)) == ["a"]
    assert judge(snapshots, keeping(manual=2), NOW)[0].reasons == (
        Release(snap_class=MANUAL, index=3, count=2, since=None),
    )


def test_snapshots_without_a_class_are_kept_and_not_counted() -> None:
    snapshots = [Aged("foreign", 0, ()), *hourlies(9, 8)]
    verdicts = judge(snapshots, keeping(hourly=1), NOW)
    assert (verdicts[0].keep, verdicts[0].reasons) == (True, ())
    assert gone(snapshots, keeping(hourly=1)) == ["9"]


def test_a_policy_that_does_not_prune_keeps_everything() -> None:
    policy = Policy(name="t", keep={}, autoprune=False)
    assert gone(hourlies(999, 998), policy) == []
    assert all(v.keep for v in judge(hourlies(999, 998), policy, NOW))


@pytest.mark.parametrize(
    ("age", "young", "among_newest"),
    [(0.5, True, True), (1.5, True, False), (2.5, False, False)],
)
def test_reasons_say_whether_age_or_number_keeps_it(
    age: float, young: bool, among_newest: bool
) -> None:
    """hourly=2 with three younger than the one in question, or none."""
    younger = [] if among_newest else hourlies(0.3, 0.2, 0.1)
    policy = keeping(hourly=2)
    reason = judge([*hourlies(age), *younger], policy, NOW)[0].reasons[0]
    if isinstance(reason, Keep):
        assert (reason.young, reason.among_newest) == (young, among_newest)
    else:
        assert (young, among_newest) == (False, False)
        assert reason.since == NOW - 0.5 * HOUR


def test_equal_creations_go_in_the_order_given() -> None:
    snapshots = [Aged(n, NOW - 9 * HOUR, (HOURLY,)) for n in "zya"]
    assert gone(snapshots, keeping(hourly=1)) == ["z", "y"]


AGES = st.integers(0, 40 * DAY)
LABELS = st.sets(st.sampled_from(SCHEDULED), min_size=1, max_size=3).map(
    lambda found: tuple(c for c in SnapClass if c in found)
)
SNAPSHOTS = st.lists(st.tuples(AGES, LABELS), max_size=25).map(
    lambda drawn: [Aged(f"s{i}", NOW - age, label) for i, (age, label) in enumerate(drawn)]
)
KEEPS = st.fixed_dictionaries({c: st.integers(0, 5) for c in SCHEDULED})


def sanoid_prunes(creations: list[int], keep: int, period: int) -> list[int]:
    """The rule as written down: oldest first, destroy while too old and too many."""
    left = len(creations)
    destroyed = []
    for creation in sorted(creations):
        if creation < NOW - keep * period and left > keep:
            destroyed.append(creation)
            left -= 1
    return destroyed


@settings(max_examples=80, deadline=None)
@given(ages=st.lists(AGES, max_size=20), keep=st.integers(0, 6), cls=st.sampled_from(SCHEDULED))
def test_single_classes_follow_the_rule_as_written(
    ages: list[int], keep: int, cls: SnapClass
) -> None:
    policy = Policy(name="t", keep={cls: keep})
    snapshots = [Aged(f"s{i}", NOW - age, (cls,)) for i, age in enumerate(ages)]
    released = [snapshots[p].creation for p in judge(snapshots, policy, NOW).released()]
    assert released == sanoid_prunes([s.creation for s in snapshots], keep, policy.period(cls))


@settings(max_examples=80, deadline=None)
@given(snapshots=SNAPSHOTS, keep=KEEPS)
def test_verdicts_agree_with_their_reasons_and_with_what_is_released(
    snapshots: list[Aged], keep: dict[SnapClass, int]
) -> None:
    verdicts = judge(snapshots, Policy(name="t", keep=keep), NOW)
    released = {snapshots[p].name for p in verdicts.released()}
    for snapshot, verdict in zip(snapshots, verdicts, strict=True):
        assert verdict.name == snapshot.name
        assert verdict.keep is any(isinstance(r, Keep) for r in verdict.reasons)
        assert verdict.keep is (snapshot.name not in released)
        assert tuple(r.snap_class for r in verdict.reasons) == snapshot.classes


@settings(max_examples=60, deadline=None)
@given(snapshots=SNAPSHOTS, keep=KEEPS)
def test_pruning_twice_changes_nothing_and_the_newest_of_each_counted_class_stays(
    snapshots: list[Aged], keep: dict[SnapClass, int]
) -> None:
    policy = Policy(name="t", keep=keep)
    released = set(gone(snapshots, policy))
    left = [s for s in snapshots if s.name not in released]
    assert gone(left, policy) == []
    for cls in SCHEDULED:
        newest = max((s.creation for s in snapshots if cls in s.classes), default=None)
        if keep[cls] and newest is not None:
            assert newest in {s.creation for s in left if cls in s.classes}
