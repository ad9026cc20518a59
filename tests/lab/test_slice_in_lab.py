"""The main job on real hosts: back up, replicate, browse and prune, with the target local."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab.deploy import Site
from lab.ledger import judge
from lab.world import World
from tests.lab.cli import Zrep, tree_sum

# What no service writes to.
STATIC = ("manager-1", "/srv/mail/files", "manager-1/mail")


@pytest.fixture(scope="module")
def two_backups(world: World, zrep: Zrep) -> list[dict[str, Any]]:
    """Two runs with a change of 1 MiB in between; newest first."""
    zrep("sync")
    world.node("manager-1").run(
        "dd if=/dev/urandom of=/srv/mail/files/new bs=1M count=1 status=none"
    )
    zrep("sync")
    return zrep.backups()[:2]


def test_both_runs_are_listed_complete_and_newest_first(two_backups: list[dict[str, Any]]) -> None:
    assert [b["state"] for b in two_backups] == ["complete", "complete"]
    assert two_backups[0]["id"] > two_backups[1]["id"]
    assert {c["source"] for c in two_backups[0]["children"]} == {
        "manager-1/docker",
        "manager-1/mail",
        "cassandra-1/local",
    }


def test_one_backup_is_one_transaction_group(zrep: Zrep, two_backups: list[dict[str, Any]]) -> None:
    names = " ".join(c["snapshot"] for c in two_backups[0]["children"])
    groups = zrep.node.run(f"zfs get -H -p -o value createtxg {names}").stdout.split()
    assert len(groups) == 3
    assert len(set(groups)) == 1


def test_the_second_backup_holds_only_what_changed(two_backups: list[dict[str, Any]]) -> None:
    newer = next(c for c in two_backups[0]["children"] if c["source"] == "manager-1/mail")
    assert 1 << 20 <= newer["written"] < (1 << 20) + (256 << 10)


def test_anybody_may_read_how_the_last_run_ended(
    zrep: Zrep, two_backups: list[dict[str, Any]]
) -> None:
    told = json.loads(zrep.node.run("runuser -u nobody -- zrep status --json").stdout)
    (ours,) = [r["record"] for r in told["runs"] if r["verb"] == "sync"]
    assert (ours["run"], ours["result"]) == (two_backups[0]["id"], "good")


@pytest.fixture(scope="class")
def mounted(zrep: Zrep, two_backups: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    session = zrep.json("mount", two_backups[0]["id"])
    yield session
    zrep("umount", session["session"])


class TestAClone:
    def test_it_is_byte_for_byte_the_source(
        self, world: World, zrep: Zrep, mounted: dict[str, Any]
    ) -> None:
        node, path, key = STATIC
        here = tree_sum(zrep.node, mounted["paths"][key] + "/files")
        assert here == tree_sum(world.node(node), path)

    @pytest.mark.parametrize(
        ("key", "folder"),
        [("manager-1/mail", ""), ("cassandra-1/local", "/var/volumes/cassandra")],
    )
    def test_what_was_read_from_a_snapshot_is_of_one_instant(
        self, zrep: Zrep, mounted: dict[str, Any], key: str, folder: str
    ) -> None:
        """A service wrote all the time: neither its ledger nor the files beside it are torn."""
        path = mounted["paths"][key] + folder
        names = ("ledger.log", "intent", "done")
        ledger, intent, done = (zrep.node.run(f"cat {path}/{name}").stdout for name in names)
        verdict = judge(ledger=ledger, intent=intent, done=done)
        assert verdict.faults == ()
        assert verdict.last_seq > 1

    def test_it_is_read_only_and_runs_nothing(self, zrep: Zrep, mounted: dict[str, Any]) -> None:
        path = mounted["paths"]["manager-1/mail"]
        options = zrep.node.run(f"findmnt -n -o OPTIONS {path}").stdout.strip().split(",")
        assert {"ro", "nosuid", "nodev", "noexec"} <= set(options)


def test_a_session_is_listed_and_gone_after_umount(
    zrep: Zrep, two_backups: list[dict[str, Any]]
) -> None:
    session = zrep.json("mount", "latest", "--purpose", "a look")
    assert [s["session"] for s in zrep.json("sessions")] == [session["session"]]
    assert session["backup"] == two_backups[0]["id"]
    zrep("umount", session["session"])
    assert zrep.json("sessions") == []
    left = zrep.node.run("zfs list -H -r -o name backup/sessions").stdout
    assert left.split() == ["backup/sessions"]
    names = " ".join(c["snapshot"] for c in two_backups[0]["children"])
    holds = zrep.node.run(f"zfs holds -H {names}").stdout
    assert "zrep:session" not in holds


def test_sources_are_left_as_they_were(world: World, two_backups: list[dict[str, Any]]) -> None:
    assert two_backups
    for name in ("manager-1", "cassandra-1"):
        node = world.node(name)
        assert node.run("lvs --noheadings -o lv_name --select 'lv_tags=zrep'").stdout.strip() == ""
        assert node.run("findmnt -rn -o TARGET | grep ^/run/zrep || true").stdout == ""


def test_the_offsite_copy_is_the_source(
    world: World, zrep: Zrep, local_site: Site, two_backups: list[dict[str, Any]]
) -> None:
    first = zrep.json("replicate", "offsite")
    assert not first["conflicts"]
    assert not first["failed"]
    offsite = world.node("offsite")
    copy = f"{local_site.replica_dataset}/manager-1/mail@{mail_snapshot(two_backups[0])}"
    offsite.run(f"mkdir -p /mnt/look && mount -t zfs -o ro {copy} /mnt/look")
    try:
        assert tree_sum(offsite, "/mnt/look/files") == tree_sum(world.node(STATIC[0]), STATIC[1])
    finally:
        offsite.run("umount /mnt/look")


def mail_snapshot(backup: dict[str, Any]) -> str:
    name = next(c["snapshot"] for c in backup["children"] if c["source"] == "manager-1/mail")
    return str(name.partition("@")[2])


def test_a_divergent_replica_is_a_conflict_rolls_nothing_back_and_then_only_the_change_is_sent(
    world: World, zrep: Zrep, local_site: Site, two_backups: list[dict[str, Any]]
) -> None:
    """All was replicated before."""
    dataset, offsite = f"{local_site.replica_dataset}/manager-1/mail", world.node("offsite")
    offsite.run(f"zfs snapshot {dataset}@somebody-elses")
    world.node("manager-1").run(
        "dd if=/dev/urandom of=/srv/mail/files/more bs=1M count=2 status=none"
    )
    zrep("sync")
    done = zrep("replicate", "offsite", status=6)
    assert "somebody-elses" in done.stdout
    assert "somebody-elses" in offsite.run(f"zfs list -H -t snapshot {dataset}").stdout
    offsite.run(f"zfs destroy {dataset}@somebody-elses")
    mail = [s for s in zrep.json("replicate", "offsite")["sent"] if s["destination"] == dataset]
    assert [s["base"] for s in mail] == [f"@{mail_snapshot(two_backups[0])}"]
    assert 2 << 20 <= mail[0]["bytes"] < (2 << 20) + (512 << 10)
    assert zrep.json("replicate", "offsite")["sent"] == []


def test_the_manifest_travels_to_the_replica(world: World, zrep: Zrep, local_site: Site) -> None:
    """All is replicated by now."""
    text = f"""
[target]
dataset = "{local_site.replica_dataset}"
policy = "production"
"""
    offsite = world.node("offsite")
    offsite.run("mkdir -p /etc/zrep")
    offsite.push_bytes(text.encode(), "/tmp/here.toml")
    there = Zrep(offsite).json("--config", "/tmp/here.toml", "list")
    assert [(b["id"], b["state"]) for b in there] == [(b["id"], b["state"]) for b in zrep.backups()]


def test_prune_explains_then_destroys_exactly_that(zrep: Zrep) -> None:
    """Three days later those that other tests have made are old enough to go, but the newest."""
    before = zrep.backups()
    zrep.node.run("mkdir -p /etc/zrep/policies")
    zrep.node.push_bytes(b"# one\nhourly = 1\nmanual = 0\n", "/etc/zrep/policies/one.toml")
    text = zrep.node.run("cat /etc/zrep/zrep.toml").stdout.replace('"production"', '"one"')
    zrep.node.push_bytes(text.encode(), "/etc/zrep/one.toml")
    zrep.node.run("date -s '+3 days' >/dev/null")
    try:
        plan = zrep.json("--config", "/etc/zrep/one.toml", "prune", "--dry-run")
        assert zrep.backups() == before
        done = zrep.json("--config", "/etc/zrep/one.toml", "prune")
    finally:
        zrep.node.run("date -s '-3 days' >/dev/null")
    doomed = {b["id"] for b in plan["backups"] if not b["keep"]}
    assert doomed
    assert all(b["reasons"] for b in plan["backups"])
    assert done["failed"] == {}
    assert [b["id"] for b in zrep.backups()] == [b["id"] for b in before if b["id"] not in doomed]
    assert zrep.backups()[0]["id"] == before[0]["id"]


def test_two_runs_at_once_do_not_interleave(zrep: Zrep) -> None:
    zrep.node.run("systemd-run --quiet --unit=first-sync --collect zrep sync")
    zrep.node.run(
        "for i in $(seq 300); do pgrep -x rsync && exit 0; sleep 1; done; exit 1", timeout=330
    )
    done = zrep("sync", status=8)
    assert "pid" in done.stderr
    zrep.node.run(
        "for i in $(seq 500); do systemctl -q is-active first-sync || exit 0; sleep 1; done; false",
        timeout=530,
    )
    assert zrep.backups()[0]["state"] == "complete"
