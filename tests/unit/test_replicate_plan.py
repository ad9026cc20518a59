"""What a replica needs is decided by guid, never forces, and carries only our snapshots."""

from __future__ import annotations

from itertools import product

import pytest

from tests.unit.histories import history, snap_name, tree
from tests.unit.rows import of_each
from zrep.model.inventory import Dataset
from zrep.model.names import DatasetName
from zrep.model.plan import Diverged, Follow, ReplicaStep, UpToDate
from zrep.planner.replicate import plan_replica

ROOT, TO = DatasetName("backup/current"), DatasetName("tank/copy")
SOURCE, COPY = "backup/current/h/s", "tank/copy/h/s"


def plan(source: str, replica: str | None, *, token: str | None = None) -> ReplicaStep:
    there: list[Dataset | str] = []
    if replica is not None:
        there = ["tank/copy/h", history(COPY, replica, token=token)]
    steps = plan_replica(
        tree("backup/current", history(SOURCE, source)), tree("tank/copy", *there), root=ROOT, to=TO
    )
    assert len(steps) == 1
    return steps[0]


def drawn(step: ReplicaStep) -> str:
    """`full 1; -I @1 2 3; -i #3 4`: the streams with their guids."""
    assert isinstance(step, Follow)
    return "; ".join(
        " ".join(
            [_flag(t.spec.base, many=t.spec.intermediates), *(str(s.guid) for s in t.snapshots)]
        )
        for t in step.transfers
    )


def _flag(base: str | None, *, many: bool) -> str:
    if base is None:
        return "full"
    owned = base[1:].startswith("zrep_")
    number = int(base.split("_")[2] if owned else base.split("-")[1])
    sign = base[0] if owned else "~"
    return f"{'-I' if many else '-i'} {sign}{number}"


@of_each(
    [
        ("@1", None, "full 1"),
        ("@1 @2 @3", None, "full 1; -I @1 2 3"),
        ("@1 @2 @3", "@1", "-I @1 2 3"),
        ("@1 @2", "@1", "-i @1 2"),
        ("@1 ~2 @3", "@1", "-i @1 3"),
        ("@1 @2 ~3 @4 @5", "@1", "-i @1 2; -i @2 4; -i @4 5"),
        ("#1 @2 @3", "@1", "-i #1 2; -i @2 3"),
        ("#1 @1 @2", "@1", "-i @1 2"),
        ("@1 ~2 @3 @4", "@1 ~2", "-I ~2 3 4"),
        ("~1 @2", None, "full 2"),
    ]
)
def test_streams_carry_what_is_missing_from_the_newest_common_base(
    row: tuple[str, str | None, str],
) -> None:
    source, replica, streams = row
    assert drawn(plan(source, replica)) == streams


@pytest.mark.parametrize(
    ("source", "replica"),
    [
        ("@1", ""),
        ("@1 @2", "@7"),
        ("@1 @2", "@1 ~9"),
        ("@3", "@1 @2"),
    ],
)
def test_histories_that_do_not_fit_are_a_conflict_with_evidence(source: str, replica: str) -> None:
    step = plan(source, replica)
    assert isinstance(step, Diverged)
    assert COPY in step.evidence or SOURCE in step.evidence


def test_a_replica_that_has_the_newest_needs_nothing() -> None:
    assert isinstance(plan("@1 @2", "@1 @2"), UpToDate)


def test_a_replica_that_kept_what_the_source_pruned_still_follows() -> None:
    assert drawn(plan("@3 @4", "@1 @2 @3")) == "-i @3 4"


def test_a_partial_receive_is_resumed_before_anything_else() -> None:
    step = plan("@1 @2", "", token="1-abc")
    assert isinstance(step, Follow)
    assert step.transfers[0].spec.token == "1-abc"


def test_missing_parents_are_made_once_and_parents_come_first() -> None:
    source = tree(
        "backup/current",
        history("backup/current/h/a", "@1"),
        history("backup/current/h/b", "@1"),
    )
    steps = plan_replica(source, tree("tank/copy"), root=ROOT, to=TO)
    parents = [p for s in steps if isinstance(s, Follow) for p in s.parents]
    assert parents == [DatasetName("tank/copy/h")]


def test_datasets_without_our_snapshots_are_left_alone() -> None:
    steps = plan_replica(
        tree("backup/current", history(SOURCE, "~1 ~2")), tree("tank/copy"), root=ROOT, to=TO
    )
    assert steps == ()


def _subsets(numbers: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [
        tuple(n for n, keep in zip(numbers, mask, strict=True) if keep)
        for mask in product((False, True), repeat=len(numbers))
    ]


def test_every_small_pair_of_histories_ends_in_sync_or_in_a_conflict() -> None:
    """All subsets of five snapshots on either side: applying the streams gives the newest."""
    for ours, theirs in product(_subsets((1, 2, 3, 4, 5)), repeat=2):
        if not ours:
            continue
        step = plan(" ".join(f"@{n}" for n in ours), " ".join(f"@{n}" for n in theirs))
        common = set(ours) & set(theirs)
        if not theirs or not common or max(theirs) > max(common):
            assert isinstance(step, Diverged), (ours, theirs)
        elif max(ours) == max(common):
            assert isinstance(step, UpToDate), (ours, theirs)
        else:
            assert _applied(step, set(theirs)) >= {n for n in ours if n > max(common)}


def _applied(step: ReplicaStep, have: set[int]) -> set[int]:
    assert isinstance(step, Follow)
    for transfer in step.transfers:
        base = transfer.spec.base
        assert base is not None
        assert base[1:] == snap_name(max(have)), "an increment must start at the replica's newest"
        have |= {int(s.guid) for s in transfer.snapshots}
    return have
