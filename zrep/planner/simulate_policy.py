"""What the dataset sections want done with a pool at one moment: snapshots to take and to destroy.

A plan from values: the settings in force, the pool, and the time. Only snapshots with sanoid's
names count, and only they are ever destroyed; what is held stays and counts among those that stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime

from zrep.frozen import dataclass
from zrep.model.autosnap import autosnap_class, autosnap_name
from zrep.model.names import SnapClass, in_name_order
from zrep.model.policy import Policy
from zrep.model.pool_view import PoolView, Taken
from zrep.planner.due import due
from zrep.planner.effective import Effective
from zrep.planner.retention import Aged, Verdicts, deferred, judge
from zrep.planner.section_policy import policies


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One `zfs snapshot`; `recursive` makes the same of all children in one transaction."""

    dataset: str
    snap: str
    recursive: bool = False

    def __str__(self) -> str:
        return f"{self.dataset}@{self.snap}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPlan:
    """Snapshots to take, by name, and to destroy, in order; `errors` are why there are none."""

    take: tuple[Take, ...] = ()
    prune: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetPlan:
    """One dataset: what is due, and the verdict on each of its own snapshots, oldest first.

    `waits` says that nothing is destroyed for now, for the pool has room enough.
    """

    effective: Effective
    policy: Policy
    due: frozenset[SnapClass]
    verdicts: Verdicts = field(hash=False)
    waits: bool = False

    @property
    def released(self) -> list[str]:
        """Names after the `@`, in sanoid's order: by class, oldest first."""
        if self.waits:
            return []
        return [self.verdicts.name_of(position) for position in self.verdicts.released()]


def plan_policies(
    effective: Sequence[Effective], pool: PoolView, now: int, timezone: str | None = None
) -> PolicyPlan:
    """All datasets at `now` (epoch seconds); of snapshots to destroy, datasets in name order.

    Without `timezone`, times of day are UTC or what a policy says. Names are always in UTC, so
    that none comes twice when the clocks go back.
    """
    plans = plan_datasets(effective, pool, now, timezone)
    moment = datetime.fromtimestamp(now, UTC)
    take = {
        str(one): one
        for plan in plans
        for snap_class in in_name_order(plan.due)
        for one in [_take(plan.effective, autosnap_name(moment, snap_class))]
    }
    # Of a dataset with two sections the names would come twice.
    prune = {
        f"{plan.effective.path}@{snap}": None
        for plan in sorted(plans, key=lambda p: p.effective.path)
        for snap in plan.released
    }
    return PolicyPlan(take=tuple(take[name] for name in sorted(take)), prune=tuple(prune))


def plan_datasets(
    effective: Sequence[Effective], pool: PoolView, now: int, timezone: str | None = None
) -> list[DatasetPlan]:
    """What becomes of each dataset that takes or prunes, in the order of `effective`."""
    policy_for = policies(timezone)
    return [
        plan_dataset(one, policy_for(one), pool, now)
        for one in effective
        if one.takes or one.prunes
    ]


def plan_dataset(effective: Effective, policy: Policy, pool: PoolView, now: int) -> DatasetPlan:
    """The plan for one dataset; a snapshot due is not counted before it is there."""
    aged = own_snapshots(pool.snapshots.get(effective.path, ()))
    newest = newest_of_each(aged)
    pinned = [i for i, one in enumerate(aged) if f"{effective.path}@{one.name}" in pool.held]
    return DatasetPlan(
        effective=effective,
        policy=policy,
        due=due(policy, newest, now),
        verdicts=judge(aged, policy, now, pinned=frozenset(pinned)),
        waits=deferred(policy, pool.capacity_of(effective.path)),
    )


def own_snapshots(taken: Sequence[Taken]) -> list[Aged]:
    """Those with sanoid's names, in the order given."""
    return [
        Aged(snap, creation, (found,))
        for snap, creation in taken
        if (found := autosnap_class(snap))
    ]


def newest_of_each(aged: Sequence[Aged]) -> Mapping[SnapClass, int]:
    newest: dict[SnapClass, int] = {}
    for _, creation, classes in aged:
        for snap_class in classes:
            newest[snap_class] = max(creation, newest.get(snap_class, creation))
    return newest


def _take(effective: Effective, snap: str) -> Take:
    return Take(dataset=effective.path, snap=snap, recursive=effective.zfs_recursion)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDiff:
    """What only the one of two plans takes and destroys, and what only the other."""

    take: tuple[tuple[str, ...], tuple[str, ...]]
    prune: tuple[tuple[str, ...], tuple[str, ...]]


def diff_plans(one: PolicyPlan, other: PolicyPlan) -> PlanDiff:
    takes = [str(t) for t in one.take], [str(t) for t in other.take]
    return PlanDiff(take=_only(*takes), prune=_only(one.prune, other.prune))


def _only(one: Sequence[str], other: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    in_one, in_other = set(one), set(other)
    return (
        tuple(name for name in one if name not in in_other),
        tuple(name for name in other if name not in in_one),
    )
