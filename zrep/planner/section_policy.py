"""A dataset's effective settings as a Policy: text made into counts, times, switches and ages."""

from __future__ import annotations

from collections.abc import Callable

from zrep.model.ages import age_seconds
from zrep.model.names import SnapClass
from zrep.model.policy import SCHEDULE_RANGES, SCHEDULED, Alarm, Monitor, Policy, Schedule
from zrep.planner.effective import Effective

PolicyOf = Callable[[Effective], Policy]


def policies(timezone: str | None = None) -> PolicyOf:
    """Makes policies, one for all datasets with the same settings.

    `timezone` overrides the one that a template may name; without either it is UTC.
    """
    made: dict[tuple[object, ...], Policy] = {}

    def policy(effective: Effective) -> Policy:
        settings = (effective.by, *effective.values.items())
        found = made.get(settings)
        if found is None:
            found = made[settings] = policy_of(effective, timezone)
        return found

    return policy


def policy_of(effective: Effective, timezone: str | None = None) -> Policy:
    """The policy of one dataset; ValueError for text that the reader should have refused."""
    values = effective.values
    manual = {SnapClass.MANUAL: int(values["manual"])} if "manual" in values else {}
    return Policy(
        name=effective.by,
        keep={c: int(values[c]) for c in SCHEDULED} | manual,
        schedule=Schedule(**{key: int(values[key]) for key in SCHEDULE_RANGES}),
        timezone=timezone or values.get("timezone", "UTC"),
        autosnap=effective.takes,
        autoprune=effective.prunes,
        prune_defer=int(values["prune_defer"]),
        monitor=_monitor(effective),
    )


def _monitor(effective: Effective) -> Monitor:
    values = effective.values

    def alarm(snap_class: SnapClass) -> Alarm:
        warn, crit = (f"{snap_class}_{level}" for level in ("warn", "crit"))
        return Alarm(
            warn=age_seconds(warn, values[warn]) or 0, crit=age_seconds(crit, values[crit]) or 0
        )

    watched = effective.is_on("monitor") and not effective.is_on("process_children_only")
    return Monitor(
        enabled=watched,
        dont_warn=effective.is_on("monitor_dont_warn"),
        dont_crit=effective.is_on("monitor_dont_crit"),
        alarms={c: alarm(c) for c in SCHEDULED},
        capacity_warn=int(values["capacity_warn"]),
        capacity_crit=int(values["capacity_crit"]),
    )
