"""Drills on a real pool, and the recovery sheet's own commands on real hosts, without zrep."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from lab.deploy import ROOT, Site, config_text, deploy, install_config
from lab.node import Node
from lab.world import World
from tests.lab.cli import Zrep, tree_sum
from tests.lab.conftest import clean
from tests.recovery_sheet import commands, part_of

pytestmark = pytest.mark.timeout(7200)

SLOW = 1800.0
MAIL = "manager-1/mail"
LIVE = "/srv/mail"
KEY = "/etc/zrep/keys/drill"
LOOK = "/mnt/zrep-recovery"
SESSIONS = "backup/sessions"
EXTRA = f"""
[drill]
count_all = true
key = "{KEY}"
sample = 10
max_age = "1d"

[service.post]
source = "{MAIL}"
paths = ["."]
check = ["/etc/zrep/hooks/check-post"]
check_timeout = "5m"
"""
# Proves that the clone may be written to and that this is the data.
CHECK = """#!/bin/sh
set -eu
[ "$(cat "$ZREP_TOP/canary")" = singing ]
echo scrubbed >"$ZREP_TOP/canary"
[ -z "${FAIL:-}" ]
find "$ZREP_PATH" -type f | wc -l
"""


@pytest.fixture(scope="module")
def site(world: World) -> Site:
    """A site of its own: its configuration has drills, and docker is stopped on its hosts."""
    site = Site()
    clean(world, site.nodes)
    deploy(world, site)
    target = world.node(site.target)
    target.run(f"ssh-keygen -q -t ed25519 -N '' -C zrep-drill -f {KEY}; mkdir -p /etc/zrep/hooks")
    set_check(target, CHECK)
    install_config(world, site, config_text(site, extra=EXTRA))
    let_root_in(world, site)
    return site


def set_check(node: Node, text: str) -> None:
    node.push_bytes(text.encode(), "/etc/zrep/hooks/check-post")
    node.run("chmod 755 /etc/zrep/hooks/check-post")


def let_root_in(world: World, site: Site) -> None:
    """What the sheet asks for: root of the machines with backups may log in to the hosts."""
    for name in (site.target, site.replica):
        node = world.node(name)
        node.run(
            "mkdir -p -m 700 /root/.ssh; test -e /root/.ssh/id_ed25519 || "
            "ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519"
        )
        known = world.node(site.target).run("cat /etc/zrep/known_hosts").stdout
        node.push_bytes(known.encode(), "/root/.ssh/known_hosts")
        public = node.run("cat /root/.ssh/id_ed25519.pub").stdout.strip()
        for source in site.sources:
            world.node(source).run(
                "mkdir -p -m 700 /root/.ssh; "
                f"echo {shlex.quote(public)} >>/root/.ssh/authorized_keys"
            )


@pytest.fixture(scope="module")
def zrep(world: World, site: Site) -> Zrep:
    return Zrep(world.node(site.runner))


@pytest.fixture(scope="module")
def backup(world: World, zrep: Zrep) -> dict[str, Any]:
    world.node("manager-1").run(f"echo singing >{LIVE}/canary")
    zrep("sync", timeout=SLOW)
    return zrep.backups()[0]


@pytest.fixture(autouse=True)
def nothing_stays_mounted(zrep: Zrep, backup: dict[str, Any]) -> Iterator[None]:
    assert backup["state"] == "complete"
    yield
    assert zrep.json("sessions") == []
    below = zrep.node.run(f"zfs list -H -r -o name {SESSIONS} 2>/dev/null || true").stdout.split()
    assert below in ([], [SESSIONS])


def label_of(backup: dict[str, Any]) -> str:
    return str(backup["children"][0]["snapshot"].partition("@")[2])


def sheet_in(node: Node, root: str, label: str) -> str:
    """As somebody without zrep finds it."""
    found = node.run(
        f"mkdir -p /mnt/sheet && mount -t zfs -o ro {root}/RECOVERY/platform@{label} /mnt/sheet && "
        "cat /mnt/sheet/RECOVERY.txt; umount /mnt/sheet"
    )
    return found.stdout


def bash(node: Node, text: str) -> str:
    node.push_bytes(f"set -eu\n{text}\n".encode(), "/tmp/by-hand")
    return node.run("bash /tmp/by-hand", timeout=SLOW).stdout


def test_the_sheet_is_in_the_atomic_snapshot_and_zrep_prints_it(
    zrep: Zrep, site: Site, backup: dict[str, Any]
) -> None:
    label = label_of(backup)
    sheet = sheet_in(zrep.node, site.dataset, label)
    assert f"SNAP={label}\n" in sheet
    assert zrep("show", "latest", "--recovery").stdout == sheet
    listed = zrep.node.run(
        f"zfs list -H -p -r -t snapshot -o name,createtxg {site.dataset} | grep @{label}"
    ).stdout.splitlines()
    assert len(listed) == 4
    assert len({line.split("\t")[1] for line in listed}) == 1
    assert len(backup["children"]) == 3


def test_its_commands_bring_a_deleted_source_back_without_zrep(
    world: World, zrep: Zrep, site: Site, backup: dict[str, Any]
) -> None:
    sheet = sheet_in(zrep.node, site.dataset, label_of(backup))
    source = world.node("manager-1")
    zrep.node.run("mv /usr/local/bin/zrep /root/zrep && mv /opt/zrep /root/zrep-tree")
    try:
        said = bash(zrep.node, commands(sheet, "1. ", "2. ", "3. "))
        counted = [line for line in said.splitlines() if line.isdecimal()]
        assert counted == re.findall(r"wc -c   # (\d+),", sheet)
        assert "OK" in said.splitlines()
        source.run(f"find {LIVE} -mindepth 1 -delete; test ! -e {LIVE}/canary")
        head = "\n".join(
            line for line in commands(sheet, "1. ").splitlines() if "=" in line.split(" ")[0]
        )
        back = bash(zrep.node, f"{head}\n{commands(sheet, part_of(sheet, MAIL))}")
        assert [line for line in back.splitlines() if "is a mountpoint" not in line] == []
        assert tree_sum(source, LIVE) == tree_sum(zrep.node, f"{LOOK}/{MAIL}")
        bash(zrep.node, f"{head}\n{commands(sheet, '6. ', '7. ')}")
    finally:
        zrep.node.run("mv /root/zrep /usr/local/bin/zrep && mv /root/zrep-tree /opt/zrep")
    source.run("systemctl is-active docker.service")
    assert zrep.node.run(f"findmnt -rn -R {LOOK} || true").stdout == ""


def test_a_good_backup_passes_is_told_to_monitoring_and_its_evidence_holds(
    zrep: Zrep, backup: dict[str, Any]
) -> None:
    found = zrep.json("drill", backup["id"], timeout=SLOW)
    assert found["state"] == "passed"
    assert {f["outcome"] for f in found["findings"]} == {"passed"}
    assert {f["check"] for f in found["findings"]} == {
        *("counts", "digest", "totals", "hashes", "service")
    }
    assert {c["snapshot"]: str(c["guid"]) for c in backup["children"]}.items() <= (
        found["snapshots"].items()
    )
    file = f"/var/lib/zrep/drills/{found['id']}.json"
    assert "Good" in zrep("drill", "--verify", file).stdout
    checked = zrep("check", "drill").stdout
    assert checked.startswith("OK: drill")
    assert "drill_duration" in checked
    assert zrep.json("drill", "--list")[0]["id"] == found["id"]


def test_the_unit_drills_a_backup_drawn_by_lot(zrep: Zrep) -> None:
    for name in ("zrep-drill.service", "zrep-drill.timer"):
        text = (ROOT / "systemd" / name).read_bytes()
        zrep.node.push_bytes(text, f"/etc/systemd/system/{name}")
    before = len(zrep.json("drill", "--list"))
    zrep.node.run("systemctl daemon-reload && systemctl start zrep-drill.service", timeout=SLOW)
    drills = zrep.json("drill", "--list")
    assert len(drills) == before + 1
    assert drills[0]["state"] == "passed"


def test_evidence_that_somebody_changed_proves_nothing(zrep: Zrep) -> None:
    last = zrep.json("drill", "--list")[0]
    file = f"/var/lib/zrep/drills/{last['id']}.json"
    zrep.node.run(f'cp {file} /root/kept && sed -i \'s/"host": ".*"/"host": "x"/\' {file}')
    zrep("drill", "--verify", file, status=5)
    assert "does not hold" in zrep("check", "drill", status=2).stdout
    zrep.node.run(f"cp /root/kept {file}")
    zrep("drill", "--verify", file)


def test_a_check_that_fails_fails_the_drill(zrep: Zrep) -> None:
    set_check(zrep.node, CHECK.replace("set -eu", "set -eu\nFAIL=1"))
    try:
        found = zrep.json("drill", "latest", "--service", "post", status=10, timeout=SLOW)
    finally:
        set_check(zrep.node, CHECK)
    assert [f["check"] for f in found["findings"] if f["outcome"] == "failed"] == ["service"]
    assert zrep("check", "drill", status=2).stdout.startswith("CRITICAL: drill")


def test_a_backup_of_data_altered_between_two_publishes_fails(
    zrep: Zrep, site: Site, backup: dict[str, Any]
) -> None:
    """A change in the received tree, published by hand with the old manifest and the old record."""
    old = label_of(backup)
    new = zrep.node.run("date -u +zrep_%Y%m%d_%H%M%S_manual").stdout.strip()
    names = [c["snapshot"].partition("@")[0] for c in backup["children"]]
    names.append(f"{site.dataset}/RECOVERY/platform")
    said = zrep.node.run(
        f"zfs get -H -p -s local -o property,value all {names[0]}@{old} | grep ^io.zrep:"
    ).stdout.splitlines()
    words = [f"-o {shlex.quote(line.replace(chr(9), '=', 1))}" for line in said]
    zrep.node.run(f"echo silent! >/{site.dataset}/{MAIL}/canary")
    at = " ".join(f"{name}@{new}" for name in names)
    zrep.node.run(f"zfs snapshot {' '.join(words)} {at}")
    try:
        found = zrep.json("drill", new[5:20], status=10, timeout=SLOW)
    finally:
        zrep.node.run(f"for s in {at}; do zfs destroy $s; done")
    bad = {(f["check"], f["subject"]) for f in found["findings"] if f["outcome"] == "failed"}
    assert ("digest", MAIL) in bad
    assert {subject for check, subject in bad if check != "service"} == {MAIL}
    zrep("sync", timeout=SLOW)
    assert zrep.json("drill", "latest", timeout=SLOW)["state"] == "passed"


def test_the_sheet_travels_off_site_and_is_of_use_there(
    world: World, zrep: Zrep, site: Site
) -> None:
    zrep("replicate", "offsite", timeout=SLOW)
    offsite = world.node("offsite")
    label = label_of(zrep.json("list")[0])
    sheet = sheet_in(offsite, site.replica_dataset, label)
    assert sheet == zrep("show", "latest", "--recovery").stdout
    assert f"offsite, on offsite:  ROOT={site.replica_dataset}" in sheet
    text = commands(sheet, "1. ", "2. ").replace(
        f"ROOT={site.dataset}", f"ROOT={site.replica_dataset}"
    )
    said = bash(offsite, text)
    assert [s for s in said.splitlines() if s.isdecimal()] == re.findall(r"wc -c   # (\d+),", sheet)
    assert "OK" in said.splitlines()
    bash(offsite, "M=" + LOOK + "\n" + commands(sheet, "7. "))


def test_pruning_takes_the_sheet_with_its_backup(zrep: Zrep, site: Site) -> None:
    plan = zrep.json("prune", "--dry-run")
    there = zrep.node.run(
        f"zfs list -H -d 1 -t snapshot -o name {site.dataset}/RECOVERY/platform"
    ).stdout.split()
    told = {s for b in plan["backups"] for s in b["snapshots"]}
    assert set(there) <= told
