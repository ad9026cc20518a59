"""Policy files: sanoid's keys at the top level of a TOML file, one policy a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from zrep.config import keys
from zrep.config.document import Document, Problem
from zrep.config.sanoid_values import PARSERS
from zrep.config.schema import open_document
from zrep.model.names import SnapClass
from zrep.model.policy import SCHEDULED, Alarm, Monitor, Policy, Schedule

T = TypeVar("T")

# Sanoid's own defaults, for what a policy file leaves out.
_KEEP: Mapping[str, int] = {"hourly": 48, "daily": 90, "monthly": 6}
_AGES: Mapping[str, int] = {
    "hourly_warn": 5_400,
    "hourly_crit": 21_600,
    "daily_warn": 100_800,
    "daily_crit": 115_200,
    "monthly_warn": 2_764_800,
    "monthly_crit": 3_456_000,
}


def read_policy(document: Document, name: str, problems: list[Problem]) -> Policy | None:
    """The policy that the file describes; None, and `problems` longer, when something is wrong."""
    before = len(problems)
    section = open_document(document, problems, keys.POLICY)
    values = {key: section.get(key, PARSERS[key]) for key in keys.POLICY if key in document.values}
    if len(problems) > before:
        return None
    policy = _policy(name, {**_KEEP, **_AGES, **values})
    if policy.autoprune and not any(policy.keep.values()):
        section.note("keeps nothing: give a class a count, or set autoprune = false")
        return None
    return policy


def _policy(name: str, values: Mapping[str, object]) -> Policy:
    counted = [c for c in SnapClass if c in SCHEDULED or c.value in values]
    return Policy(
        name=name,
        keep={c: _value(values, c.value, 0) for c in counted},
        schedule=Schedule(**{k: _value(values, k, 0) for k in keys.SCHEDULE if k in values}),
        timezone=_value(values, "timezone", "UTC"),
        autosnap=_value(values, "autosnap", default=True),
        autoprune=_value(values, "autoprune", default=True),
        prune_defer=_value(values, "prune_defer", 0),
        monitor=_monitor(values),
    )


def _monitor(values: Mapping[str, object]) -> Monitor:
    alarms = {
        c: Alarm(warn=_value(values, f"{c}_warn", 0), crit=_value(values, f"{c}_crit", 0))
        for c in SCHEDULED
    }
    return Monitor(
        enabled=_value(values, "monitor", default=True),
        dont_warn=_value(values, "monitor_dont_warn", default=False),
        dont_crit=_value(values, "monitor_dont_crit", default=False),
        alarms=alarms,
        capacity_warn=_value(values, "capacity_warn", 80),
        capacity_crit=_value(values, "capacity_crit", 95),
    )


def _value(values: Mapping[str, object], key: str, default: T) -> T:
    """The parsed value of a key: of its default's type, as PARSERS has seen to."""
    found = values.get(key, default)
    if not isinstance(found, type(default)):
        raise TypeError(f"{key} is {found!r}")
    return found
