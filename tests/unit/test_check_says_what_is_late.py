"""The newest snapshots are judged by the sections' limits: texts, levels, figures, and quirks."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from zrep.config.sections import read_ini
from zrep.model.check import Check, Level
from zrep.model.pool_view import draw_pool
from zrep.model.sanoid import Compat
from zrep.planner.check_policy import age_text, check_snapshots
from zrep.planner.effective import resolve
from zrep.report.check import check_json, render_check

NOW = 1_714_559_400
MINUTE, HOUR, DAY = 60, 3_600, 86_400
ONLY_HOURLY = "daily = 0\nmonthly = 0\n"
BOTH = (Compat.DEFAULT, Compat.BUG_FOR_BUG)

Ages = Sequence[tuple[str, int]]


def check(config: str, ages: Ages = (), compat: Compat = Compat.DEFAULT) -> Check:
    """Of snapshots `dataset@name`, so many seconds old."""
    taken = [(name, NOW - age) for name, age in ages]
    view = draw_pool(["tank", "tank/a", "tank/a/b", "tank/z"], taken)
    read = read_ini(config, "sanoid.conf", compat)
    assert read.problems == ()
    found = resolve(read.sections, view.children, compat)
    return check_snapshots(found.effective, view, NOW, compat)


def hourly(keys: str, age: int | None, compat: Compat = Compat.DEFAULT) -> Check:
    ages = [] if age is None else [("tank/a@autosnap_x_hourly", age)]
    return check(f"[tank/a]\n{ONLY_HOURLY}{keys}", ages, compat)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (2, "2s"),
        (60, "1m 0s"),
        (5_460, "1h 31m 0s"),
        (86_400, "1d 0h 0m 0s"),
        (104_401, "1d 5h 0m 1s"),
        (400 * DAY, "400d 0h 0m 0s"),
    ],
)
def test_an_age_is_written_from_its_first_unit_on(seconds: int, text: str) -> None:
    assert age_text(seconds) == text


@pytest.mark.parametrize("compat", BOTH)
@pytest.mark.parametrize(
    ("age", "level"),
    [(90 * MINUTE, 0), (90 * MINUTE + 1, 1), (6 * HOUR, 1), (6 * HOUR + 1, 2), (None, 2), (-9, 0)],
)
def test_a_limit_is_passed_by_a_second(age: int | None, level: int, compat: Compat) -> None:
    assert hourly("", age, compat).level == level


@pytest.mark.parametrize("compat", BOTH)
def test_messages_stand_in_order_whatever_their_case(compat: Compat) -> None:
    config = "[tank/Z]\n[tank/a]\nhourly = 0\ndaily = 0\nweekly = 0\n"
    assert check(config, (), compat).message == (
        "CRIT: tank/a has no monthly snapshots at all!, "
        "CRIT: tank/Z has no daily snapshots at all!, "
        "CRIT: tank/Z has no hourly snapshots at all!, "
        "CRIT: tank/Z has no monthly snapshots at all!"
    )


@pytest.mark.parametrize("compat", BOTH)
def test_all_monitored_datasets_are_named_when_all_is_well(compat: Compat) -> None:
    config = (
        "[tank]\nprocess_children_only = yes\n[tank/Z]\nhourly = 0\ndaily = 0\nmonthly = 0\n"
        f"autoprune = no\n[tank/b]\nmonitor = no\n[tank/a]\n{ONLY_HOURLY}"
    )
    found = check(config, [("tank/a@autosnap_x_hourly", 1)], compat)
    assert found.message == "OK: all monitored datasets (tank/a, tank/Z) have fresh snapshots"
    assert found.level is Level.OK


@pytest.mark.parametrize("compat", BOTH)
@pytest.mark.parametrize(
    ("keys", "age", "begins", "level"),
    [
        ("monitor_dont_warn = yes", 2 * HOUR, "WARN: ", 0),
        ("monitor_dont_crit = yes", 2 * HOUR, "WARN: ", 1),
        ("monitor_dont_warn = yes", 7 * HOUR, "CRIT: ", 2),
        ("monitor_dont_crit = yes", 7 * HOUR, "CRIT: ", 0),
        ("monitor_dont_crit = yes", None, "CRIT: ", 0),
    ],
)
def test_what_is_not_to_fail_is_said_all_the_same(
    keys: str, age: int | None, begins: str, level: int, compat: Compat
) -> None:
    found = hourly(keys, age, compat)
    assert found.message.startswith(begins)
    assert found.level == level


@pytest.mark.parametrize(
    ("age", "level", "message"),
    [
        (10 * MINUTE, 0, "OK: all monitored datasets (tank/a) have fresh snapshots"),
        (
            11 * MINUTE,
            1,
            "WARN: tank/a newest hourly snapshot is 11m 0s old (should be < 10m 0s)",
        ),
        (None, 1, "WARN: tank/a has no hourly snapshots at all!"),
    ],
)
def test_q14_a_limit_that_warns_counts_alone(age: int | None, level: int, message: str) -> None:
    keys = "hourly_warn = 10m\nhourly_crit = 0\n"
    found = hourly(keys, age)
    assert (found.level, found.message) == (level, message)
    assert hourly(keys, age, Compat.BUG_FOR_BUG).level is Level.OK


@pytest.mark.parametrize("compat", BOTH)
@pytest.mark.parametrize("age", [None, 99 * DAY])
def test_without_limits_nothing_is_late(age: int | None, compat: Compat) -> None:
    assert hourly("hourly_warn = 0\nhourly_crit = 0\n", age, compat).level is Level.OK


def test_q15_a_year_has_365_days() -> None:
    keys = "hourly_warn = 1y\nhourly_crit = 2y\n"
    assert hourly(keys, 366 * DAY).message.endswith("(should be < 365d 0h 0m 0s)")
    assert hourly(keys, 366 * DAY, Compat.BUG_FOR_BUG).level is Level.OK
    assert hourly(keys, 31 * 365 * DAY + 1, Compat.BUG_FOR_BUG).level is Level.WARNING


def test_q16_a_text_that_is_no_age_is_a_second_only_bug_for_bug() -> None:
    keys = "hourly_warn = 10x\nhourly_crit = 20 m\n"
    assert hourly(keys, 1, Compat.BUG_FOR_BUG).level is Level.OK
    assert hourly(keys, 2, Compat.BUG_FOR_BUG).level is Level.CRITICAL
    assert len(read_ini(f"[tank/a]\n{keys}", "sanoid.conf").problems) == 2


def test_q26_a_section_called_template_is_not_monitored_bug_for_bug() -> None:
    found = check(f"[templates]\n[tank/a]\n{ONLY_HOURLY}", (), Compat.BUG_FOR_BUG)
    assert found.message == "CRIT: tank/a has no hourly snapshots at all!"


def test_q28_what_is_only_monitored_is_listed() -> None:
    config = f"[tank/a]\nautosnap = no\nautoprune = no\n{ONLY_HOURLY}[tank/z]\nmonitor = no\n"
    ages = [("tank/a@autosnap_x_hourly", 1)]
    assert check(config, ages).level is Level.OK
    assert check(config, ages, Compat.BUG_FOR_BUG).level is Level.CRITICAL
    # It lists what is below a listed one, too, and all there is when one does not exist.
    parent = config.replace("[tank/z]", "[tank]")
    assert check(parent, ages, Compat.BUG_FOR_BUG).level is Level.OK
    missing = config.replace("[tank/z]", "[tank/none]")
    assert check(missing, ages, Compat.BUG_FOR_BUG).level is Level.OK


def test_a_snapshot_made_in_a_second_from_now_is_none_only_bug_for_bug() -> None:
    assert hourly("", -1).level is Level.OK
    assert hourly("", -1, Compat.BUG_FOR_BUG).message == (
        "CRIT: tank/a has no hourly snapshots at all!"
    )


def test_a_backup_of_ours_counts_for_each_of_its_classes() -> None:
    ages = [("tank/a@zrep_20240501_093000_daily.hourly", HOUR)]
    config = "[tank/a]\nmonthly = 0\n"
    assert check(config, ages).level is Level.OK
    assert check(config, ages, Compat.BUG_FOR_BUG).level is Level.CRITICAL


def test_foreign_snapshots_do_not_count() -> None:
    ages = [("tank/a@manual_hourly", 1), ("tank/a@syncoid_x_hourly", 1)]
    assert check(f"[tank/a]\n{ONLY_HOURLY}", ages).level is Level.CRITICAL


def test_children_are_monitored_like_their_parent() -> None:
    config = f"[tank/a]\nrecursive = yes\n{ONLY_HOURLY}"
    found = check(config, [("tank/a@autosnap_x_hourly", 1)])
    assert found.message == "CRIT: tank/a/b has no hourly snapshots at all!"


def test_a_dataset_that_does_not_exist_has_no_snapshots() -> None:
    found = check(f"[tank/gone]\n{ONLY_HOURLY}")
    assert found.message == "CRIT: tank/gone has no hourly snapshots at all!"


def test_the_figures_follow_the_line() -> None:
    config = (
        "[tank/a]\nmonthly = 0\nweekly = 1\n[tank/z]\ndaily = 0\nmonthly = 0\nhourly_crit = 0\n"
    )
    ages = [
        ("tank/a@autosnap_x_hourly", 91 * MINUTE),
        ("tank/a@autosnap_x_daily", 5),
        ("tank/a@autosnap_x_weekly", 5),
        ("tank/z@autosnap_x_hourly", -3),
    ]
    assert render_check(check(config, ages)) == (
        "WARN: tank/a newest hourly snapshot is 1h 31m 0s old (should be < 1h 30m 0s)"
        " | 'tank/a_daily'=5s;100800;115200;0 'tank/a_hourly'=5460s;5400;21600;0"
        " 'tank/z_hourly'=-3s;5400;;0"
    )


def test_what_has_no_snapshot_has_no_figure() -> None:
    assert "|" not in render_check(check(f"[tank/a]\n{ONLY_HOURLY}"))


def test_json_has_the_same_and_each_figure() -> None:
    found = hourly("monitor_dont_warn = yes", 91 * MINUTE)
    assert check_json(found) == {
        "status": 0,
        "state": "OK",
        "message": found.message,
        "watched": [
            {
                "name": "tank/a",
                "class": "hourly",
                "value": 5_460,
                "unit": "s",
                "warn": 5_400,
                "crit": 21_600,
                "state": "OK",
                "says": found.message,
            }
        ],
        "errors": [],
    }
