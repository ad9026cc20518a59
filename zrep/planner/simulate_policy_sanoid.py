"""The same as sanoid itself would do, accidents included: for comparing with it, never the default.

Orders that would fail are in the plan too, for sanoid gives them: a name that exists already, a
snapshot that is held. Where sanoid dies, `errors` says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple

from zrep.model.autosnap import autosnap_name, sanoid_class
from zrep.model.names import SnapClass
from zrep.model.policy import PERIOD_SECONDS, SCHEDULE_RANGES, SCHEDULED
from zrep.model.pool_view import PoolView, Taken
from zrep.model.sanoid import number
from zrep.planner.due_sanoid import raw_slot, summer_ended_today
from zrep.planner.effective import Effective
from zrep.planner.simulate_policy import PolicyPlan, Take

_LIMIT = re.compile(r"\d+", re.ASCII)


class _Dies(Exception):
    """Sanoid ends here, with all that it has not done yet undone."""


class _Own(NamedTuple):
    """A dataset's snapshots by class, oldest first."""

    by_class: Mapping[SnapClass, Sequence[Taken]]

    def newest(self, snap_class: SnapClass) -> int | None:
        found = self.by_class.get(snap_class)
        return found[-1].creation if found else None


def plan_as_sanoid(
    effective: Sequence[Effective], pool: PoolView, now: int, where: tzinfo
) -> PolicyPlan:
    """One `sanoid --cron` with its clock in the zone `where`; all orders, failing ones too.

    It has no order between datasets: here they come by name. An order to take what it has just
    been told to take, for a dataset with two sections, is not repeated.
    """
    local = datetime.fromtimestamp(now, where)
    sections = [e for e in effective if not e.section.startswith("template")]
    own = {e.path: _own(pool.snapshots.get(e.path, ())) for e in sections}
    try:
        takes = _takes(sections, pool, own, local)
    except _Dies as end:
        return PolicyPlan(errors=(str(end),))
    take = tuple(sorted({str(t): t for t in takes}.values(), key=str))
    try:
        found = [
            f"{e.path}@{snap}"
            for e in sorted(sections, key=lambda e: e.path)
            if e.prunes and not _deferred(e, pool)
            for snap in _prunes(e.values, own[e.path], now)
        ]
    except _Dies as end:
        return PolicyPlan(take=take, errors=(str(end),))
    return PolicyPlan(take=take, prune=tuple(found))


def _own(taken: Sequence[Taken]) -> _Own:
    by_class: dict[SnapClass, list[Taken]] = {}
    for one in taken:
        if snap_class := sanoid_class(one.snap):
            by_class.setdefault(snap_class, []).append(one)
    return _Own(by_class)


def _takes(
    sections: Sequence[Effective], pool: PoolView, own: Mapping[str, _Own], local: datetime
) -> list[Take]:
    """First everything due is found, and only then is the first snapshot taken."""
    wanted = [(e, _due(e, own[e.path], local)) for e in sections if e.takes]
    there = {f"{dataset}@{t.snap}" for dataset, all_ in pool.snapshots.items() for t in all_}
    return [
        take
        for effective, classes in wanted
        if classes
        for take in _orders(effective, classes, there, local)
    ]


def _due(effective: Effective, own: _Own, local: datetime) -> list[SnapClass]:
    plan = {key: number(effective.values[key]) for key in SCHEDULE_RANGES}
    found = []
    for snap_class in SCHEDULED:
        if not number(effective.values[snap_class]) > 0:
            continue
        try:
            slot = raw_slot(plan, snap_class, local)
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            raise _Dies(
                f"{effective.section}: sanoid dies of its {snap_class} time: {error}"
            ) from None
        newest = own.newest(snap_class)
        if newest is None or newest < slot:
            found.append(snap_class)
    return found


def _orders(
    effective: Effective, classes: Sequence[SnapClass], there: set[str], local: datetime
) -> Iterator[Take]:
    """One order for each class; in the hour that comes twice a second one when the name is taken.

    Only when the first class of the dataset is an hourly one does sanoid know which hour it is.
    """
    again = classes[0] is SnapClass.HOURLY and summer_ended_today(local)
    for snap_class in classes:
        snap = autosnap_name(local, snap_class)
        names = (
            [snap, f"dst_{snap_class}".join(snap.rsplit(f"_{snap_class}", 1))] if again else [snap]
        )
        for name in names:
            yield Take(dataset=effective.path, snap=name, recursive=effective.zfs_recursion)
            if f"{effective.path}@{name}" not in there:
                there.add(f"{effective.path}@{name}")
                break


def _deferred(effective: Effective, pool: PoolView) -> bool:
    text = effective.values["prune_defer"]
    if not _LIMIT.fullmatch(text) or int(text) > 100:
        raise _Dies(f"{effective.section}: sanoid dies of prune_defer = {text}")
    return int(text) > 0 and pool.capacity <= int(text)


def _prunes(values: Mapping[str, str], own: _Own, now: int) -> Iterator[str]:
    periods = {**PERIOD_SECONDS, SnapClass.FREQUENTLY: 60 * number(values["frequent_period"])}
    for snap_class in SCHEDULED:
        keep = number(values[snap_class])
        found = own.by_class.get(snap_class, ())
        left = len(found)
        for one in found:
            if one.creation < now - keep * periods[snap_class] and left > keep:
                left -= 1
                yield one.snap
