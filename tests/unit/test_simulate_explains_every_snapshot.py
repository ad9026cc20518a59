"""`zrep explain` says of each snapshot which class keeps it, until when, or what protects it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.policy_commands import Said, write_config, write_pool, zrep

NOW = 1_714_559_400  # 2024-05-01 10:30 UTC
CONFIG = "[t]\nrecursive = yes\nhourly = 2\ndaily = 1\nmonthly = 0\n"


def aged(name: str, hours: float) -> tuple[str, int]:
    return (f"t/a@{name}", int(NOW - hours * 3_600))


SNAPSHOTS = [
    aged("autosnap_5_hourly", 5),
    aged("autosnap_4_hourly", 4),
    aged("autosnap_30_daily", 30),
    aged("autosnap_1.9_hourly", 1.9),
    aged("autosnap_1_hourly", 1),
    aged("autosnap_0.4_hourly", 0.4),
    aged("by-hand", 99),
]


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    return write_pool(tmp_path, ["t", "t/a"], SNAPSHOTS, held=["t/a@autosnap_5_hourly"])


def explain(pool: Path, name: str, *args: str, config: str = CONFIG) -> Said:
    file = write_config(pool.parent, config)
    return zrep("explain", name, "--config", file, "--inventory", pool, "--now", str(NOW), *args)


def test_a_dataset_is_explained_snapshot_by_snapshot(pool: Path) -> None:
    later = "goes when 2 newer ones are there"
    assert explain(pool, "t/a").out.splitlines() == [
        "t/a: section [t] keeps daily 1, hourly 2; due: daily",
        "t/a@autosnap_0.4_hourly: stays",
        f"  hourly: number 1 where 2 stay; {later}, not before 2024-05-01 12:06:00Z",
        "t/a@autosnap_1_hourly: stays",
        f"  hourly: number 2 where 2 stay; {later}, not before 2024-05-01 11:30:00Z",
        "t/a@autosnap_1.9_hourly: stays",
        "  hourly: number 3 where 2 stay, but young; goes after 2024-05-01 10:36:00Z",
        "t/a@autosnap_4_hourly: goes",
        "  hourly: number 4 where 2 stay, and too old since 2024-05-01 08:30:00Z",
        "t/a@autosnap_5_hourly: stays",
        "  held or cloned: it cannot be destroyed, and is one of those that stay",
        "  hourly: number 5 where 2 stay, and too old since 2024-05-01 07:30:00Z",
        "t/a@autosnap_30_daily: stays",
        "  daily: number 1 where 1 stay; goes when 1 newer ones are there",
        "t/a@by-hand: stays",
        "  not sanoid's by its name: never counted and never destroyed",
    ]


def test_one_snapshot_is_explained_for_programs(pool: Path) -> None:
    said = explain(pool, "t/a@autosnap_4_hourly", "--json")
    assert said.json["due"] == ["daily"]
    [found] = said.json["snapshots"]
    assert (found["keep"], found["held"]) == (False, False)
    assert found["classes"] == [
        {"class": "hourly", "keeps": False, "index": 4, "count": 2, "age_limit": NOW - 7_200}
    ]


def test_a_pool_with_room_enough_keeps_all_for_now(pool: Path) -> None:
    said = explain(pool, "t/a@autosnap_4_hourly", config=f"{CONFIG}prune_defer = 50\n")
    assert said.out.splitlines()[1] == "t/a@autosnap_4_hourly: stays"
    assert "room enough" in said.out


def test_a_dataset_that_prunes_nothing_says_so(pool: Path) -> None:
    said = explain(pool, "t/a@autosnap_4_hourly", config=f"{CONFIG}autoprune = no\n")
    assert said.out.splitlines()[2] == "  hourly: nothing is ever pruned here"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("other", "no section of"),
        ("t/a@autosnap_9_hourly", "there is no snapshot t/a@autosnap_9_hourly"),
    ],
)
def test_what_is_not_there_is_a_usage_error(pool: Path, name: str, expected: str) -> None:
    said = explain(pool, name)
    assert (said.status, said.out) == (2, "")
    assert expected in said.err
