"""Sanoid's own slots, oddities included: for comparing with a real sanoid, never the default.

`due(policy, newest, now, slot=sanoid_slot)` decides as sanoid does, also where that surprises:
a time that does not exist in this month raises ValueError, a Sunday written as 7 is always due,
a missed yearly is not caught up before this year's date, and the days on which the clocks change
take frequent, hourly, daily and weekly snapshots too late or too often.
"""

from __future__ import annotations

from datetime import datetime, tzinfo

from zrep.model.names import SnapClass
from zrep.model.policy import DAY, Policy
from zrep.planner.due import zone

_HOUR = 3600
_YEARS = 978_285_600  # 31 * 365.25 days


def sanoid_slot(policy: Policy, snap_class: SnapClass, now: int) -> int:
    """The latest slot of the class as sanoid computes it."""
    plan, where = policy.schedule, zone(policy)
    local = datetime.fromtimestamp(now, where)
    match snap_class:
        case SnapClass.FREQUENTLY:
            minute = local.minute // plan.frequent_period * plan.frequent_period
            slot = _epoch(local, local.hour, minute)
            return _at_most(now, slot, 60 * plan.frequent_period)
        case SnapClass.HOURLY:
            slot = _epoch(local, local.hour, plan.hourly_min) + _ended_today(local)
            return _at_most(now, slot, _HOUR)
        case SnapClass.DAILY:
            return _daily(policy, local, now)
        case SnapClass.WEEKLY:
            sunday_first = local.isoweekday() % 7
            ahead = plan.weekly_wday - sunday_first
            slot = _epoch(local, plan.weekly_hour, plan.weekly_min)
            return _at_most(now, slot + (ahead + 7 * (ahead < 0)) * DAY, 7 * DAY)
        case SnapClass.MONTHLY:
            first = local.replace(day=plan.monthly_mday)
            return _at_most(now, _epoch(first, plan.monthly_hour, plan.monthly_min), 31 * DAY)
        case SnapClass.YEARLY:
            first = local.replace(month=plan.yearly_mon, day=plan.yearly_mday)
            return _at_most(now, _epoch(first, plan.yearly_hour, plan.yearly_min), _YEARS)
        case _:
            raise ValueError(f"{snap_class} snapshots have no schedule")


def _daily(policy: Policy, local: datetime, now: int) -> int:
    ended = _ended_today(local)
    slot = _epoch(local, policy.schedule.daily_hour, policy.schedule.daily_min) + ended
    if _summer(local) and not _summer(_moment(slot, local.tzinfo)):
        slot -= _HOUR
    return _at_most(now, slot, DAY + 2 * ended)


def _at_most(now: int, slot: int, step: int) -> int:
    return slot if slot <= now else slot - step


def _ended_today(local: datetime) -> int:
    """An hour when summer time ended between last midnight and this moment, else 0."""
    midnight = _moment(_epoch(local, 0, 0), local.tzinfo)
    return _HOUR if _summer(midnight) and not _summer(local) else 0


def _summer(moment: datetime) -> bool:
    return bool(moment.dst())


def _moment(epoch: int, where: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(epoch, where)


def _epoch(day: datetime, hour: int, minute: int) -> int:
    """Of an ambiguous hour the first; a skipped time is moved forward."""
    return int(day.replace(hour=hour, minute=minute, second=0, fold=0).timestamp())
