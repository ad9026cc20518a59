"""Policy files: the shipped ones load and say what they give; wrong ones are answered by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config_files import POLICIES
from tests.unit.rows import of_each
from zrep.config.document import Document, Problem, parse_document
from zrep.config.policy import read_policy
from zrep.model.names import SnapClass
from zrep.model.policy import Alarm, Monitor, Policy, Schedule

SHIPPED = sorted(POLICIES.glob("*.toml"))
YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, FREQUENTLY, MANUAL = SnapClass


def read(text: str) -> tuple[Policy | None, list[str]]:
    document = parse_document(text, "p.toml")
    assert isinstance(document, Document)
    problems: list[Problem] = []
    return read_policy(document, "p", problems), [str(p) for p in problems]


def policy(text: str) -> Policy:
    found, problems = read(text)
    assert problems == []
    assert found is not None
    return found


def test_all_shipped_policies_are_there() -> None:
    names = [path.stem for path in SHIPPED]
    assert names == ["archive", "backup", "hotspare", "offsite", "production", "short"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_each_shipped_policy_loads_and_opens_with_one_sentence(path: Path) -> None:
    text = path.read_text()
    first, second, *_ = text.split("\n")
    assert first.startswith("# ")
    assert first.endswith(".")
    assert second == ""
    loaded = policy(text)
    assert all(key in text for key in SnapClass if key is not MANUAL), "all counts are spelled out"
    assert any(loaded.keep.values())


@pytest.mark.parametrize(
    ("name", "keep"),
    [
        ("production", (0, 3, 0, 30, 36, 0)),
        ("backup", (0, 12, 4, 90, 30, 0)),
        ("offsite", (5, 24, 26, 90, 0, 0)),
        ("hotspare", (0, 3, 0, 30, 36, 0)),
        ("short", (0, 0, 0, 7, 24, 0)),
        ("archive", (20, 60, 52, 30, 0, 0)),
    ],
)
def test_shipped_counts_are_as_documented(name: str, keep: tuple[int, ...]) -> None:
    loaded = policy((POLICIES / f"{name}.toml").read_text())
    assert tuple(loaded.keep[c] for c in SnapClass if c is not MANUAL) == keep
    assert loaded.autosnap is (name in {"production", "short", "archive"})


def test_what_a_policy_leaves_out_is_as_in_sanoid() -> None:
    found = policy("")
    assert found.keep == {YEARLY: 0, MONTHLY: 6, WEEKLY: 0, DAILY: 90, HOURLY: 48, FREQUENTLY: 0}
    assert found.schedule == Schedule()
    assert (found.autosnap, found.autoprune, found.timezone) == (True, True, "UTC")
    assert found.monitor.alarms[DAILY] == Alarm(warn=28 * 3600, crit=32 * 3600)
    assert found.keeps_for_ever(MANUAL)


def test_every_kind_of_key_is_taken_over() -> None:
    found = policy(
        'daily = 1\nmanual = 5\ntimezone = "Europe/Vienna"\nautoprune = false\nprune_defer = 60\n'
        "daily_hour = 3\nfrequent_period = 5\nmonitor = false\nmonitor_dont_warn = true\n"
        'monitor_dont_crit = true\ncapacity_warn = 70\ncapacity_crit = 0\nhourly_warn = "2h"\n'
        'hourly_crit = 240\nyearly_crit = "1y"\nfrequently_warn = 90\n'
    )
    assert (found.count(DAILY), found.count(MANUAL), found.keeps_for_ever(MANUAL)) == (1, 5, False)
    assert (found.timezone, found.autoprune, found.prune_defer) == ("Europe/Vienna", False, 60)
    assert found.schedule == Schedule(daily_hour=3, frequent_period=5)
    assert found.period(FREQUENTLY) == 300
    expected = Monitor(
        enabled=False,
        dont_warn=True,
        dont_crit=True,
        capacity_warn=70,
        capacity_crit=0,
        alarms={
            **found.monitor.alarms,
            HOURLY: Alarm(warn=7200, crit=14_400),
            YEARLY: Alarm(warn=0, crit=31_536_000),
            FREQUENTLY: Alarm(warn=90, crit=0),
        },
    )
    assert found.monitor == expected


@of_each(
    [
        ("daily = 30\nhorly = 3", "p.toml:2: horly: unknown key, did you mean hourly?"),
        ("use_template = 'x'", "p.toml:1: use_template: unknown key"),
        ("\ndaily = '30'", "p.toml:2: daily: must be a whole number, not '30'"),
        ("daily = 0.5", "p.toml:1: daily: must be a whole number, not 0.5"),
        ("daily = -1", "p.toml:1: daily: must be 0 to 1000000, not -1"),
        ("manual = true", "p.toml:1: manual: must be a whole number, not true"),
        ("autosnap = 'no'", "p.toml:1: autosnap: must be true or false (without quotes), not 'no'"),
        ("autoprune = 1", "p.toml:1: autoprune: must be true or false"),
        ("frequent_period = 0", "p.toml:1: frequent_period: must be 1 to 1440, not 0"),
        ("daily_hour = 24", "p.toml:1: daily_hour: must be 0 to 23, not 24"),
        ("yearly_mon = 13", "p.toml:1: yearly_mon: must be 1 to 12, not 13"),
        ("prune_defer = '50'", "p.toml:1: prune_defer: must be a whole number, not '50'"),
        ("capacity_warn = 101", "p.toml:1: capacity_warn: must be 0 to 100, not 101"),
        ("daily_warn = '28 h'", 'p.toml:1: daily_warn: must be an age like "90m", "28h" or "32d"'),
        ("daily_warn = -3", "p.toml:1: daily_warn: must be an age like"),
        (
            "timezone = 'Europe/Wien'",
            "p.toml:1: timezone: must be a time zone like Europe/Stockholm",
        ),
        ("timezone = '../etc/passwd'", "p.toml:1: timezone: must be a time zone"),
        ("timezone = 2", "p.toml:1: timezone: must be text in quotes, not 2"),
        ("hourly=0\ndaily=0\nmonthly=0", "p.toml:1: keeps nothing: give a class a count, or set"),
    ]
)
def test_a_wrong_policy_is_answered_with_line_and_reason(row: tuple[str, str]) -> None:
    text, expected = row
    found, problems = read(text)
    assert found is None
    assert len(problems) == 1
    assert problems[0].startswith(expected)


def test_a_policy_may_keep_nothing_when_it_does_not_prune() -> None:
    assert policy("hourly=0\ndaily=0\nmonthly=0\nautoprune=false").autoprune is False


@pytest.mark.parametrize(
    ("zone", "nearest"),
    [("Europe/Stokholm", "Europe/Stockholm"), ("europe/vienna", "Europe/Vienna")],
)
def test_a_misspelt_time_zone_is_answered_with_the_nearest(zone: str, nearest: str) -> None:
    _, problems = read(f"timezone = '{zone}'")
    assert problems[0].endswith(f"did you mean {nearest}?")


def test_a_policy_cannot_be_made_with_values_that_mean_nothing() -> None:
    with pytest.raises(ValueError, match="daily must not be negative"):
        Policy(name="x", keep={DAILY: -1})
    with pytest.raises(ValueError, match="daily_hour must be 0 to 23"):
        Schedule(daily_hour=24)
