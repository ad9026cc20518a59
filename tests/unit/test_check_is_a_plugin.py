"""`zrep check` behaves as monitoring wants a plugin to: one line on stdout, its own statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.policy_commands import BUG_FOR_BUG, write_config, write_pool, zrep
from zrep.cli.main import COMMANDS

NOW = 1_714_559_400
FRESH = [(f"tank/a@autosnap_x_{c}", NOW - 60) for c in ("hourly", "daily", "monthly")]


@pytest.fixture
def good(tmp_path: Path) -> tuple[str | Path, ...]:
    config = write_config(tmp_path, "[tank/a]\ndaily = 3 # odd, but read\n")
    pool = write_pool(tmp_path, ["tank", "tank/a"], FRESH, pool_cap=81)
    return ("--config", config, "--inventory", pool)


def test_a_fresh_pool_is_one_line_with_figures(good: tuple[str | Path, ...]) -> None:
    said = zrep("check", "snapshots", *good, "--now", str(NOW))
    assert said.out == (
        "OK: all monitored datasets (tank/a) have fresh snapshots"
        " | 'tank/a_monthly'=60s;2764800;3456000;0 'tank/a_daily'=60s;100800;115200;0"
        " 'tank/a_hourly'=60s;5400;21600;0\n"
    )
    assert (said.status, said.err) == (0, "")


def test_bug_for_bug_there_are_no_figures(good: tuple[str | Path, ...]) -> None:
    said = zrep("check", "snapshots", *good, "--now", str(NOW), *BUG_FOR_BUG)
    assert said.out == "OK: all monitored datasets (tank/a) have fresh snapshots\n"


def test_without_a_time_it_is_now(good: tuple[str | Path, ...]) -> None:
    said = zrep("check", "snapshots", *good)
    assert said.status == 2
    assert said.out.startswith("CRIT: tank/a newest daily snapshot is ")


def test_capacity_is_that_of_the_inventory(good: tuple[str | Path, ...]) -> None:
    said = zrep("check", "capacity", *good)
    assert said.out == "*** WARNING *** WARNING ZPOOL tank : 81% | 'tank'=81%;80;95;0;100\n"
    assert said.status == 1


def test_json_is_one_document_with_the_status(good: tuple[str | Path, ...]) -> None:
    said = zrep("check", "capacity", *good, "--json")
    assert said.status == said.json["status"] == 1
    assert said.json["state"] == "WARNING"
    assert said.json["watched"][0]["value"] == 81


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("[tank/a]\nhourly_crit = 20 m\n", "sanoid.conf:2: [tank/a] hourly_crit: "),
        ("[tank/a]\nhuorly = 3\n", "sanoid.conf:2: "),
        ("", "sanoid.conf:1: "),
    ],
)
@pytest.mark.parametrize("what", ["snapshots", "health", "capacity"])
def test_a_wrong_configuration_is_unknown(
    tmp_path: Path, config: str, reason: str, what: str
) -> None:
    file = write_config(tmp_path, config)
    said = zrep("check", what, "--config", file)
    assert said.status == 3
    assert said.out.startswith("UNKNOWN: ")
    assert said.out.count("\n") == 1
    assert reason in said.out
    assert "zrep: [config.invalid] " in said.err
    assert "next:" in said.err


def test_a_missing_configuration_is_unknown(tmp_path: Path) -> None:
    said = zrep("check", "health", "--config", tmp_path / "none.conf")
    assert said.status == 3
    assert "none.conf" in said.out


def test_templates_alone_are_unknown(tmp_path: Path) -> None:
    file = write_config(tmp_path, "[template_x]\nhourly = 3\n")
    said = zrep("check", "capacity", "--config", file)
    assert (said.status, "has no section for any dataset" in said.out) == (3, True)


def test_an_error_is_json_when_json_is_wanted(tmp_path: Path) -> None:
    file = write_config(tmp_path, "[tank/a]\nhourly_crit = 20 m\nhuorly = 3\n")
    said = zrep("check", "snapshots", "--config", file, "--json")
    assert (said.status, said.json["status"], said.json["state"]) == (3, 3, "UNKNOWN")
    assert len(said.json["errors"]) == 2


@pytest.mark.parametrize("args", [("snapshots", "--bad"), ("health", "--compat", "x"), ("nope",)])
def test_a_wrong_command_line_is_unknown_and_not_critical(args: tuple[str, ...]) -> None:
    said = zrep("check", *args)
    assert said.status == 3
    assert said.out.startswith("UNKNOWN: ")
    assert "Error: " in said.err


def test_a_bar_in_a_message_begins_no_figures(tmp_path: Path) -> None:
    said = zrep("check", "capacity", "--config", tmp_path / "a|b.conf")
    assert said.status == 3
    assert "|" not in said.out


def test_remarks_stay_out_of_the_way(tmp_path: Path) -> None:
    """A plugin that is called through ssh fails for anything on stderr."""
    file = write_config(tmp_path, "[tank/none]\n[template_x]\npath = y\n")
    pool = write_pool(tmp_path, ["tank"], [])
    assert "note: " in zrep("simulate", "--config", file, "--inventory", pool).err
    said = zrep("check", "snapshots", "--config", file, "--inventory", pool, "--json")
    assert said.err == ""
    assert json.loads(said.out)["status"] == 2


@pytest.mark.parametrize("what", ["snapshots", "health", "capacity"])
def test_help_names_the_statuses(what: str) -> None:
    said = zrep("check", what, "--help")
    assert "Example" in said.out
    assert "3 unknown" in " ".join(said.out.split())
    assert "check" in COMMANDS
