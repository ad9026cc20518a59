"""Health and room of pools: texts, levels and figures."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.rows import of_each
from tests.unit.sanoid_vectors import all_vectors
from tests.unit.zpool_outputs import STATUSES
from zrep.config.sections import read_ini
from zrep.errors import ConfigError
from zrep.model.check import Level
from zrep.model.pool_status import PoolFill, PoolStatus, Vdev
from zrep.model.sanoid import Compat
from zrep.planner.check_pools import (
    Limits,
    capacity_limits,
    check_capacity,
    check_health,
    pools_of,
    zfs_size,
)
from zrep.planner.effective import Effective, resolve
from zrep.report.check import check_json, render_check
from zrep.zfs.zpool import parse_status

SIZE, FREE = 4_262_780_928, 2_254_857_830
FIGURES = "{Size:3.97G Free:2.10G Cap:40%}"
HEALTH = [v for v in all_vectors() if v.get("args") == ["--monitor-health"]]


def sections(config: str, compat: Compat = Compat.DEFAULT) -> tuple[Effective, ...]:
    read = read_ini(config, "sanoid.conf", compat)
    return resolve(read.sections, lambda _: [], compat).effective


def status(name: str, health: str, *vdevs: Vdev, capacity: int | None = 40) -> PoolStatus:
    fill = PoolFill(name=name, health=health, size=SIZE, free=FREE, capacity=capacity)
    return PoolStatus(fill=fill, vdevs=vdevs)


@pytest.mark.parametrize("vector", HEALTH, ids=lambda v: v["id"])
def test_health_is_told_as_a_recorded_sanoid_told_it(vector: dict[str, Any]) -> None:
    """Its stand-in for zpool wrote 2.1G, where a real one writes 2.10G."""
    told = vector["env"]
    vdevs = parse_status(told.get("ZSTATUS", ""))
    found = status("tank", told.get("ZHEALTH", "ONLINE"), *vdevs)
    check = check_health(["tank"], {"tank": found})
    assert check.message.replace("2.10G", "2.1G") == vector["expect"]["stdout"]
    assert check.level == vector["expect"]["exit"]


@pytest.mark.parametrize(
    ("pool", "health", "level", "damage"),
    [
        ("testspare", "ONLINE", 0, ""),
        ("zvol0", "DEGRADED", 1, "<mirror-0:DEGRADED> 12897545936258916783:UNAVAIL"),
        (
            "Regression-Pool",
            "UNAVAIL",
            2,
            "<raidz1-1:UNAVAIL> wwn-0x50000394f803873c:REMOVED wwn-0x50000394f809f478:REMOVED",
        ),
        (
            "testpool",
            "DEGRADED",
            1,
            (
                "<draid1:2d:10c:5s-0:DEGRADED> spare-2:DEGRADED "
                "(/var/tmp/basedir.1718729/vdev2:FAULTED)"
            ),
        ),
        (
            "rpool",
            "DEGRADED",
            1,
            (
                "<mirror-0:DEGRADED> ata-CT500MX500SSD1_XXXXXXXXXXXX-part3:DEGRADED "
                "ata-CT500MX500SSD1_YYYYYYYYYYYY-part3:FAULTED"
            ),
        ),
        ("pool1", "SUSPENDED", 2, "<sdc:UNAVAIL>"),
        ("zones", "DEGRADED", 1, "<c1t2d0s4:OFFLINE>"),
    ],
)
def test_real_pools(pool: str, health: str, level: int, damage: str) -> None:
    found = status(pool, health, *parse_status(STATUSES[pool]))
    check = check_health([pool], {pool: found})
    prefix = ("", "*** WARNING *** ", "*** CRITICAL *** ")[level]
    line = f"{prefix}{Level(level).name} ZPOOL {pool} : {health} {FIGURES} {damage}"
    assert check.message == line.rstrip()
    assert check.level == level


def test_a_lost_device_of_a_pool_that_is_well_is_a_warning() -> None:
    cache = Vdev(name="sdx", depth=1, state="UNAVAIL")
    check = check_health(["tank"], {"tank": status("tank", "ONLINE", cache)})
    line = f"*** WARNING *** WARNING ZPOOL tank : ONLINE {FIGURES} <sdx:UNAVAIL>"
    assert (check.message, check.level) == (line, Level.WARNING)


def test_counted_errors_of_a_device_are_a_warning() -> None:
    disk = Vdev(name="sda", depth=2, state="ONLINE", read=1, cksum=1_204)
    check = check_health(["tank"], {"tank": status("tank", "ONLINE", disk)})
    assert check.message.endswith("(sda:read, cksum errors)")
    assert check.level is Level.WARNING


def test_a_pool_that_is_missing_is_critical_and_hides_no_other() -> None:
    pools = pools_of(sections("[tank/a]\n[gone/b]\n[odd]\npath = tank/c\n"))
    assert pools == ["gone", "tank"]
    check = check_health(pools, {"tank": status("tank", "ONLINE")})
    lost = "CRITICAL ZPOOL {gone} does not exist and/or is not responding!"
    assert check.message == f"{lost}, OK ZPOOL tank : ONLINE {FIGURES}"
    assert check.level is Level.CRITICAL
    assert check_health(["gone"], {}).message == lost


def test_json_tells_of_each_pool_by_itself() -> None:
    pools = {"a": status("a", "ONLINE"), "b": status("b", "FAULTED", capacity=None)}
    found = check_json(check_health(["a", "b"], pools))["watched"]
    assert isinstance(found, list)
    assert [(w["name"], w["state"], w["value"]) for w in found] == [
        ("a", "OK", 40),
        ("b", "CRITICAL", None),
    ]
    assert found[0]["says"] == f"OK ZPOOL a : ONLINE {FIGURES}"


def test_sizes_that_zfs_does_not_know_are_a_dash() -> None:
    found = PoolStatus(fill=PoolFill(name="tank", health="UNAVAIL"))
    check = check_health(["tank"], {"tank": found})
    assert "UNAVAIL {Size:- Free:- Cap:-}" in check.message
    assert render_check(check) == check.message


@of_each(
    [
        (0, "0"),
        (512, "512"),
        (1_023, "1023"),
        (1_024, "1K"),
        (1_536, "1.50K"),
        (15_729, "15.4K"),
        (104_857, "102K"),
        (1_048_064, "1024K"),
        (SIZE, "3.97G"),
        (107_374_182_400, "100G"),
        (9_981_503_995_904, "9.08T"),
        (1 << 70, "1024E"),
        (None, "-"),
    ]
)
def test_sizes_are_written_as_zpool_writes_them(row: tuple[int | None, str]) -> None:
    count, text = row
    assert zfs_size(count) == text


@pytest.mark.parametrize(
    ("capacity", "level", "prefix"),
    [
        (0, 0, ""),
        (79, 0, ""),
        (80, 1, "*** WARNING *** "),
        (94, 1, "*** WARNING *** "),
        (95, 2, "*** CRITICAL *** "),
        (100, 2, "*** CRITICAL *** "),
    ],
)
def test_a_limit_of_room_is_reached_not_passed(capacity: int, level: int, prefix: str) -> None:
    check = check_capacity(capacity_limits(sections("[tank/a]\n")), {"tank": capacity})
    assert check.message == f"{prefix}{Level(level).name} ZPOOL tank : {capacity}%"
    assert check.level == level
    assert render_check(check) == f"{check.message} | 'tank'={capacity}%;80;95;0;100"


@pytest.mark.parametrize(
    ("config", "limits"),
    [
        ("[tank/a]\ncapacity_warn = 10\n[tank]\ncapacity_warn = 50\n", {"tank": (50, 95)}),
        ("[tank]\ncapacity_warn = 50\n[tank/a]\ncapacity_warn = 10\n", {"tank": (50, 95)}),
        ("[tank/a]\ncapacity_warn = 10\n[tank/b]\n", {"tank": (10, 95)}),
        ("[b/x]\ncapacity_crit = 0\n[a]\n", {"a": (80, 95), "b": (80, 0)}),
        ("[tank]\ncapacity_warn = 0\ncapacity_crit = 0\n[tank/a]\n", {}),
        ("[tank]\nmonitor = no\nprocess_children_only = yes\n", {"tank": (80, 95)}),
        ("[odd]\npath = tank/a\ncapacity_warn = 1\n[tank/b]\n", {"tank": (1, 95)}),
    ],
)
def test_limits_are_the_pools_own_or_its_first_sections(
    config: str, limits: dict[str, tuple[int, int]]
) -> None:
    expected = {pool: Limits(warn=warn, crit=crit) for pool, (warn, crit) in limits.items()}
    found = capacity_limits(sections(config))
    assert found == expected
    assert list(found) == sorted(expected)


def test_q20_a_path_leads_to_the_wrong_pool_only_bug_for_bug() -> None:
    config = "[odd]\npath = tank/a\n"
    assert list(capacity_limits(sections(config), Compat.BUG_FOR_BUG)) == ["odd"]
    assert list(capacity_limits(sections(config))) == ["tank"]


def test_without_limits_nothing_is_said() -> None:
    check = check_capacity({}, {})
    assert (check.message, check.level, render_check(check)) == ("", Level.OK, "")


@pytest.mark.parametrize("limit", ["80%", "101", "-1", "8.5"])
def test_a_limit_of_which_sanoid_dies_is_an_error(limit: str) -> None:
    config = f"[tank]\ncapacity_crit = {limit}\n"
    with pytest.raises(ConfigError, match=r"tank: capacity_crit must be per cent"):
        capacity_limits(sections(config, Compat.BUG_FOR_BUG), Compat.BUG_FOR_BUG)
    assert read_ini(config, "sanoid.conf").problems


def test_pools_without_an_answer_are_critical() -> None:
    check = check_capacity({"gone": Limits(warn=80, crit=95)}, {})
    assert check.message == "CRITICAL ZPOOL {gone} does not exist and/or is not responding!"
    assert check.level is Level.CRITICAL
