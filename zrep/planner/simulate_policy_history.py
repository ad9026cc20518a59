"""A policy played over time: what would exist at each month's end.

Each run takes what is due, then lets go what the policy releases, counting what was there before
the run; so one more than the count is there until the next run, as with sanoid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta

from zrep.frozen import dataclass
from zrep.model.names import SnapClass
from zrep.model.policy import SCHEDULED, Policy
from zrep.model.pool_view import PoolView
from zrep.planner.due import due, zone
from zrep.planner.effective import Effective
from zrep.planner.retention import releasable
from zrep.planner.section_policy import policies
from zrep.planner.simulate_policy import own_snapshots

Creations = dict[SnapClass, list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthEnd:
    """What exists after the last run of a month: creations (epoch seconds) by class, ascending."""

    run: int
    month: str
    creations: Mapping[SnapClass, tuple[int, ...]] = field(hash=False)

    @property
    def total(self) -> int:
        return sum(map(len, self.creations.values()))

    @property
    def oldest(self) -> int | None:
        return min((found[0] for found in self.creations.values() if found), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """Months of datasets that fare alike: the same settings and the same past."""

    datasets: tuple[str, ...]
    months: tuple[MonthEnd, ...] = field(hash=False)


def play_datasets(
    effective: Sequence[Effective],
    pool: PoolView,
    span: range,
    timezone: str | None = None,
) -> list[Played]:
    """Every dataset that takes snapshots, from what the pool has; `span` are the runs.

    With recursive = zfs a dataset has what its parent takes.
    """
    policy_for = policies(timezone)
    alike: dict[object, list[Effective]] = {}
    for one in effective:
        if one.takes or one.zfs_recursion:
            past = own_snapshots(pool.snapshots.get(one.path, ()))
            alike.setdefault((*one.values.items(), *past), []).append(one)
    return [
        Played(
            datasets=tuple(e.path for e in group),
            months=tuple(
                play(
                    replace(policy_for(group[0]), autosnap=True),
                    span.start,
                    span.stop - 1,
                    every=span.step,
                    before=_by_class(pool, group[0].path),
                )
            ),
        )
        for group in alike.values()
    ]


def _by_class(pool: PoolView, dataset: str) -> Creations:
    found: Creations = {}
    for one in own_snapshots(pool.snapshots.get(dataset, ())):
        found.setdefault(one.classes[0], []).append(one.creation)
    return found


def play(
    policy: Policy,
    start: int,
    stop: int,
    *,
    every: int,
    before: Mapping[SnapClass, list[int]] | None = None,
) -> Iterator[MonthEnd]:
    """Runs from `start` to `stop` (epoch seconds, both included), one each `every` seconds.

    `before` is what was there already. The last month may be cut short by `stop`.
    """
    if every <= 0:
        raise ValueError("there must be time between two runs")
    there: Creations = {c: sorted((before or {}).get(c, ())) for c in SCHEDULED}
    month_end, month = _end_of_month(start, policy)
    run = start
    for run in range(start, stop + 1, every):
        if run >= month_end:
            yield _seen(there, run - every, month)
            month_end, month = _end_of_month(run, policy)
        _run(policy, there, run)
    if start <= stop:
        yield _seen(there, run, month)


def _run(policy: Policy, there: Creations, now: int) -> None:
    newest = {c: found[-1] for c, found in there.items() if found}
    gone = {c: releasable(policy, c, found, now) for c, found in there.items() if found}
    for snap_class in due(policy, newest, now):
        there[snap_class].append(now)
    for snap_class, count in gone.items():
        del there[snap_class][:count]


def _end_of_month(moment: int, policy: Policy) -> tuple[int, str]:
    """The first second of the next month, and the name of this one."""
    local = datetime.fromtimestamp(moment, zone(policy))
    first = local.replace(day=1, hour=0, minute=0, second=0, fold=0)
    after = (first + timedelta(days=32)).replace(day=1)
    return int(after.timestamp()), first.strftime("%Y-%m")


def _seen(there: Creations, run: int, month: str) -> MonthEnd:
    return MonthEnd(run=run, month=month, creations={c: tuple(f) for c, f in there.items() if f})
