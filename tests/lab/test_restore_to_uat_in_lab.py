"""Backups of one platform brought into another, on real hosts with a swarm of their own; the first
platform goes on working meanwhile, and nobody logs in to it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from lab.deploy import (
    Site,
    config_text,
    deploy,
    host_key,
    install_config,
    install_role,
    install_tree_sum,
    make_restore_key,
)
from lab.node import Node
from lab.world import World
from tests.lab.cli import Zrep, tree_sum
from tests.lab.conftest import KEEP, clean
from tests.lab.test_restore_in_lab import (
    ARM,
    CASSANDRA,
    KEYS,
    KILL_AT,
    MAIL,
    SERVICES,
    SLOW,
    WEB,
    Writer,
    continues,
)

# A restore is a minute or two on emulated machines, and a world of its own may have to be built.
pytestmark = pytest.mark.timeout(7200)

PROD = ("manager-1", "cassandra-1")
UAT = tuple(f"uat-{name}" for name in PROD)
SCRUB = "/etc/zrep/hooks/scrub-urls"
PLATFORMS = f"""
[deployment.uat]
hosts = {{ manager-1 = "uat-manager-1", cassandra-1 = "uat-cassandra-1" }}
allow_restore_from = ["lab"]
scrub = ["{SCRUB}"]
scrub_timeout = "2m"
{SERVICES}"""
# Leaves what it was told; fails as long as /root/fails is there.
PROGRAM = """#!/bin/sh
cat >/root/told
echo "$ZREP_FROM $ZREP_TO" >/root/environment
[ ! -e /root/fails ] || { echo 'the database does not answer' >&2; exit 1; }
"""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Both platforms, the target and the replica on one network; built when it is not yet there."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    found = World.load(run=f"uat-{worker}", table="uat")
    yield found
    if not KEEP:
        found.down()


@pytest.fixture(scope="module")
def site(world: World) -> Site:
    """A site that backs up prod, and whose keys uat accepts too."""
    site = Site()
    clean(world, (*site.nodes, *UAT))
    deploy(world, site)
    target = world.node(site.target)
    make_restore_key(world, site)
    text = config_text(site, extra=PLATFORMS)
    default = text.replace("[deployment.lab]", "[deployment.lab]\ndefault = true")
    install_config(world, site, default)
    known = "".join(f"{name} {host_key(world, name)}\n" for name in (*site.nodes, *UAT))
    target.push_bytes(known.encode(), "/etc/zrep/known_hosts")
    target.run("mkdir -p /etc/zrep/hooks")
    target.push_bytes(PROGRAM.encode(), SCRUB)
    target.run(f"chmod 755 {SCRUB}")
    for name in PROD:
        install_role(world, site, name, f"--host {name}", keys=KEYS)
        there = f"uat-{name}"
        install_role(world, site, there, f"--deployment uat --host {name}", keys=KEYS)
        install_tree_sum(world, there)
    return site


@pytest.fixture(scope="module")
def zrep(world: World, site: Site) -> Zrep:
    return Zrep(world.node(site.runner))


@pytest.fixture(scope="module")
def backup(zrep: Zrep) -> str:
    zrep("sync", timeout=SLOW)
    found = zrep.backups()[0]
    assert found["state"] == "complete"
    return str(found["id"])


@pytest.fixture(scope="module")
def saved(zrep: Zrep, backup: str) -> Iterator[dict[str, str]]:
    """Where the sources of the backup are mounted."""
    session = zrep.json("mount", backup)
    yield session["paths"]
    zrep("umount", session["session"])


@pytest.fixture
def armed(world: World, site: Site) -> Iterator[None]:
    assert site
    for host in UAT:
        world.node(host).run(f"{ARM} --all --for 2h --from lab")
    yield
    for host in UAT:
        world.node(host).run(f"{ARM} --disarm")


def there(writer: Writer) -> Writer:
    return replace(writer, host=f"uat-{writer.host}")


@dataclass(frozen=True)
class Origin:
    """What must not change of a host of prod: still files, containers, logins with zrep's keys."""

    files: tuple[str, ...]
    containers: str
    logins: str
    armed: str

    @classmethod
    def of(cls, node: Node, *folders: str) -> Origin:
        return cls(
            files=tuple(tree_sum(node, folder) for folder in folders),
            containers=node.run(
                "docker inspect --format '{{.Id}} {{.State.StartedAt}} {{.State.Paused}}' "
                "$(docker ps -q --no-trunc) | sort"
            ).stdout,
            logins=node.run(
                "journalctl -u ssh -u sshd -o cat | grep -c 'Accepted .* for zrep ' || true"
            ).stdout,
            armed=node.run(f"{ARM} --status").stdout,
        )


def origin(world: World) -> tuple[Origin, Origin]:
    manager = Origin.of(
        world.node("manager-1"), f"{MAIL.folder}/files", f"{WEB.folder}/files", "/docker/etc"
    )
    return manager, Origin.of(world.node("cassandra-1"), f"{CASSANDRA.folder}/files")


def replicas(world: World, service: str) -> int:
    text = world.node("uat-manager-1").run(
        f"docker service inspect --format '{{{{.Spec.Mode.Replicated.Replicas}}}}' {service}"
    )
    return int(text.stdout)


@pytest.mark.parametrize("words", ["", "--all", "--all --from other"])
def test_what_is_not_armed_for_data_of_prod_refuses_and_keeps_its_own(
    world: World, zrep: Zrep, backup: str, words: str
) -> None:
    before, sums = origin(world), tree_sum(world.node("uat-manager-1"), "/srv/mail/files")
    for host in UAT if words else ():
        world.node(host).run(f"{ARM} {words}")
    done = zrep("restore", backup, "--to", "uat", "--yes", status=5)
    assert "--from lab" in done.stderr
    for host in UAT:
        world.node(host).run(f"{ARM} --disarm")
    assert tree_sum(world.node("uat-manager-1"), "/srv/mail/files") == sums
    assert replicas(world, "mail") == 1
    assert origin(world) == before


def test_a_host_of_prod_cannot_be_armed_for_it(world: World, site: Site) -> None:
    done = world.node(site.sources[0]).run(f"{ARM} --all --from lab", check=False)
    assert done.returncode == 2
    assert "manager-1 of deployment lab" in done.stderr


def test_everything_comes_into_uat_and_prod_does_not_notice(
    world: World, zrep: Zrep, saved: dict[str, str], armed: None
) -> None:
    assert armed is None
    before = origin(world)
    report = zrep.json("restore", "latest", "--to", "uat", "--yes", timeout=SLOW)
    assert (report["from"], report["to"]) == ("lab", "uat")
    for writer in (MAIL, WEB, CASSANDRA):
        continues(world, zrep, there(writer), saved)
        wanted = tree_sum(zrep.node, saved[writer.key] + writer.inside + "/files")
        assert tree_sum(world.node(f"uat-{writer.host}"), f"{writer.folder}/files") == wanted
    assert origin(world) == before
    told = json.loads(zrep.node.run("cat /root/told").stdout)
    assert {h["address"] for h in told["hosts"].values()} == set(UAT)
    assert zrep.node.run("cat /root/environment").stdout == "lab uat\n"
    zrep("restore", "--discard-safety", report["restore"])
    assert origin(world) == before


def test_what_is_not_scrubbed_stays_down_and_resuming_finishes_it(
    world: World, zrep: Zrep, saved: dict[str, str], armed: None
) -> None:
    assert armed is None
    before = origin(world)
    zrep.node.run("touch /root/fails")
    words = ("restore", "latest", "--to", "uat", "--service", "post", "--yes")
    done = zrep(*words, timeout=SLOW, status=10)
    assert "the database does not answer" in done.stderr
    assert replicas(world, "mail") == 0
    health = zrep.node.run("zrep recover 2>&1").stdout
    assert "zrep restore --resume" in health
    zrep.node.run("rm /root/fails")
    zrep("restore", "--resume", "--yes", timeout=SLOW)
    continues(world, zrep, there(MAIL), saved)
    # recover asks the hosts that are backed up, which is its work: all else must be as it was.
    after = origin(world)
    assert [replace(o, logins="") for o in after] == [replace(o, logins="") for o in before]


@pytest.mark.parametrize("step", ["safety", "write", "scrub", "service-up"])
def test_killed_anywhere_it_goes_on_there_and_nowhere_else(
    world: World, zrep: Zrep, saved: dict[str, str], armed: None, step: str
) -> None:
    assert armed is None
    before = origin(world)
    world.node("uat-manager-1").run("find /srv/mail -xdev -mindepth 1 -delete || true", timeout=300)
    words = "latest --to uat --service post"
    outcome = zrep.node.run(KILL_AT.format(words=words, step=step), timeout=SLOW).stdout
    assert outcome.strip() == "killed"
    zrep("restore", "--resume", "--yes", timeout=SLOW)
    continues(world, zrep, there(MAIL), saved)
    listed = zrep.json("restore", "--list")[0]
    assert (listed["state"], listed["from"], listed["to"]) == ("done", "lab", "uat")
    assert origin(world) == before


def test_prod_is_backed_up_again_afterwards(world: World, zrep: Zrep) -> None:
    zrep("sync", timeout=SLOW)
    assert zrep.backups()[0]["state"] == "complete"
    assert world.node("uat-manager-1").run("docker ps -q").stdout
