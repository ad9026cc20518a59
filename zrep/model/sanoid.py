"""Sanoid's configuration as written: sections in file order, values still text, and its words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from zrep.frozen import dataclass

TEMPLATE = "template_"
TRUE_WORDS = frozenset({"1", "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})
FALSE_WORDS = frozenset({"0", "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})

TOGGLES = (
    "autosnap",
    "autoprune",
    "monitor",
    "monitor_dont_warn",
    "monitor_dont_crit",
    "process_children_only",
    "skip_children",
    "no_inconsistent_snapshot",
    "force_post_snapshot_script",
)

# What a section without templates comes to; keys that are not here have no default.
DEFAULTS: Mapping[str, str] = {
    **dict.fromkeys(("frequently", "weekly", "yearly"), "0"),
    "hourly": "48",
    "daily": "90",
    "monthly": "6",
    "frequent_period": "15",
    "hourly_min": "0",
    "daily_hour": "23",
    "daily_min": "59",
    "weekly_wday": "1",
    "weekly_hour": "23",
    "weekly_min": "30",
    "monthly_mday": "1",
    "monthly_hour": "0",
    "monthly_min": "0",
    "yearly_mon": "1",
    "yearly_mday": "1",
    "yearly_hour": "0",
    "yearly_min": "0",
    "autosnap": "1",
    "autoprune": "yes",
    "prune_defer": "0",
    "script_timeout": "5",
    **dict.fromkeys(("pre_snapshot_script", "post_snapshot_script"), ""),
    **dict.fromkeys(("pre_pruning_script", "pruning_script"), ""),
    **dict.fromkeys(("no_inconsistent_snapshot", "force_post_snapshot_script"), ""),
    "monitor": "yes",
    "monitor_dont_warn": "no",
    "monitor_dont_crit": "no",
    "hourly_warn": "90m",
    "hourly_crit": "360m",
    "daily_warn": "28h",
    "daily_crit": "32h",
    "monthly_warn": "32d",
    "monthly_crit": "40d",
    **dict.fromkeys(("frequently_warn", "frequently_crit", "weekly_warn", "weekly_crit"), "0"),
    **dict.fromkeys(("yearly_warn", "yearly_crit"), "0"),
    "capacity_warn": "80",
    "capacity_crit": "95",
}

# Written in a template they do nothing: sanoid only copies or warns.
INERT_IN_TEMPLATES = ("use_template", "recursive", "path", "skip_children")

_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?))", re.ASCII)
_NO_NUMBER = re.compile(r"\s*([+-]?)(inf|nan)", re.IGNORECASE)


class Compat(StrEnum):
    """How an accident is taken: refused or put right, or just as sanoid takes it."""

    DEFAULT = "default"
    BUG_FOR_BUG = "bug-for-bug"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSection:
    """One section; of a key given several times the first value, as sanoid takes it.

    A template's name begins with `template_`, in whatever form it was written. `lines` and
    `repeated` give the line of each key, and the lines of its values not taken.
    """

    name: str
    line: int
    values: Mapping[str, str] = field(hash=False)
    is_template: bool = False
    lines: Mapping[str, int] = field(default_factory=dict, hash=False)
    repeated: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)

    def line_of(self, key: str | None) -> int:
        return self.lines.get(key, self.line) if key else self.line


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong with a section, or with one key of it, or worth saying when not `refused`."""

    section: str
    key: str | None
    line: int
    text: str
    refused: bool


def used_templates(value: str) -> list[str]:
    """The names in a use_template: "a , b" -> ["a", "b"]."""
    found = value.rstrip()
    return re.split(r"\s*,\s*", found) if found else []


def number(text: str) -> float:
    """What sanoid computes with: the number that the text begins with, and 0 for all other text.

    "30 # keep" -> 30, '"30"' -> 0, "" -> 0, "0x10" -> 0, "1e1" -> 10, ".5" -> 0.5
    """
    found = _NUMBER.match(text)
    if found is not None:
        return float(found[1])
    special = _NO_NUMBER.match(text)
    return float(special[1] + special[2]) if special else 0.0
