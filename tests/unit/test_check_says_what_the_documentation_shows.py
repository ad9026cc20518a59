"""What the documents show of `zrep check` is what it says, and every check is shown."""

from __future__ import annotations

import re
from pathlib import Path

from zrep.cli.check_command import command
from zrep.config.sections import read_ini
from zrep.model.pool_status import PoolFill, PoolStatus, Vdev
from zrep.model.pool_view import PoolView, draw_pool
from zrep.planner.check_policy import check_snapshots
from zrep.planner.check_pools import capacity_limits, check_capacity, check_health
from zrep.planner.effective import Effective, resolve
from zrep.report.check import render_check

DOCS = Path(__file__).parents[2] / "docs"
PAGE = "".join((DOCS / f"{n}.md").read_text() for n in ("policies", "drill", "monitoring"))
SHOWN = dict(re.findall(r"^ *\$ zrep check (\w+).*\n(.+)$", PAGE, re.MULTILINE))
NOW = 1_714_559_400


def sections(pool: PoolView) -> tuple[Effective, ...]:
    return resolve(
        read_ini("[tank/a]\nmonthly = 0\n", "sanoid.conf").sections, pool.children
    ).effective


def test_snapshots() -> None:
    ages = [("tank/a@autosnap_x_hourly", 5_460), ("tank/a@autosnap_x_daily", 60)]
    pool = draw_pool(["tank", "tank/a"], [(name, NOW - age) for name, age in ages])
    assert render_check(check_snapshots(sections(pool), pool, NOW)) == SHOWN["snapshots"]


def test_health() -> None:
    fill = PoolFill(
        name="tank", health="DEGRADED", size=4_262_780_928, free=2_254_857_830, capacity=47
    )
    vdevs = (
        Vdev(name="mirror-0", depth=1, state="DEGRADED"),
        Vdev(name="sda", depth=2, state="ONLINE"),
        Vdev(name="sdb", depth=2, state="UNAVAIL"),
    )
    check = check_health(["tank"], {"tank": PoolStatus(fill=fill, vdevs=vdevs)})
    assert render_check(check) == SHOWN["health"]


def test_capacity() -> None:
    check = check_capacity(capacity_limits(sections(PoolView())), {"tank": 47})
    assert render_check(check) == SHOWN["capacity"]


def test_every_check_is_shown_and_no_other_is_named() -> None:
    assert SHOWN.keys() == command.commands.keys()
    assert set(re.findall(r"zrep check ([a-z]\w*)", PAGE)) == SHOWN.keys()
