"""Killing zrep with -9 at any moment of a sync leaves no half backup and nothing to clean up."""

from __future__ import annotations

import random

import pytest

from lab.world import World
from tests.lab.cli import Zrep

# Emulated machines take their time: a sync is most of a minute, and there are a dozen of them.
pytestmark = pytest.mark.timeout(3600)

MOMENTS = 10
SEED = 20220906

# Starts a sync, kills zrep alone (not its group) after a while, and says whether it still ran.
KILL_AFTER = """
zrep sync >/tmp/killed.out 2>&1 &
pid=$!
sleep {seconds}
if kill -9 $pid 2>/dev/null; then echo killed; else echo ended; fi
wait $pid 2>/dev/null || true
"""


@pytest.fixture(scope="module")
def usual_seconds(zrep: Zrep) -> float:
    """How long a sync takes here that finds little new."""
    if not zrep.backups():
        zrep("sync")
    return float(zrep.json("sync")["seconds"])


def test_ten_random_kills_leave_no_listed_half_backup_and_the_next_sync_succeeds(
    world: World, zrep: Zrep, usual_seconds: float
) -> None:
    chance = random.Random(SEED)
    killed = 0
    for _ in range(MOMENTS):
        seconds = round(chance.uniform(0.3, 0.9 * usual_seconds), 2)
        outcome = zrep.node.run(KILL_AFTER.format(seconds=seconds), timeout=300).stdout.strip()
        killed += outcome == "killed"
        assert {b["state"] for b in zrep.backups()} == {"complete"}, seconds
    assert killed >= MOMENTS // 2, "the moments were meant to fall inside the run"
    report = zrep.json("sync")
    assert report["state"] == "complete"
    assert zrep.backups()[0]["id"] == report["id"]
    for name in ("manager-1", "cassandra-1"):
        node = world.node(name)
        assert node.run("lvs --noheadings -o lv_name --select 'lv_tags=zrep'").stdout.strip() == ""
        assert node.run("findmnt -rn -o TARGET | grep ^/run/zrep || true").stdout == ""


def test_a_killed_sync_leaves_no_rsync_writing(zrep: Zrep) -> None:
    """The lock is free as soon as its last holder is gone, and that is within seconds."""
    zrep.node.run(KILL_AFTER.format(seconds=4), timeout=120)
    zrep.node.run(
        "for i in $(seq 20); do pgrep -x rsync >/dev/null || exit 0; sleep 1; done; exit 1",
        timeout=60,
    )
