"""Which snapshots to take now, and which of them in one transaction group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime

from zrep.frozen import dataclass
from zrep.model.autosnap import autosnap_name
from zrep.model.names import DatasetName, SnapClass, SnapshotName, in_name_order
from zrep.model.pool_view import PoolView
from zrep.planner.hooks import Hooks, hooks_of
from zrep.planner.simulate_policy import DatasetPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is due of one dataset: a name for each class, longest period first.

    `datasets` is the dataset and, with recursive = zfs, all below it.
    """

    dataset: str
    snaps: Mapping[SnapClass, str] = field(hash=False)
    datasets: tuple[DatasetName, ...]
    hooks: Hooks

    @property
    def has_hooks(self) -> bool:
        return bool(self.hooks.pre_snapshot or self.hooks.post_snapshot)

    @property
    def names(self) -> tuple[SnapshotName, ...]:
        return tuple(name for snap_class in self.snaps for name in self.of(snap_class))

    def of(self, snap_class: SnapClass) -> tuple[SnapshotName, ...]:
        snap = self.snaps.get(snap_class)
        return tuple(dataset.at(snap) for dataset in self.datasets) if snap else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TakePlan:
    """What is due, by dataset; `missing` are datasets that sections name and that are not there."""

    orders: tuple[Order, ...]
    missing: tuple[str, ...] = ()


def plan_take(plans: Sequence[DatasetPlan], pool: PoolView, now: int) -> TakePlan:
    """All that is due; a dataset that two sections name is taken once for both.

    Names are in UTC, so that none comes twice when the clocks go back.
    """
    moment, there = datetime.fromtimestamp(now, UTC), frozenset(pool.datasets)
    wanted: dict[str, list[DatasetPlan]] = {}
    for plan in plans:
        if plan.due:
            wanted.setdefault(plan.effective.path, []).append(plan)
    return TakePlan(
        orders=tuple(_order(wanted[path], pool, moment) for path in sorted(there & set(wanted))),
        missing=tuple(sorted(set(wanted) - there)),
    )


def _order(plans: Sequence[DatasetPlan], pool: PoolView, moment: datetime) -> Order:
    first = plans[0].effective
    due = frozenset(c for plan in plans for c in plan.due)
    below = pool.children(first.path) if any(p.effective.zfs_recursion for p in plans) else ()
    return Order(
        dataset=first.path,
        snaps={c: autosnap_name(moment, c) for c in in_name_order(due)},
        datasets=tuple(DatasetName(path) for path in (first.path, *below)),
        hooks=hooks_of(first),
    )


def together(orders: Sequence[Order]) -> Iterator[tuple[SnapshotName, ...]]:
    """Groups that one call can take: of one pool, and no dataset twice, for ZFS refuses that."""
    for pool in sorted({o.datasets[0].pool for o in orders}):
        mine = [o for o in orders if o.datasets[0].pool == pool]
        for snap_class in SnapClass:
            names = dict.fromkeys(name for o in mine for name in o.of(snap_class))
            if names:
                yield tuple(names)
