"""Monitoring hears when a set or replica has had no good run lately, or when the last was none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.config_files import GOOD, load_text
from tests.unit.rows import of_each
from tests.unit.run_records import COPY, HOUR, NOW, PRUNE, SYNC, paused, ran
from zrep.errors import UnknownName
from zrep.model.check import Level
from zrep.model.run_record import RunRecord
from zrep.planner.check_runs import check_runs, watched_jobs
from zrep.report.check import render_check

AGE = 26 * HOUR
FAILED: dict[str, Any] = {
    "exit": 7,
    "error": ("host.unreachable", "offsite: does not | answer\n  next: look"),
}


@of_each(
    [
        (ran(), Level.OK, "OK: sync platform ended well 5h 0m 0s ago"),
        (ran(hours=26, good=26), Level.OK, "ended well 1d 2h 0m 0s ago"),
        (ran(hours=27, good=27), Level.WARNING, "ago (1d 2h 0m 0s allowed)"),
        (ran(hours=53, good=53), Level.CRITICAL, "ago (2d 4h 0m 0s allowed)"),
        (ran(good=None), Level.CRITICAL, "has never ended well"),
        (None, Level.CRITICAL, "CRITICAL: sync platform has never run"),
        ("x.json: not a record", Level.CRITICAL, "says nothing: x.json: not a record"),
        (ran(good=9, **FAILED), Level.WARNING, "a failure (exit 7): offsite: does not / answer"),
        (ran(good=53, **FAILED), Level.CRITICAL, "a failure (exit 7): offsite"),
        (ran(good=9, exit=4, error=("partial", "one")), Level.WARNING, "was partial: one"),
        (ran(good=9, exit=143, error=("signal", "")), Level.WARNING, "(exit 143):"),
        (paused("solr-1"), Level.CRITICAL, "may still be paused on solr-1: zrep recover"),
        (ran(hours=-1, good=-1), Level.CRITICAL, "1h 0m 0s from now: the clock is wrong"),
        (ran(hours=-0.05, good=-0.05), Level.OK, "ended well 0s ago"),
    ]
)
def test_the_age_of_the_last_good_run_and_the_end_of_the_last_one_count(
    row: tuple[RunRecord | str | None, Level, str],
) -> None:
    record, level, says = row
    records = {} if record is None else {SYNC.stem: record}
    found = check_runs({SYNC: AGE}, records, NOW)
    assert (found.level, says in found.message) == (level, True), found.message
    assert "\n" not in found.message
    assert "|" not in found.message


def test_the_worst_comes_first_and_what_is_well_is_not_named() -> None:
    records = {SYNC.stem: ran(), COPY.stem: ran(COPY, hours=27, good=27)}
    third = COPY.__class__(verb=COPY.verb, name="third")
    found = check_runs(dict.fromkeys((SYNC, COPY, third), AGE), records, NOW)
    assert found.message.startswith("CRITICAL: replicate third has never run; replicate offsite")
    assert "platform" not in found.message


def test_the_line_is_the_documented_one() -> None:
    page = (Path(__file__).parents[2] / "docs/monitoring.md").read_text()
    [shown] = re.findall(r"\$ zrep check runs\n +(.*)\n", page)
    late = ran(COPY, seconds=73.0, good=26 + 1 / HOUR)
    found = check_runs({SYNC: AGE, COPY: AGE}, {SYNC.stem: ran(good=5.2), COPY.stem: late}, NOW)
    assert render_check(found) == shown


def test_nothing_configured_is_unknown() -> None:
    found = check_runs({}, {PRUNE.stem: ran(PRUNE)}, NOW)
    assert (found.level, found.message) == (
        *(Level.UNKNOWN, "UNKNOWN: nothing is configured to run"),
    )


def test_each_set_and_replica_has_its_own_limit_and_can_be_asked_for(tmp_path: Path) -> None:
    text = GOOD.replace('policy = "offsite"', 'policy = "offsite"\nmax_age = "2d"')
    config = load_text(tmp_path, text)
    assert watched_jobs(config) == {SYNC: AGE, COPY: 48 * HOUR}
    assert watched_jobs(config, ["offsite"]) == {COPY: 48 * HOUR}
    with pytest.raises(UnknownName, match=r"no set and no replica 'x': offsite, platform"):
        watched_jobs(config, ["offsite", "x"])
