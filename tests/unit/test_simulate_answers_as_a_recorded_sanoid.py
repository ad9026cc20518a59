"""`zrep simulate` and `zrep config show` give the recorded answers of a real sanoid.

Bug-for-bug all of them; by default all but those named here, each with the quirk that zrep does
not share.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.unit.policy_commands import BUG_FOR_BUG, Said, write_config, write_pool, zrep
from tests.unit.rows import of_each
from tests.unit.sanoid_vectors import all_vectors
from zrep.model.autosnap import autosnap_name
from zrep.model.names import SnapClass
from zrep.model.sanoid import TOGGLES

Vector = dict[str, Any]

RUNS = [v for v in all_vectors() if v["kind"] == "run"]
CONFIGS = [v for v in all_vectors() if v["kind"] == "config"]

# Refused by default: vector -> quirk.
REFUSED = {
    "S16": "Q19: zfs recursion with process_children_only takes nothing, ever",
    "S18": "Q1: half a snapshot",
    "P12": "Q1: minus one snapshot",
    "E6": "Q2: a comment behind a switch turns it on",
    "C:zfs then ancestor yes": "Q30: nested recursive snapshots",
    "C:R11 zfs pco": "Q19: zfs recursion with process_children_only takes nothing, ever",
    "C:inline num/toggle": "Q2: a comment behind a switch turns it on",
    "C:unknown template": "Q3: a template that does not exist",
    "C:quoted": "Q1: a count in quotes is 0",
    "C:toggle 2/empty": "Q2: a switch that is neither on nor off",
    "C:templates pool": "Q26: a section called template... is ignored",
    "C:backslash cont": "Q1: more than a number",
}

# Decided otherwise by default: vector -> quirk, and the classes taken.
OTHERWISE: dict[str, tuple[str, tuple[str, ...]]] = {
    "S5b": ("Q8: a Sunday written as 7 takes a snapshot every time", ()),
    "S8c": ("Q5: 29 February kills the run in other years", ("yearly",)),
    "D1": ("Q10: frequent ones stop for the hour that comes twice", ("frequently",)),
    "D3c": ("Q9: an hourly one on every run up to hourly_min", ()),
    "D4": ("Q12: the daily one of that day comes late", ("daily",)),
}

# The same settings, written otherwise by default: vector -> quirk, key, value.
PLAINER = {"C:semicolon comment": ("Q4: a comment behind a number", "daily", "3")}

DID_NOTHING = (["--quiet"], ["--verbose"])


def simulate(folder: Path, vector: Vector, *args: str) -> Said:
    config = write_config(folder, vector["config"])
    pool = write_pool(
        folder,
        vector["datasets"],
        vector["snapshots"],
        held=vector["held"],
        pool_cap=vector["pool_cap"],
    )
    when = ("--now", str(vector["now"]), "--tz", vector["tz"])
    return zrep("simulate", "--config", config, "--inventory", pool, *when, "--json", *args)


def show(folder: Path, vector: Vector, *args: str) -> Said:
    config = write_config(folder, vector["config"])
    pool = write_pool(folder, vector["datasets"])
    return zrep("config", "show", "--config", config, "--inventory", pool, "--json", *args)


def halves(vector: Vector) -> set[str]:
    """Which of the two things the recorded run did; a plan always has both."""
    args = set(vector["args"])
    prunes = {"--cron", "--prune-snapshots"} & args and "--readonly" not in args
    takes = {"--cron", "--take-snapshots"} & args
    return {half for half, done in (("take", takes), ("prune", prunes)) if done}


def recorded(vector: Vector) -> dict[str, list[str]]:
    expect = vector["expect"]
    return {
        "take": [order.rpartition(" ")[2] for order in expect["take"]],
        "prune": expect["prune"],
    }


def by_id(vector: Vector) -> str:
    found: str = vector["id"]
    return found


@of_each(RUNS, name=by_id)
def test_bug_for_bug_a_run_orders_what_sanoid_ordered(vector: Vector, tmp_path: Path) -> None:
    said = simulate(tmp_path, vector, *BUG_FOR_BUG)
    died = vector["expect"]["exit"] == "nonzero"
    assert set(said.json) == {"take", "prune", "errors"}
    assert bool(said.json["errors"]) is died
    assert said.status == (3 if died else 0)
    for half in halves(vector):
        assert said.json[half] == recorded(vector)[half]


@of_each(RUNS, name=by_id)
def test_by_default_a_run_differs_only_where_it_is_said(vector: Vector, tmp_path: Path) -> None:
    said = simulate(tmp_path, vector)
    if vector["id"] in REFUSED or (vector["expect"]["exit"] and vector["id"] not in OTHERWISE):
        assert said.json["errors"]
        assert (said.json["take"], said.json["prune"], said.status) == ([], [], 3)
        return
    expected = recorded(vector)
    expected["take"] = sorted(in_utc(vector))
    assert said.json["errors"] == []
    for half in halves(vector):
        assert said.json[half] == expected[half]


def in_utc(vector: Vector) -> Iterator[str]:
    """Q13: names carry UTC, so the name of the hour that comes twice comes once."""
    moment = datetime.fromtimestamp(vector["now"], UTC)
    local = moment.astimezone(ZoneInfo(vector["tz"]))
    if vector["id"] in OTHERWISE:
        for snap_class in OTHERWISE[vector["id"]][1]:
            yield f"tank/a@{autosnap_name(moment, SnapClass(snap_class))}"
        return
    for name in {n.replace("dst_", "_") for n in recorded(vector)["take"]}:
        yield name.replace(f"{local:%Y-%m-%d_%H:%M:%S}", f"{moment:%Y-%m-%d_%H:%M:%S}")


@of_each(CONFIGS, name=by_id)
def test_bug_for_bug_settings_come_to_what_sanoid_made_of_them(
    vector: Vector, tmp_path: Path
) -> None:
    said = show(tmp_path, vector, *BUG_FOR_BUG)
    assert set(said.json) == {"effective", "errors"}
    assert_settings(said.json, vector)


@of_each(CONFIGS, name=by_id)
def test_by_default_settings_differ_only_where_it_is_said(vector: Vector, tmp_path: Path) -> None:
    said = show(tmp_path, vector)
    if vector["id"] in REFUSED:
        assert said.json["errors"]
        assert (said.json["effective"], said.status) == ({}, 3)
        return
    if vector["id"] in PLAINER:
        _, key, value = PLAINER[vector["id"]]
        settings = vector["expect"]["effective"]["tank/a"]
        effective = {"tank/a": {**settings, key: value}}
        vector = {**vector, "expect": {**vector["expect"], "effective": effective}}
    assert_settings(said.json, vector)


def assert_settings(found: dict[str, Any], vector: Vector) -> None:
    if vector["expect"]["exit"] == "nonzero":
        assert found["errors"]
        assert found["effective"] == {}
        return
    assert found["errors"] == []
    expected = vector["expect"]["effective"]
    assert set(found["effective"]) == set(expected)
    for name, settings in expected.items():
        values = found["effective"][name]
        assert {k: values.get(k) for k in settings} == settings
        for fact in ("zfs_recursion", "process_children_only"):
            assert (fact in values) is (fact in settings)
        assert all(values[k] in {0, 1} for k in TOGGLES if isinstance(values.get(k), int))


def test_every_difference_is_one_of_a_recorded_answer() -> None:
    ids = {v["id"] for v in (*RUNS, *CONFIGS)}
    assert set(REFUSED) | set(OTHERWISE) | set(PLAINER) <= ids
    assert all(v["args"] in DID_NOTHING or halves(v) for v in RUNS if v["id"] != "P17")
