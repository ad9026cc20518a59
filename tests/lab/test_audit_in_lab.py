"""On real hosts with their own sshd and sudo: a deployment through an administrator's login, the
audit of what it installed, keys that are rotated, and docker asked through the gate."""

from __future__ import annotations

import json

import pytest

from lab.deploy import Site
from lab.world import World
from tests.lab.cli import Zrep

REFUSED, PARTIAL = 5, 4
KEYS = "/var/lib/zrep-operator/.ssh/authorized_keys"


@pytest.fixture(scope="module")
def admin(world: World, zrep: Zrep, local_site: Site) -> str:
    """Options of a root login from the target to the other hosts, as an administrator has one."""
    key = "/root/.ssh/id_ed25519"
    zrep.node.run(
        f"mkdir -p -m 700 /root/.ssh; test -e {key} || ssh-keygen -qt ed25519 -N '' -f {key}"
    )
    public = zrep.node.run(f"cat {key}.pub").stdout.strip()
    for name in (*local_site.sources, local_site.replica):
        world.node(name).run(
            f"mkdir -p -m 700 /root/.ssh; echo '{public}' >>/root/.ssh/authorized_keys"
        )
    return "root"


def test_deploying_what_is_there_changes_nothing(zrep: Zrep, admin: str) -> None:
    zrep("capsule", "deploy", "--all", "--login", admin)
    done = zrep.json("capsule", "deploy", "--all", "--login", admin)
    assert [(d["changes"], d["error"]) for d in done] == [([], None)] * len(done)


def test_a_spoilt_capsule_is_replaced_and_the_next_sync_runs(
    world: World, zrep: Zrep, admin: str
) -> None:
    world.node("manager-1").run("echo >>/usr/libexec/zrep/capsule-lib")
    zrep("sync", status=3)
    zrep("capsule", "deploy", "manager-1", "--login", admin)
    zrep("sync")


def test_every_hostile_request_is_refused_by_the_real_sshd(zrep: Zrep) -> None:
    for machine in zrep.json("capsule", "audit", timeout=1800):
        found = [t for t in machine["trials"] if t["finding"] != "refused"]
        assert (machine["problem"], found) == (None, [])
        assert sum(t["key"] == "control" for t in machine["trials"]) >= 200


def test_a_weakened_key_is_found(world: World, zrep: Zrep) -> None:
    node = world.node("cassandra-1")
    node.run(f"cp -p {KEYS} /root/kept; sed -i 's/restrict,/restrict,port-forwarding,/' {KEYS}")
    try:
        said = zrep("capsule", "audit", "cassandra-1", "--json", timeout=1800, status=REFUSED)
    finally:
        node.run(f"cp -p /root/kept {KEYS}")
    allowed = {
        t["trial"] for t in json.loads(said.stdout)[0]["trials"] if t["finding"] == "allowed"
    }
    assert "forward a port from here" in allowed


@pytest.mark.parametrize("key", ["control", "read"])
def test_after_a_rotation_everything_works_and_the_old_key_opens_nothing(
    world: World, zrep: Zrep, admin: str, key: str
) -> None:
    old = zrep.node.run(f"ssh-keygen -y -f /etc/zrep/keys/{key}").stdout.split()[1]
    zrep("key", "rotate", key, "--login", admin, "--from", "any", timeout=1800)
    new = {k["name"]: k["public"] for k in zrep.json("key", "show")}[key].split()[1]
    accepted = world.node("manager-1").run(f"cat {KEYS}").stdout
    assert old not in accepted
    assert new in accepted
    zrep("sync")


def test_docker_is_paused_let_go_stopped_and_started(zrep: Zrep) -> None:
    (found,) = zrep.json("docker", "status", "manager-1")
    assert (found["docker"], found["paused"]) == ("up", [])
    zrep("docker", "stop", "manager-1")
    assert zrep.json("docker", "status", "manager-1")[0]["docker"] == "down"
    zrep("docker", "start", "manager-1")
    assert zrep.json("docker", "status", "manager-1")[0]["docker"] == "up"


def test_the_state_of_the_swarm_is_reported_as_not_covered(zrep: Zrep) -> None:
    found = zrep.json("coverage", status=PARTIAL)
    assert any(u["path"].endswith("/swarm") for u in found["uncovered"])
