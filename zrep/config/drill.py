"""The keys about drills: what signs and samples, and what checks a service's data."""

from __future__ import annotations

from typing import TypedDict

from zrep.config.keys import ZREP
from zrep.config.schema import Section
from zrep.config.values import absolute_path, boolean, duration, integer, list_of
from zrep.model.drill import Drilling

_HOUR, _DAY = 3_600, 86_400
MAX_SAMPLE = 1_000


class Checks(TypedDict):
    """The fields of a Service that a drill reads."""

    checks: tuple[str, ...]
    check_timeout: int


def read_drilling(root: Section) -> Drilling:
    section = root.table("drill", ZREP["drill"])
    usual = Drilling()
    return Drilling(
        key=section.get_or("key", absolute_path, usual.key),
        sample=section.get_or("sample", integer(0, MAX_SAMPLE), usual.sample),
        count_all=section.get_or("count_all", boolean, usual.count_all),
        max_age=section.get_or("max_age", duration(_HOUR, 3_650 * _DAY), usual.max_age),
    )


def read_checks(section: Section) -> Checks:
    """Of one service."""
    if "check_timeout" in section.values and "check" not in section.values:
        section.note("there is no check that it could end", "check_timeout")
    return Checks(
        checks=section.get_or("check", list_of(absolute_path), ()),
        check_timeout=section.get_or("check_timeout", duration(1, _DAY), 600),
    )
