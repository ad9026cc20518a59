"""The target's pool is gone: a new, empty one, and the backup comes back from the replica."""

from __future__ import annotations

import shlex

import pytest

from lab.deploy import Site, config_text, install_config, install_role
from lab.world import World
from tests.lab.cli import Zrep, tree_sum
from tests.lab.test_restore_in_lab import (
    ARM,
    CASSANDRA,
    DB,
    HOSTS,
    MAIL,
    SERVICES,
    SLOW,
    WEB,
    continues,
    destroy,
    destroy_everything,
    ledger,
    replicas,
    site_that_restores,
)

pytestmark = pytest.mark.timeout(7200)

SEND_BACK = "send_back = true\n"
POST = ("restore", "latest", "--from", "offsite", "--service", "post", "--yes")
JOURNAL = "/var/lib/zrep/runs/*-restore.jsonl"
# Starts a restore and kills zrep alone while the backup is being received.
KILL_RECEIVING = f"""
rm -f {JOURNAL}
{shlex.join(("zrep", *POST))} >/tmp/killed.out 2>&1 &
pid=$!
for i in $(seq 6000); do
    grep -qs '"intent", "step": "send"' {JOURNAL} && break
    kill -0 $pid 2>/dev/null || break
    sleep 0.05
done
kill -9 $pid && echo killed
wait $pid 2>/dev/null || true
"""


@pytest.fixture(scope="module")
def site(world: World) -> Site:
    """As for restores; its replica gives nothing out."""
    return site_that_restores(world)


@pytest.fixture(scope="module")
def zrep(world: World, site: Site) -> Zrep:
    return Zrep(world.node(site.runner))


def test_a_pool_made_anew_gets_all_back_from_the_replica(
    world: World, site: Site, zrep: Zrep
) -> None:
    """One story: what comes later needs what was lost before."""
    zrep("sync", timeout=SLOW)
    zrep("replicate", timeout=SLOW)
    session = zrep.json("mount", "latest")
    saved = session["paths"]
    writers = (MAIL, WEB, DB, CASSANDRA)
    then = {w.service: ledger(zrep.node, saved[w.key] + w.inside) for w in writers}
    sums = {w.service: tree_sum(zrep.node, saved[w.key] + w.inside + "/files") for w in writers}
    zrep("umount", session["session"])
    destroy(world.node("manager-1"), "/srv/mail")
    zrep.node.run("zpool destroy -f backup && zpool create -f -m /backup backup /dev/vdb")
    for host in HOSTS:
        world.node(host).run(f"{ARM} --all --for 2h")

    shut = zrep(*POST, timeout=SLOW, status=5)
    assert "send_back = true" in shut.stderr
    assert "zrep capsule deploy offsite" in shut.stderr
    assert replicas(world, "mail") == 1

    install_config(world, site, config_text(site, extra=SEND_BACK + SERVICES))
    install_role(world, site, site.replica, f"--replica {site.replica}")
    dry = zrep.json("restore", "latest", "--from", "offsite", "--dry-run", timeout=SLOW)
    assert dry["receive"] > 0
    assert "backup/restored" not in zrep.node.run("zfs list -H -o name").stdout

    outcome = zrep.node.run(KILL_RECEIVING, timeout=SLOW).stdout
    assert outcome.strip() == "killed"
    assert replicas(world, "mail") == 1
    done = zrep.json(*POST, timeout=SLOW)
    back = f"backup/restored/{done['backup']}"
    received = zrep.node.run("zfs list -H -o name -r backup/restored").stdout.split()
    assert [name for name in received if name.startswith(f"{back}/")] == [
        f"{back}/RECOVERY",
        f"{back}/RECOVERY/platform",
        f"{back}/manager-1",
        f"{back}/manager-1/mail",
    ]
    mail = world.node("manager-1")
    assert tree_sum(mail, f"{MAIL.folder}/files") == sums["mail"]
    assert ledger(mail, MAIL.folder).startswith(then["mail"])

    destroy_everything(world)
    full = zrep.json("restore", "latest", "--from", "offsite", "--yes", timeout=SLOW)
    assert {item["source"] for item in full["items"]} == set(saved)
    mounted = zrep.node.run(
        f"zfs mount {back}/manager-1/mail && zfs mount {back}/manager-1/docker && "
        f"zfs mount {back}/cassandra-1/local && zfs list -H -o name,mountpoint -r {back}"
    ).stdout
    places = dict(line.split("\t") for line in mounted.splitlines())
    here = {w.key: places[f"{back}/{w.key}"] for w in writers}
    for writer in writers:
        continues(world, zrep, writer, here)
        assert tree_sum(world.node(writer.host), f"{writer.folder}/files") == sums[writer.service]

    for source in saved:
        zrep.node.run(f"zfs unmount {back}/{source}")
    assert "manager-1/mail@zrep_" in zrep.node.run(f"zfs list -H -t snapshot -r {back}").stdout
    goes_on(world, zrep, back)
    zrep("restore", "--discard-safety", full["restore"], timeout=SLOW)
    assert back not in zrep.node.run("zfs list -H -o name").stdout.split()


def goes_on(world: World, zrep: Zrep, back: str) -> None:
    """What was received is the base of the next backup, and of the next replication."""
    zrep.node.run(
        "zfs create -o compression=gzip-7 -o atime=off -o xattr=sa -o acltype=posix backup/current"
    )
    for child in (*HOSTS, "RECOVERY"):
        zrep.node.run(f"zfs rename {back}/{child} backup/current/{child}")
    zrep.node.run("zfs inherit -r readonly backup/current && zfs mount -a")
    before = zrep.backups()[0]
    zrep("sync", timeout=SLOW)
    after = zrep.backups()[0]
    assert after["id"] != before["id"]
    assert after["state"] == "complete"
    zrep("replicate", timeout=SLOW)
    there = world.node("offsite").run("zfs list -H -t snapshot -o name -r tank/platform").stdout
    assert f"/manager-1/mail@zrep_{after['id']}" in there
