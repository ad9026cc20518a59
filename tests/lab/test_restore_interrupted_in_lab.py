"""A restore of one service, interrupted at ten points in each of four ways: zrep is killed, its
link is cut, the destination boots, the destination's disk is full. Each time the service stays
down until all is written, what is left can be resumed, and resuming ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lab.deploy import Site
from lab.world import World
from tests.lab.cli import Zrep
from tests.lab.test_restore_in_lab import (
    ARM,
    CASSANDRA,
    SLOW,
    continues,
    destroy,
    replicas,
    resume,
    site_that_restores,
)

pytestmark = pytest.mark.timeout(3600)

UNIT = "interrupted"
JOURNAL = "/var/lib/zrep/runs/*-restore.jsonl"
# What the journal says when the fault comes, and for how many seconds longer it goes on.
POINTS = {
    "to-open": ('"intent", "step": "open"', 0.0),
    "to-stop": ('"intent", "step": "service-down"', 0.0),
    "stopping": ('"intent", "step": "service-down"', 2.0),
    "stopped": ('"done", "step": "service-down"', 0.0),
    "to-keep": ('"intent", "step": "safety"', 0.0),
    "to-write": ('"intent", "step": "write"', 0.0),
    "writing": ('"intent", "step": "write"', 3.0),
    "to-verify": ('"intent", "step": "verify"', 0.0),
    "to-close": ('"intent", "step": "close"', 0.0),
    "to-start": ('"intent", "step": "service-up"', 0.0),
}
# Whatever the fault is, nothing runs until it is resumed.
DOWN = ("stopped", "to-keep", "to-write", "writing", "to-verify", "to-close")
# What was compared already writes nothing more, and needs no lease for that.
VERIFIED = ("to-close", "to-start")


@pytest.fixture(scope="module")
def site(world: World) -> Site:
    return site_that_restores(world)


@pytest.fixture(scope="module")
def zrep(world: World, site: Site) -> Zrep:
    return Zrep(world.node(site.runner))


@pytest.fixture(scope="module")
def saved(zrep: Zrep) -> Iterator[dict[str, str]]:
    """Where the sources of the only backup are mounted."""
    zrep("sync", timeout=SLOW)
    session = zrep.json("mount", "latest")
    yield session["paths"]
    zrep("umount", session["session"])


def begin(zrep: Zrep, point: str) -> None:
    """A restore in a unit of its own, until its journal says so."""
    said, longer = POINTS[point]
    zrep.node.run(
        f"rm -f {JOURNAL}; systemctl reset-failed {UNIT} 2>/dev/null; "
        f"systemd-run --quiet --unit={UNIT} zrep restore latest --service cassandra --yes; "
        f"for i in $(seq 6000); do ! grep -qs '{said}' {JOURNAL} || break; "
        f"systemctl -q is-active {UNIT} || exit 1; sleep 0.05; done; sleep {longer}",
        timeout=SLOW,
    )


def until_ended(zrep: Zrep) -> None:
    zrep.node.run(
        f"for i in $(seq 900); do systemctl -q is-active {UNIT} || exit 0; sleep 1; done; exit 1",
        timeout=1000,
    )


def kill(_world: World, zrep: Zrep) -> None:
    zrep.node.run(f"systemctl kill --kill-whom=main -s KILL {UNIT}")
    until_ended(zrep)


def cut(_world: World, zrep: Zrep) -> None:
    zrep.node.link(False)
    try:
        until_ended(zrep)
    finally:
        zrep.node.link(True)


def boot(world: World, zrep: Zrep) -> None:
    node = world.node(CASSANDRA.host)
    node.crash()
    node.run(
        "for i in $(seq 240); do mountpoint -q /docker_local && docker info >/dev/null 2>&1 && "
        "exit 0; sleep 1; done; exit 1",
        timeout=300,
    )
    assert "not armed" in node.run(f"{ARM} --status").stdout
    until_ended(zrep)


@contextmanager
def hog(world: World) -> Iterator[None]:
    """A file without a name that takes all but 2 MiB of what is free."""
    node = world.node(CASSANDRA.host)
    node.run(
        "free() { echo $(($(stat -f -c '%a * %S' /docker_local))); }; "
        "export size=$(($(free) - 2097152)); systemd-run --quiet --collect --setenv=size "
        "--unit=hog sh -c 'exec 9>/docker_local/hog; rm /docker_local/hog; "
        "fallocate -l $size /proc/self/fd/9; sleep 3600'; "
        "for i in $(seq 60); do [ $(free) -lt 4194304 ] && exit 0; sleep 1; done; exit 1",
        timeout=90,
    )
    try:
        yield
    finally:
        node.run("systemctl stop hog")


def fill(world: World, zrep: Zrep) -> None:
    with hog(world):
        until_ended(zrep)


FAULTS: dict[str, Callable[[World, Zrep], None]] = {
    "kill": kill,
    "cut": cut,
    "boot": boot,
    "fill": fill,
}


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("fault", FAULTS)
def test_wherever_it_is_interrupted_the_service_stays_down_and_resuming_ends_it(
    world: World, zrep: Zrep, saved: dict[str, str], fault: str, point: str
) -> None:
    node = world.node(CASSANDRA.host)
    arm = f"{ARM} --all --for 1h"
    node.run(arm)
    destroy(node, CASSANDRA.folder)
    begin(zrep, point)
    FAULTS[fault](world, zrep)
    record = zrep.json("restore", "--list")[0]
    counted = replicas(world, "cassandra")
    print(f"{fault} {point}: {record['state']}, {counted} replicas")  # noqa: T201 - to quote
    if record["state"] == "done":
        assert fault in ("cut", "fill") or (fault, point) == ("boot", "to-start")
    else:
        assert counted == 0 or point not in DOWN
        if fault == "boot" and point not in VERIFIED:
            assert "not armed" in resume(zrep, status=5)
        node.run(arm)
        resume(zrep)
    continues(world, zrep, CASSANDRA, saved)
    assert replicas(world, "cassandra") == 1
    assert zrep.json("restore", "--list")[0]["state"] == "done"
    assert [s for s in zrep.json("sessions") if s["purpose"].startswith("restore")] == []
    node.run(f"{ARM} --disarm")
