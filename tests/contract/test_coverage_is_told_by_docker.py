"""The real probe asks docker (a small program in its place) what containers have mounted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.capsule_world import CapsuleWorld, WorldHost, can_unshare, capsule_world
from tests.contract.director import WorldSite, config
from tests.contract.docker_world import DockerWorld
from zrep.engine.coverage import observe_coverage
from zrep.errors import Exit
from zrep.report.coverage import coverage_json, render_coverage
from zrep.source.capsules import Capsules

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

HOST = "manager-1"
A, B = "a" * 64, "b" * 64

# What docker prints for --format, with its own blank lines between containers.
DOCKER = f"""#!/bin/sh
[ "$1 $2" = '-H unix:///var/run/docker.sock' ] || exit 99
shift 2
[ ! -e FOLDER/down ] || exit 1
case $1 in
    info) echo "active /docker_var_lib" ;;
    ps) printf '%s\\n' {A} {B} ;;
    inspect)
        case "$*" in
            *"{A} {B}") ;;
            *) exit 97 ;;
        esac
        echo 'bind true /web.1.x /srv/web folder'
        echo 'bind false /web.1.x /var/run/docker.sock'
        echo 'tmpfs true /web.1.x '
        echo
        echo 'volume true /db.1.y /docker_var_lib/volumes/db/_data'
        echo
        [ ! -e FOLDER/gone ] || exit 1
        ;;
    *) exit 98 ;;
esac
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[CapsuleWorld]:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "docker").write_text(DOCKER.replace("FOLDER", str(tmp_path)))
    (programs / "docker").chmod(0o755)
    with capsule_world(tmp_path) as made:
        made.run("mount", "--bind", str(programs), "/usr/sbin")
        made.configure("source platform data dir - SRC mounted=yes")
        yield made


def test_mounts_arrive_as_docker_tells_them(world: CapsuleWorld) -> None:
    found = Capsules(WorldHost(world)).probe().docker
    assert (found.known, found.swarm, found.root) == (True, True, "/docker_var_lib")
    assert [(m.container, m.kind, m.path, m.writable) for m in found.mounts] == [
        ("web.1.x", "bind", "/srv/web folder", True),
        ("web.1.x", "bind", "/var/run/docker.sock", False),
        ("web.1.x", "tmpfs", "", True),
        ("db.1.y", "volume", "/docker_var_lib/volumes/db/_data", True),
    ]


def test_a_container_that_ends_meanwhile_hides_no_other(world: CapsuleWorld) -> None:
    (world.tmp / "gone").write_text("")
    assert len(Capsules(WorldHost(world)).probe().docker.mounts) == 4


def test_a_docker_that_does_not_answer_is_no_failure_but_not_taken_for_none(
    world: CapsuleWorld,
) -> None:
    (world.tmp / "down").write_text("")
    assert not Capsules(WorldHost(world)).probe().docker.known


def test_what_no_source_covers_is_shown(world: CapsuleWorld, tmp_path: Path) -> None:
    site = WorldSite(config((HOST,), tmp_path), {HOST: DockerWorld(pid=world.pid, tmp=world.tmp)})
    found = observe_coverage(site)
    assert found.status is Exit.PARTIAL
    assert [u.path for u in found.uncovered] == [
        "/docker_var_lib/swarm",
        "/docker_var_lib/volumes/db/_data",
        "/srv/web folder",
    ]
    assert "4 mounts on 1 hosts, 3 paths not covered" in render_coverage(found)
    assert coverage_json(found)["hosts"] == {HOST: {"docker": True, "mounts": 4}}
