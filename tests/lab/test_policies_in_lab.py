"""Plain datasets on real pools: taken, pruned, marked and spared, and beside the real sanoid."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator

import pytest

from lab.deploy import install_program
from lab.node import Node
from lab.world import World
from tests.lab.cli import Zrep

pytestmark = pytest.mark.timeout(1800)

# Emulated, `zfs list` takes a thirtieth of a second for each snapshot, and sanoid asks more than
# once: more snapshots when asked for.
HOURS, KEPT = 100, 94
DATASETS = int(os.environ.get("ZREP_LAB_SNAPSHOTS", "300")) // HOURS
CONF = """\
[{pool}]
use_template = few
recursive = yes
process_children_only = yes

[template_few]
hourly = {keep}
daily = 0
weekly = 0
monthly = 0
yearly = 0
"""
# A pool with one snapshot an hour of each dataset, and a copy of its very disk. The last is half an
# hour old, so that no age is near a limit.
MAKE = f"""
import subprocess, time
from datetime import datetime, timezone
import libzfs_core as lzc

def run(line):
    subprocess.run(line, shell=True, check=True)

for pool in ("ours", "theirs", "small"):
    run(f"zpool destroy {{pool}} 2>/dev/null || true; mkdir -p /var/tmp/{{pool}}")
for pool in ("ours", "small"):
    run(f"truncate -s 256M /var/tmp/{{pool}}/disk")
    run(f"zpool create -f -O canmount=off {{pool}} /var/tmp/{{pool}}/disk")
names = [f"ours/d{{i}}" for i in range({DATASETS})]
for name in [*names, "small/d"]:
    lzc.lzc_create(name.encode())
now = int(time.time())
for age in range({HOURS}, 0, -1):
    at = now - age * 3600 + 1800
    time.clock_settime(time.CLOCK_REALTIME, at)
    snap = f"autosnap_{{datetime.fromtimestamp(at, timezone.utc):%Y-%m-%d_%H:%M:%S}}_hourly"
    lzc.lzc_snapshot([f"{{name}}@{{snap}}".encode() for name in names])
    if age <= 3:
        lzc.lzc_snapshot([f"small/d@{{snap}}".encode()])
time.clock_settime(time.CLOCK_REALTIME, now + (time.time() - at))
run("zpool export ours && cp --sparse=always /var/tmp/ours/disk /var/tmp/theirs/disk")
run("zpool import -N -d /var/tmp/ours ours && zpool reguid ours && zpool sync ours")
run("zpool import -N -d /var/tmp/theirs ours theirs")
"""
COUNTED = r"""
before=$(sed -n 's/^processes //p' /proc/stat)
{command}
after=$(sed -n 's/^processes //p' /proc/stat)
echo "processes $((after - before))"
"""


@pytest.fixture(scope="module")
def solo(world: World) -> Node:
    world.ensure_up(["solo"], tied=True)
    node = world.node("solo")
    install_program(world, "solo")
    return node


@pytest.fixture(scope="module")
def pools(solo: Node) -> Iterator[Node]:
    solo.push_bytes(MAKE.encode(), "/root/make.py")
    solo.run("python3 /root/make.py", timeout=1200)
    solo.run("mkdir -p /etc/sanoid /root/p")
    for pool, keep in (("ours", KEPT), ("theirs", KEPT), ("small", 1)):
        text = CONF.format(pool=pool, keep=keep)
        solo.push_bytes(text.encode(), f"/root/p/{pool}.conf")
    yield solo
    solo.run("for pool in ours theirs small; do zpool destroy $pool; done")


@pytest.fixture(scope="module")
def zrep(pools: Node) -> Zrep:
    return Zrep(pools)


# In one call of the kernel: `zfs list` makes one for each snapshot, which takes minutes here.
LIST = """
names = {}
function walk(dataset)
    for snapshot in zfs.list.snapshots(dataset) do names[#names + 1] = snapshot end
    for child in zfs.list.children(dataset) do walk(child) end
end
args = ...
walk(args["argv"][1])
return names
"""


def snapshots(node: Node, root: str) -> set[str]:
    """Names after that of the pool or dataset."""
    node.push_bytes(LIST.encode(), "/root/list.lua")
    pool = root.partition("/")[0]
    text = node.run(
        f"zfs program -j -n -t 100000000 -m 100000000 {pool} /root/list.lua {root}"
    ).stdout
    found = json.loads(text)["return"]
    return {name.removeprefix(root) for name in (found.values() if found else ())}


def conf(pool: str) -> tuple[str, str]:
    return ("--config", f"/root/p/{pool}.conf")


def counted(node: Node, command: str) -> int:
    said = node.run(COUNTED.format(command=command), timeout=1500).stdout
    return int(re.findall(r"^processes (\d+)$", said, re.MULTILINE)[-1])


@pytest.fixture(scope="module")
def pruned(pools: Node) -> dict[str, int]:
    """Processes that each prune started: ours on many snapshots and on 3, and sanoid's."""
    assert len(snapshots(pools, "ours")) == len(snapshots(pools, "theirs")) == DATASETS * HOURS
    sanoid = pools.run("mkdir -p /etc/sanoid && cp /root/p/theirs.conf /etc/sanoid/sanoid.conf")
    assert sanoid.returncode == 0
    return {
        "small": counted(pools, "zrep prune --config /root/p/small.conf >/dev/null"),
        "ours": counted(pools, "zrep prune --config /root/p/ours.conf >/dev/null"),
        "theirs": counted(pools, "TZ=UTC sanoid --prune-snapshots >/dev/null"),
    }


def test_zrep_and_sanoid_destroy_the_same_snapshots(pools: Node, pruned: dict[str, int]) -> None:
    assert pruned
    ours, theirs = snapshots(pools, "ours"), snapshots(pools, "theirs")
    assert ours == theirs
    assert len(ours) == DATASETS * KEPT


def test_processes_do_not_grow_with_the_number_of_snapshots(pruned: dict[str, int]) -> None:
    """Sanoid starts several for each snapshot it destroys."""
    print(f"processes started: {pruned}")  # noqa: T201 - a figure to quote
    assert pruned["ours"] == pytest.approx(pruned["small"], abs=5)
    assert pruned["theirs"] > DATASETS * (HOURS - KEPT)


def test_what_is_due_is_taken_in_one_transaction_group(zrep: Zrep) -> None:
    zrep.node.run("zfs create -u small/e; zfs create -u small/f")
    due = zrep.json("snapshot", *conf("small"), "--dry-run")["take"]
    assert len(due) == 3
    done = zrep.json("snapshot", *conf("small"))
    assert done["failed"] == {}
    assert len(done["taken"]) == 3
    names = " ".join(done["taken"])
    groups = zrep.node.run(f"zfs get -H -p -o value createtxg {names}").stdout.split()
    assert len(set(groups)) == 1
    assert zrep.json("snapshot", *conf("small"))["taken"] == []


def test_a_held_and_a_cloned_snapshot_stay_and_explain_says_why(zrep: Zrep) -> None:
    node = zrep.node
    node.run("for i in 1 2 3 4; do zfs snapshot small/f@autosnap_${i}_hourly; done")
    node.run("zfs hold mine small/f@autosnap_1_hourly")
    node.run("zfs clone small/f@autosnap_2_hourly small/copy")
    node.run("date -s '+3 hours' >/dev/null")
    try:
        plan = zrep.json("prune", *conf("small"), "--dry-run")["datasets"]
        held = zrep("explain", *conf("small"), "small/f@autosnap_1_hourly").stdout
        cloned = zrep("explain", *conf("small"), "small/f@autosnap_2_hourly").stdout
        done = zrep.json("prune", *conf("small"))["datasets"]
    finally:
        node.run("date -s '-3 hours' >/dev/null")
    stuck = {"small/f@autosnap_1_hourly", "small/f@autosnap_2_hourly"}
    assert stuck <= set(plan["stuck"])
    assert "hold mine" in held
    assert "clone small/copy" in cloned
    assert done["failed"] == {}
    assert set(done["destroyed"]) == set(plan["destroy"])
    assert {f"/f@autosnap_{i}_hourly" for i in (1, 2)} <= snapshots(node, "small")
    node.run("zfs destroy small/copy; zfs release mine small/f@autosnap_1_hourly")


def test_marks_wait_for_their_time_on_a_real_pool(zrep: Zrep) -> None:
    node = zrep.node
    text = 'prune_grace = "2h"\n[dataset."small/g"]\nhourly = 1\ndaily = 0\nmonthly = 0\n'
    node.push_bytes(text.encode(), "/root/p/grace.toml")
    grace = ("--config", "/root/p/grace.toml")
    node.run(
        "zfs create -u small/g; for i in 1 2 3; do zfs snapshot small/g@autosnap_$i'_hourly'; done"
    )
    old = [f"small/g@autosnap_{i}_hourly" for i in (1, 2)]
    shift = 0
    try:
        shift = 2
        node.run("date -s '+2 hours' >/dev/null")
        assert zrep.json("prune", *grace)["datasets"]["marked"] == old
        assert zrep.json("prune", *grace)["datasets"]["wait"] == old
        zrep("undelete", *grace, old[0], "--keep")
        shift = 5
        node.run("date -s '+3 hours' >/dev/null")
        assert zrep.json("prune", *grace)["datasets"]["destroyed"] == old[1:]
    finally:
        node.run(f"date -s '-{shift} hours' >/dev/null")
    assert "zrep:keep" in node.run(f"zfs holds -H {old[0]}").stdout


@pytest.fixture(scope="module")
def many(zrep: Zrep) -> Zrep:
    """small/k has 20 snapshots, all half a day old."""
    node = zrep.node
    node.run("zfs create -u small/k; date -s '-12 hours' >/dev/null")
    try:
        node.run("for i in $(seq 10 29); do zfs snapshot small/k@autosnap_${i}_hourly; done")
    finally:
        node.run("date -s '+12 hours' >/dev/null")
    for keep in (8, 10, 12):
        text = CONF.format(pool="small/k", keep=keep).replace("process_children_only = yes", "")
        node.push_bytes(text.encode(), f"/root/p/k{keep}.conf")
    return zrep


def test_two_policies_are_compared_on_the_real_pool(many: Zrep) -> None:
    """As planned, nothing taken or destroyed."""
    before = snapshots(many.node, "small/k")
    diff = many.json("simulate", *conf("k12"), "--diff", "/root/p/k10.conf", "--live")
    assert diff["prune"]["only_first"] == []
    assert len(diff["prune"]["only_second"]) == 2
    assert snapshots(many.node, "small/k") == before


def test_a_clock_that_went_back_destroys_nothing(many: Zrep) -> None:
    before = snapshots(many.node, "small/k")
    many.node.run("zfs snapshot small/k@autosnap_now_hourly; date -s '-1 hour' >/dev/null")
    try:
        said = many("prune", *conf("k10"), status=5).stderr
    finally:
        many.node.run("date -s '+1 hour' >/dev/null")
    assert "clock" in said
    many.node.run("zfs destroy small/k@autosnap_now_hourly")
    assert snapshots(many.node, "small/k") == before


def test_the_brake_refuses_and_says_how_to_go_on(many: Zrep) -> None:
    before = snapshots(many.node, "small/k")
    said = many("prune", *conf("k12"), "--max-destroy", "7", status=5).stderr
    assert "next: " in said
    assert snapshots(many.node, "small/k") == before
    many("prune", *conf("k12"), "--max-destroy", "8")
    assert len(snapshots(many.node, "small/k")) == 12


def test_scripts_run_around_a_real_snapshot_and_one_that_hangs_is_ended(zrep: Zrep) -> None:
    node = zrep.node
    text = """\
[small/h]
hourly = 1
daily = 0
monthly = 0
pre_snapshot_script = sleep 600
post_snapshot_script = zfs list -H -o name "$ZREP_SNAPSHOT" > /root/p/seen
force_post_snapshot_script = yes
script_timeout = 2
"""
    node.push_bytes(text.encode(), "/root/p/hooks.conf")
    node.run("zfs create -u small/h")
    done = zrep.json("snapshot", "--config", "/root/p/hooks.conf")
    assert node.run("cat /root/p/seen").stdout.split() == done["taken"]
    assert node.run("pgrep -fx 'sleep 600' || echo none").stdout.strip() == "none"
