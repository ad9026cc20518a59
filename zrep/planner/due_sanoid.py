"""Sanoid's own slots, oddities included: for comparing with a real sanoid, never the default.

`due(policy, newest, now, slot=sanoid_slot)` decides as sanoid does, also where that surprises:
a time that does not exist in this month raises ValueError, a Sunday written as 7 is always due,
a missed yearly is not caught up before this year's date, and the days on which the clocks change
take frequent, hourly, daily and weekly snapshots too late or too often.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, tzinfo
from functools import lru_cache
from math import floor

from zrep.model.names import SnapClass
from zrep.model.policy import DAY, Policy, Schedule
from zrep.planner.due import zone

_HOUR = 3600
_YEARS = 978_285_600  # 31 * 365.25 days

Plan = Mapping[str, float]


def sanoid_slot(policy: Policy, snap_class: SnapClass, now: int) -> int:
    """The latest slot of the class as sanoid computes it."""
    local = datetime.fromtimestamp(now, zone(policy))
    return int(raw_slot(_numbers(policy.schedule), snap_class, local))


@lru_cache(maxsize=8)
def _numbers(schedule: Schedule) -> Plan:
    return asdict(schedule)


def raw_slot(plan: Plan, snap_class: SnapClass, local: datetime) -> float:
    """The latest slot before `local` under schedule keys that may be any numbers.

    Raises ValueError or ZeroDivisionError where sanoid dies.
    """
    now = int(local.timestamp())
    match snap_class:
        case SnapClass.FREQUENTLY:
            period = plan["frequent_period"]
            slot = _epoch(local, local.hour, floor(local.minute / period) * period)
            return _at_most(now, slot, 60 * period)
        case SnapClass.HOURLY:
            slot = _epoch(local, local.hour, plan["hourly_min"]) + summer_ended_today(local)
            return _at_most(now, slot, _HOUR)
        case SnapClass.DAILY:
            return _daily(plan, local, now)
        case SnapClass.WEEKLY:
            ahead = plan["weekly_wday"] - local.isoweekday() % 7
            slot = _epoch(local, plan["weekly_hour"], plan["weekly_min"])
            return _at_most(now, slot + (ahead + 7 * (ahead < 0)) * DAY, 7 * DAY)
        case SnapClass.MONTHLY:
            first = local.replace(day=int(plan["monthly_mday"]))
            slot = _epoch(first, plan["monthly_hour"], plan["monthly_min"])
            return _at_most(now, slot, 31 * DAY)
        case SnapClass.YEARLY:
            first = local.replace(month=int(plan["yearly_mon"]), day=int(plan["yearly_mday"]))
            return _at_most(now, _epoch(first, plan["yearly_hour"], plan["yearly_min"]), _YEARS)
        case _:
            raise ValueError(f"{snap_class} snapshots have no schedule")


def summer_ended_today(local: datetime) -> int:
    """An hour when summer time ended between last midnight and this moment, else 0."""
    midnight = _moment(_epoch(local, 0, 0), local.tzinfo)
    return _HOUR if _summer(midnight) and not _summer(local) else 0


def _daily(plan: Plan, local: datetime, now: int) -> float:
    ended = summer_ended_today(local)
    slot = _epoch(local, plan["daily_hour"], plan["daily_min"]) + ended
    if _summer(local) and not _summer(_moment(slot, local.tzinfo)):
        slot -= _HOUR
    return _at_most(now, slot, DAY + 2 * ended)


def _at_most(now: int, slot: float, step: float) -> float:
    return slot if slot <= now else slot - step


def _summer(moment: datetime) -> bool:
    return bool(moment.dst())


def _moment(epoch: float, where: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(epoch, where)


def _epoch(day: datetime, hour: float, minute: float) -> float:
    """Of an ambiguous hour the first; a skipped time is moved forward."""
    if not (0 <= hour <= 23 and 0 <= minute <= 59):
        raise ValueError(f"there is no {hour}:{minute}")
    whole = day.replace(hour=int(hour), minute=int(minute), second=0, fold=0)
    return int(whole.timestamp()) + (hour % 1) * _HOUR + (minute % 1) * 60
