"""`zrep check` gives the recorded answers of a real sanoid's monitoring.

Bug-for-bug all of them; by default all but those named here, each with the quirk that zrep does
not share.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.unit.policy_commands import BUG_FOR_BUG, Said, write_config, write_pool, zrep
from tests.unit.rows import of_each
from tests.unit.sanoid_vectors import all_vectors

Vector = dict[str, Any]

# In the order in which sanoid looks for them: the first one given is all that it does.
CHECKS = {"--monitor-snapshots": "snapshots", "--monitor-capacity": "capacity"}

VECTORS = [v for v in all_vectors() if v["kind"] == "monitor" and CHECKS.keys() & set(v["args"])]

# Refused by default: vector -> quirk.
REFUSED = {
    "M9": "Q16: a text that is no age is taken for a second",
    "CAP#6": "sanoid dies of a limit that is no whole number",
}

# Answered otherwise by default: vector -> quirk, status, line.
OTHERWISE = {
    "M6": (
        "Q14: a limit that warns counts for nothing without one that cries out",
        1,
        "WARN: tank/a newest hourly snapshot is 1h 0m 0s old (should be < 10m 0s)",
    ),
    "M10": (
        "Q15: a year is 31 years",
        1,
        "WARN: tank/a newest yearly snapshot is 400d 0h 0m 0s old (should be < 365d 0h 0m 0s)",
    ),
    "M11": (
        "Q28: what is only monitored is not listed",
        0,
        "OK: all monitored datasets (tank/a) have fresh snapshots",
    ),
}


def check(folder: Path, vector: Vector, *args: str) -> Said:
    kind = next(CHECKS[a] for a in CHECKS if a in vector["args"])
    config = write_config(folder, vector["config"])
    pool = write_pool(folder, vector["datasets"], vector["snapshots"], pool_cap=vector["pool_cap"])
    when = ("--now", str(vector["now"])) if kind == "snapshots" else ()
    return zrep("check", kind, "--config", config, "--inventory", pool, *when, *args)


def by_id(vector: Vector) -> str:
    found: str = vector["id"]
    return found


@of_each(VECTORS, name=by_id)
def test_bug_for_bug_the_line_and_the_status_are_sanoids(vector: Vector, tmp_path: Path) -> None:
    said = check(tmp_path, vector, *BUG_FOR_BUG)
    expect = vector["expect"]
    assert said.out.strip() == expect["stdout"]
    assert said.status == (3 if expect["exit"] == "nonzero" else expect["exit"])


@of_each(VECTORS, name=by_id)
def test_by_default_they_differ_only_where_it_is_said(vector: Vector, tmp_path: Path) -> None:
    said = check(tmp_path, vector)
    if vector["id"] in REFUSED:
        assert said.status == 3
        assert said.out.startswith("UNKNOWN: ")
        assert "sanoid.conf:" in said.out
        return
    expect = vector["expect"]
    _, status, line = OTHERWISE.get(vector["id"], ("", expect["exit"], expect["stdout"]))
    assert said.out.partition(" | ")[0].strip() == line
    assert said.status == status
    assert said.err == ""


def test_every_difference_is_one_of_a_recorded_answer() -> None:
    assert REFUSED.keys() | OTHERWISE.keys() <= {v["id"] for v in VECTORS}
    assert len(VECTORS) >= 14
