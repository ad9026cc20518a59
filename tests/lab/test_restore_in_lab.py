"""Backups brought back to real hosts: a Gluster volume and a thin LV of a swarm manager, a thick LV
without room for a snapshot of everything, services that write all the time, and zrep killed in the
middle. Interruptions of other kinds are in test_restore_interrupted_in_lab.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import pytest

from lab.deploy import (
    QUIESCED,
    Site,
    config_text,
    deploy,
    install_config,
    install_role,
    make_restore_key,
)
from lab.ledger import parse_record
from lab.node import Node
from lab.world import World
from tests.lab.cli import Zrep, tree_sum
from tests.lab.conftest import clean

# A restore is a minute or two on emulated machines, and this file makes a dozen of them.
pytestmark = pytest.mark.timeout(7200)

SLOW = 1800.0
ARM = "/usr/libexec/zrep/zrep-arm"
KEYS = ("control", "read", "restore")
HOSTS = ("manager-1", "cassandra-1")
SERVICES = """
[service.post]
source = "manager-1/mail"
paths = ["."]
swarm = ["mail"]

[service.web]
source = "manager-1/docker"
paths = ["var/volumes/wordpress_web"]
swarm = ["wordpress_web"]

[service.db]
source = "manager-1/docker"
paths = ["var/volumes/wordpress_db"]
swarm = ["wordpress_db"]

[service.cassandra]
source = "cassandra-1/local"
paths = ["var/volumes/cassandra"]
swarm = ["cassandra"]
"""
JOURNAL = "/var/lib/zrep/runs/*-restore.jsonl"
# Starts a restore and kills zrep alone (not its group) when it intends a step.
KILL_AT = f"""
rm -f {JOURNAL}
zrep restore {{words}} --yes >/tmp/killed.out 2>&1 &
pid=$!
for i in $(seq 6000); do
    grep -qs '"intent", "step": "{{step}}"' {JOURNAL} && break
    kill -0 $pid 2>/dev/null || break
    sleep 0.05
done
kill -9 $pid && echo killed
wait $pid 2>/dev/null || true
"""


@dataclass(frozen=True)
class Writer:
    """A service of the lab: where it runs, what it writes to, and where a backup has that."""

    service: str
    host: str
    folder: str
    key: str
    inside: str


MAIL = Writer("mail", "manager-1", "/srv/mail", "manager-1/mail", "")
WEB = Writer(
    "wordpress_web",
    "manager-1",
    "/docker/var/volumes/wordpress_web",
    "manager-1/docker",
    "/var/volumes/wordpress_web",
)
DB = Writer(
    "wordpress_db",
    "manager-1",
    "/docker/var/volumes/wordpress_db",
    "manager-1/docker",
    "/var/volumes/wordpress_db",
)
CASSANDRA = Writer(
    "cassandra",
    "cassandra-1",
    "/docker_local/var/volumes/cassandra",
    "cassandra-1/local",
    "/var/volumes/cassandra",
)


def site_that_restores(world: World) -> Site:
    """A site of its own: backups of one instant; its hosts know services, and the restore key."""
    site = Site(platform=QUIESCED)
    clean(world, site.nodes)
    deploy(world, site)
    make_restore_key(world, site)
    install_config(world, site, config_text(site, extra=SERVICES))
    for name in site.sources:
        install_role(world, site, name, f"--host {name}", keys=KEYS)
    return site


@pytest.fixture(scope="module")
def site(world: World) -> Site:
    return site_that_restores(world)


@pytest.fixture(scope="module")
def zrep(world: World, site: Site) -> Zrep:
    return Zrep(world.node(site.runner))


@pytest.fixture(scope="module")
def backup(zrep: Zrep) -> str:
    """One complete backup, taken while all services write."""
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
def armed(world: World) -> Iterator[None]:
    for host in HOSTS:
        world.node(host).run(f"{ARM} --all --for 1h")
    yield
    for host in HOSTS:
        world.node(host).run(f"{ARM} --disarm")


def destroy(node: Node, path: str) -> None:
    node.run(f"find {path} -xdev -mindepth 1 -delete || true", timeout=300)


def destroy_everything(world: World) -> None:
    for host, path in (
        ("manager-1", "/docker"),
        ("manager-1", "/srv/mail"),
        ("cassandra-1", "/docker_local"),
    ):
        destroy(world.node(host), path)


def ledger(node: Node, folder: str) -> str:
    return str(node.run(f"cat {folder}/ledger.log").stdout)


def continues(world: World, zrep: Zrep, writer: Writer, saved: dict[str, str]) -> None:
    """The service runs again, on exactly the records of the backup and those it wrote since."""
    then = ledger(zrep.node, saved[writer.key] + writer.inside)
    last = parse_record(then.splitlines()[-1])
    assert last is not None
    node = world.node(writer.host)
    node.run(
        f"for i in $(seq 120); do [ $(wc -l <{writer.folder}/ledger.log) -gt {last.seq} ] && "
        "exit 0; sleep 1; done; exit 1",
        timeout=150,
    )
    now = ledger(node, writer.folder)
    assert now.startswith(then)
    seqs = [r.seq for r in map(parse_record, now.splitlines()) if r is not None]
    assert seqs == list(range(1, len(seqs) + 1))


def resume(zrep: Zrep, *, status: int = 0) -> str:
    """Go on with the newest restore; what it said."""
    newest = zrep.json("restore", "--list")[0]["restore"]
    return zrep("restore", "--resume", newest, "--yes", timeout=SLOW, status=status).stderr


def longest_silence(text: str) -> float:
    """Seconds between two of these records; one that is cut off is still being written."""
    times = [r.time for r in map(parse_record, text.splitlines()) if r is not None]
    return max(b - a for a, b in pairwise(times))


def replicas(world: World, service: str) -> int:
    text = world.node("manager-1").run(
        f"docker service inspect --format '{{{{.Spec.Mode.Replicated.Replicas}}}}' {service}"
    )
    return int(text.stdout)


def test_unarmed_hosts_are_refused_and_nothing_is_touched(
    world: World, zrep: Zrep, backup: str
) -> None:
    before = tree_sum(world.node("manager-1"), "/srv/mail/files")
    for words in ((), ("--source", "manager-1/mail"), ("--service", "post")):
        done = zrep("restore", backup, *words, "--yes", status=5)
        assert "not armed" in done.stderr
        assert "zrep-arm" in done.stderr
    assert tree_sum(world.node("manager-1"), "/srv/mail/files") == before
    assert replicas(world, "mail") == 1


def test_everything_destroyed_comes_back_and_services_run_on_exactly_that(
    world: World, zrep: Zrep, saved: dict[str, str], armed: None
) -> None:
    assert armed is None
    writers = (MAIL, WEB, DB, CASSANDRA)
    sums = {w.service: tree_sum(zrep.node, saved[w.key] + w.inside + "/files") for w in writers}
    destroy_everything(world)
    report = zrep.json("restore", "latest", "--yes", timeout=SLOW)
    assert {i["source"] for i in report["items"]} == set(saved)
    for writer in writers:
        continues(world, zrep, writer, saved)
        node = world.node(writer.host)
        assert tree_sum(node, f"{writer.folder}/files") == sums[writer.service]
    kinds = {key: kept["kind"] for key, kept in report["safety"].items()}
    assert kinds["manager-1/mail"] == "lvm-thin"
    assert kinds["manager-1/docker"] == "folder"
    assert kinds["cassandra-1/local"] in {"lvm-thick", "folder"}
    zrep("restore", "--discard-safety", report["restore"])
    for host in HOSTS:
        left = world.node(host).run("lvs --noheadings -o lv_name -S lv_tags=zrep_safety").stdout
        assert left.strip() == ""


def test_one_service_comes_back_while_the_others_run_and_lose_nothing(
    world: World, zrep: Zrep, saved: dict[str, str], armed: None
) -> None:
    assert armed is None
    manager = world.node("manager-1")
    running = manager.run("docker ps -q --no-trunc --filter name=wordpress").stdout.split()
    before = ledger(manager, WEB.folder)
    destroy(manager, "/srv/mail")
    zrep("restore", "latest", "--service", "post", "--yes", timeout=SLOW)
    continues(world, zrep, MAIL, saved)
    assert manager.run("docker ps -q --no-trunc --filter name=wordpress").stdout.split() == running
    now = ledger(manager, WEB.folder)
    assert now.startswith(before)
    assert longest_silence(now[before.rindex("\n", 0, -1) + 1 :]) < 30


def test_a_path_comes_back_beside_what_is_there(
    world: World, zrep: Zrep, saved: dict[str, str], armed: None
) -> None:
    assert armed is None
    report = zrep.json("restore", "latest", "--path", "/srv/mail/files", "--yes", timeout=SLOW)
    beside = f"/srv/mail/{report['items'][0]['to']}"
    node = world.node("manager-1")
    assert tree_sum(node, beside) == tree_sum(zrep.node, saved["manager-1/mail"] + "/files")
    assert replicas(world, "mail") == 1
    node.run(f"rm -r {beside}")


@pytest.mark.parametrize("step", ["halt", "write", "unhalt"])
def test_a_restore_of_everything_killed_at_any_step_is_finished_by_resuming(
    world: World, zrep: Zrep, saved: dict[str, str], armed: None, step: str
) -> None:
    assert armed is None
    destroy(world.node("manager-1"), "/srv/mail")
    destroy(world.node("cassandra-1"), "/docker_local")
    outcome = zrep.node.run(KILL_AT.format(words="latest", step=step), timeout=SLOW).stdout
    assert outcome.strip() == "killed"
    if step == "write":
        for host in HOSTS:
            assert world.node(host).run("pgrep -x dockerd || true").stdout == ""
    resume(zrep)
    for writer in (MAIL, WEB, CASSANDRA):
        continues(world, zrep, writer, saved)
