"""Monitoring hears when no drill has passed lately, or when the last one failed."""

from __future__ import annotations

from tests.unit.rows import of_each
from zrep.model.check import Level
from zrep.model.drill import Drilling
from zrep.model.evidence import Evidence, Finding, Outcome, State
from zrep.planner.check_drill import check_drills
from zrep.report.check import render_check

DAY = 86_400
NOW = 1_700_000_000
LIMITS = Drilling(max_age=10 * DAY)


def drilled(days: float, state: State = State.PASSED, **fields: object) -> Evidence:
    started = NOW - int(days * DAY)
    given: dict[str, object] = {"seconds": 61.4, "mount_seconds": 2.2, **fields}
    return Evidence(
        id=f"drill-{days:g}",
        backup="20220101_120000",
        set_name="platform",
        owner="me",
        host="vault",
        version="1",
        config="abc",
        started=started,
        state=state,
        **given,  # type: ignore[arg-type]
    )


@of_each(
    [
        ([], Level.CRITICAL, "CRITICAL: no drill has passed yet"),
        ([drilled(1)], Level.OK, "passed 1d 0h 0m 0s ago"),
        ([drilled(11)], Level.WARNING, "ago (10d 0h 0m 0s allowed)"),
        ([drilled(21)], Level.CRITICAL, "ago (20d 0h 0m 0s allowed)"),
        (
            [drilled(1, State.FAILED, error="torn\nmore"), drilled(2)],
            Level.CRITICAL,
            "failed: torn",
        ),
        ([drilled(1), drilled(2, State.FAILED)], Level.OK, "passed"),
        ([drilled(0.1, State.RUNNING), drilled(2)], Level.OK, "passed 2d"),
        ([drilled(1.5, State.RUNNING), drilled(2)], Level.CRITICAL, "it was interrupted"),
        ([drilled(0.1, State.RUNNING)], Level.CRITICAL, "no drill has passed yet"),
    ]
)
def test_the_age_of_the_last_passed_one_and_the_end_of_the_last_one_count(
    row: tuple[list[Evidence], Level, str],
) -> None:
    drills, level, says = row
    found = check_drills(drills, LIMITS, NOW)
    assert found.level is level
    assert says in found.message


def test_the_check_that_failed_is_named() -> None:
    bad = Finding(check="hashes", subject="h1/a", outcome=Outcome.FAILED, says="'x' is gone")
    found = check_drills([drilled(1, State.FAILED, findings=(bad,))], LIMITS, NOW)
    assert found.message.endswith("failed: hashes of h1/a: 'x' is gone")


def test_age_and_durations_are_performance_data() -> None:
    text = render_check(check_drills([drilled(1)], LIMITS, NOW))
    assert text.partition(" | ")[2] == (
        "'drill_age'=86400s;864000;1728000;0 'drill_duration'=61s;;;0 'drill_mount'=2s;;;0"
    )
