"""Retention policy: what sanoid's keys mean, as values.

A class with count 0 is never due; its snapshots go as soon as another class does not keep them.
`manual` has no period: without a count its snapshots stay for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields

from zrep.frozen import dataclass
from zrep.model.names import SnapClass

DAY = 86_400

PERIOD_SECONDS: Mapping[SnapClass, int] = {
    SnapClass.YEARLY: 31_557_600,  # 365.25 days
    SnapClass.MONTHLY: 31 * DAY,
    SnapClass.WEEKLY: 7 * DAY,
    SnapClass.DAILY: DAY,
    SnapClass.HOURLY: 3_600,
}

SCHEDULED: tuple[SnapClass, ...] = tuple(c for c in SnapClass if c is not SnapClass.MANUAL)

SCHEDULE_RANGES: Mapping[str, tuple[int, int]] = {
    "frequent_period": (1, 1440),
    "hourly_min": (0, 59),
    "daily_hour": (0, 23),
    "daily_min": (0, 59),
    "weekly_wday": (0, 7),
    "weekly_hour": (0, 23),
    "weekly_min": (0, 59),
    "monthly_mday": (1, 31),
    "monthly_hour": (0, 23),
    "monthly_min": (0, 59),
    "yearly_mon": (1, 12),
    "yearly_mday": (1, 31),
    "yearly_hour": (0, 23),
    "yearly_min": (0, 59),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When in its period each class is due: sanoid's *_min, *_hour, *_mday, *_mon, *_wday keys.

    weekly_wday counts from Sunday = 0, and 7 is Sunday too; frequent_period in minutes.
    """

    frequent_period: int = 15
    hourly_min: int = 0
    daily_hour: int = 23
    daily_min: int = 59
    weekly_wday: int = 1
    weekly_hour: int = 23
    weekly_min: int = 30
    monthly_mday: int = 1
    monthly_hour: int = 0
    monthly_min: int = 0
    yearly_mon: int = 1
    yearly_mday: int = 1
    yearly_hour: int = 0
    yearly_min: int = 0

    def __post_init__(self) -> None:
        for item in fields(self):
            low, high = SCHEDULE_RANGES[item.name]
            if not low <= getattr(self, item.name) <= high:
                raise ValueError(f"{item.name} must be {low} to {high}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Ages of the newest snapshot of a class at which to warn and to cry out; 0 is never."""

    warn: int = 0
    crit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """What monitoring watches: snapshot ages in seconds by class, pool fill in per cent."""

    enabled: bool = True
    dont_warn: bool = False
    dont_crit: bool = False
    alarms: Mapping[SnapClass, Alarm] = field(default_factory=dict, hash=False)
    capacity_warn: int = 80
    capacity_crit: int = 95


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How many of each class to keep, and when each is due.

    `autosnap` and `autoprune` switch taking and pruning; `prune_defer` prunes only while the pool
    is fuller than that many per cent (0: always).
    """

    name: str
    keep: Mapping[SnapClass, int] = field(hash=False)
    schedule: Schedule = field(default_factory=Schedule)
    timezone: str = "UTC"
    autosnap: bool = True
    autoprune: bool = True
    prune_defer: int = 0
    monitor: Monitor = field(default_factory=Monitor)

    def __post_init__(self) -> None:
        for snap_class, count in self.keep.items():
            if count < 0:
                raise ValueError(f"{snap_class} must not be negative: {count}")

    def count(self, snap_class: SnapClass) -> int:
        return self.keep.get(snap_class, 0)

    def keeps_for_ever(self, snap_class: SnapClass) -> bool:
        return snap_class is SnapClass.MANUAL and snap_class not in self.keep

    def period(self, snap_class: SnapClass) -> int:
        """Seconds that one snapshot of the class stands for; a manual one stands for none."""
        if snap_class is SnapClass.FREQUENTLY:
            return 60 * self.schedule.frequent_period
        return PERIOD_SECONDS.get(snap_class, 0)
