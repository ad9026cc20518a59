"""Which retention classes are due: sanoid's schedule, decided on values only.

A class is due when its newest snapshot is older than the last moment at which one should have
been taken. Any newer snapshot of the class satisfies that, whenever it was taken, and a long
outage is caught up by one snapshot per class, never by a backlog.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import assert_never

from zrep.model.names import SnapClass
from zrep.model.policy import SCHEDULED, Policy

Slot = Callable[[Policy, SnapClass, int], int]


def last_slot(policy: Policy, snap_class: SnapClass, now: int) -> int:
    """The latest moment at or before `now` (epoch seconds) for which the class wants a snapshot.

    Times are wall clock times in the policy's time zone. Of an hour that comes twice when the
    clocks go back, daily and longer classes mean the first; a time that the clocks skip is as
    long after midnight as it always is. A day that a month lacks is that month's last day.

    Sanoid agrees to the second in UTC, except that it counts a yearly slot before this year's
    date as 31 years ago. With local time it also has five surprises on the days on which the
    clocks change; `zrep.planner.due_sanoid` keeps them for comparison.
    """
    plan, local = policy.schedule, datetime.fromtimestamp(now, zone(policy))
    clock = _Clock(local, now)
    match snap_class:
        case SnapClass.FREQUENTLY:
            return now - 60 * (local.minute % plan.frequent_period) - local.second
        case SnapClass.HOURLY:
            slot = now - 60 * (local.minute - plan.hourly_min) - local.second
            return slot if slot <= now else slot - 3600
        case SnapClass.DAILY:
            return clock.latest(local.date(), 1, plan.daily_hour, plan.daily_min)
        case SnapClass.WEEKLY:
            ahead = (plan.weekly_wday - local.isoweekday()) % 7
            day = local.date() + timedelta(days=ahead)
            return clock.latest(day, 7, plan.weekly_hour, plan.weekly_min)
        case SnapClass.MONTHLY:
            day = in_month(local.year, local.month, plan.monthly_mday)
            return clock.latest(day, 31, plan.monthly_hour, plan.monthly_min)
        case SnapClass.YEARLY:
            day = in_month(local.year, plan.yearly_mon, plan.yearly_mday)
            before = day - in_month(local.year - 1, plan.yearly_mon, plan.yearly_mday)
            return clock.latest(day, before.days, plan.yearly_hour, plan.yearly_min)
        case SnapClass.MANUAL:
            raise ValueError("manual snapshots have no schedule")
        case _:
            assert_never(snap_class)


def due(
    policy: Policy,
    newest: Mapping[SnapClass, int | None],
    now: int,
    *,
    slot: Slot = last_slot,
) -> frozenset[SnapClass]:
    """The classes of which `policy` wants a snapshot at `now`.

    `newest` gives the creation (epoch seconds) of the newest snapshot of each class, None or
    absent when there is none: then the class is due at once. A newest snapshot from the future
    blocks its class until the clock has passed it.
    """
    wanted = SCHEDULED if policy.autosnap else ()
    return frozenset(
        c for c in wanted if policy.count(c) and _overdue(newest.get(c), slot(policy, c, now))
    )


def _overdue(newest: int | None, slot: int) -> bool:
    return newest is None or newest < slot


def zone(policy: Policy) -> tzinfo:
    """The policy's time zone; UTC needs no zone database."""
    if policy.timezone == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    return ZoneInfo(policy.timezone)


def in_month(year: int, month: int, day: int) -> date:
    """2023, 2, 31 -> 2023-02-28: the day, or the month's last when it has no such day."""
    after = date(year + month // 12, month % 12 + 1, 1)
    return min(date(year, month, 1) + timedelta(days=day - 1), after - timedelta(days=1))


class _Clock:
    """Wall clock times around one moment."""

    def __init__(self, local: datetime, now: int) -> None:
        self._zone = local.tzinfo
        self._now = now

    def latest(self, day: date, step: int, hour: int, minute: int) -> int:
        """hour:minute on `day` if that has come, else the same wall time `step` days before.

        Monthly slots step by 31 days, as in sanoid, not to the same day of the month before.
        The difference shows only for snapshots taken off schedule, which then satisfy the slot.
        """
        slot = self._at(day, hour, minute)
        return slot if slot <= self._now else self._at(day - timedelta(days=step), hour, minute)

    def _at(self, day: date, hour: int, minute: int) -> int:
        wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self._zone)
        return int(wall.timestamp())
