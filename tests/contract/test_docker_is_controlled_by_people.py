"""`zrep docker`: the real capsules, and small programs in docker's and systemd's place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.capsule_world import LATER, can_unshare
from tests.contract.director import WorldSite, config
from tests.contract.docker_world import DockerWorld, docker_world
from zrep.engine import docker
from zrep.engine.lock import exclusive
from zrep.errors import Busy, Exit, Refused, SourceFailed, UnknownName
from zrep.model.source import Quiesce
from zrep.report.docker import docker_json, render_done, render_status
from zrep.source.docker_control import Engine

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

HOST = "manager-1"

# A systemd that knows docker's two units, in files of the fake's folder.
SYSTEMCTL = """
case $1 in
    is-active) [ -e "$W/timers/$3" ] || [ -e "$W/active-$3" ] || exit 3 ;;
    stop)
        shift
        for unit; do
            rm -f "$W/timers/$unit"
            [ -e "$W/sticky" ] || rm -f "$W/active-$unit"
            [ "$unit" != docker.service ] || [ -e "$W/sticky" ] || touch "$W/down"
        done
        ;;
    start)
        [ ! -e "$W/broken" ] || { echo 'Job for docker.service failed' >&2; exit 1; }
        shift
        for unit; do touch "$W/active-$unit"; done
        [ -e "$W/forbidden" ] || rm -f "$W/down"
        ;;
    *) exit 98 ;;
esac
fate after
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DockerWorld]:
    with docker_world(tmp_path) as made:
        program = made.fake / "bin/systemctl"
        prelude = program.read_text().partition("\ncase $1 in")[0]
        program.write_text(prelude + SYSTEMCTL)
        for unit in ("docker.socket", "docker.service"):
            made.set_fault(f"active-{unit}")
        made.set_container("web.1", "running")
        made.set_container("db.1", "running")
        made.set_container("maintenance", "paused")
        yield made
        assert made.violations() == ""


@pytest.fixture
def site(world: DockerWorld, tmp_path: Path) -> WorldSite:
    return WorldSite(config((HOST,), tmp_path), {HOST: world})


def test_status_tells_ours_from_others(site: WorldSite) -> None:
    docker.pause(site, [HOST])
    (found,) = docker.show(site, [HOST])
    assert found.status is not None
    assert (found.status.engine, found.status.running) == (Engine.UP, 0)
    assert {(c.name, c.ours) for c in found.status.paused} == {
        ("web.1", True),
        ("db.1", True),
        ("maintenance", False),
    }
    text = render_status([found])
    assert "armed" in text
    assert "maintenance is paused, not by zrep" in text
    assert docker_json([found])[0]["docker"] == "up"


def test_pausing_is_never_without_the_timer(site: WorldSite, world: DockerWorld) -> None:
    world.set_fault("no-timer")
    (found,) = docker.pause(site, [HOST])
    assert isinstance(found.error, SourceFailed)
    assert world.paused() == {"maintenance"}


def test_what_was_paused_is_let_go_by_the_timer(site: WorldSite, world: DockerWorld) -> None:
    (found,) = docker.pause(site, [HOST])
    assert render_done([found]) == ("manager-1: 2 containers paused, let go by themselves in 45 s")
    assert world.paused() == {"maintenance", "web.1", "db.1"}
    assert world.fire_timers() == [0]
    assert world.paused() == {"maintenance"}


def test_unpause_lets_go_of_ours_only_and_twice_is_fine(
    site: WorldSite, world: DockerWorld
) -> None:
    docker.pause(site, [HOST])
    assert render_done(docker.unpause(site, [HOST])) == "manager-1: 2 containers let go"
    assert world.paused() == {"maintenance"}
    assert world.timers() == []
    assert "nothing of ours" in render_done(docker.unpause(site, [HOST]))


def test_a_host_that_no_set_pauses_is_refused(site: WorldSite, world: DockerWorld) -> None:
    platform = replace(site.config.sets["platform"], quiesce=Quiesce())
    site.config = replace(site.config, sets={"platform": platform})
    with pytest.raises(Refused, match="no set pauses"):
        docker.pause(site, [HOST])
    assert world.paused() == {"maintenance"}


@pytest.mark.parametrize("verb", ["pause", "stop"])
def test_a_backup_under_way_is_not_disturbed(site: WorldSite, verb: str, tmp_path: Path) -> None:
    with exclusive(tmp_path / "run", "set-platform"), pytest.raises(Busy):
        docker.VERBS[verb](site, [HOST])


def test_stop_takes_the_socket_too_and_start_brings_both_back(
    site: WorldSite, world: DockerWorld
) -> None:
    assert render_done(docker.stop(site, [HOST])) == "manager-1: stopped"
    assert [c for c in world.calls() if c.startswith("systemctl stop")] == [
        "systemctl stop docker.socket docker.service"
    ]
    (found,) = docker.show(site, [HOST])
    assert found.status is not None
    assert found.status.engine is Engine.DOWN
    assert render_done(docker.stop(site, [HOST])) == "manager-1: stopped"
    assert render_done(docker.start(site, [HOST])) == "manager-1: started"
    (found,) = docker.show(site, [HOST])
    assert found.status is not None
    assert (found.status.engine, found.status.running) == (Engine.UP, 2)


def test_a_docker_that_does_not_stop_is_a_failure(site: WorldSite, world: DockerWorld) -> None:
    """The original scripts' stop ended with success whatever happened."""
    world.set_fault("sticky")
    found = docker.stop(site, [HOST])
    assert docker.status_of(found) is Exit.SOURCE
    assert "is active again" in render_done(found)


@pytest.mark.parametrize("fault", ["broken", "forbidden"])
def test_a_docker_that_does_not_answer_was_not_started(
    site: WorldSite, world: DockerWorld, fault: str
) -> None:
    docker.stop(site, [HOST])
    world.set_fault(fault)
    assert docker.status_of(docker.start(site, [HOST])) is Exit.SOURCE


def test_docker_is_not_stopped_under_containers_that_a_run_holds(
    site: WorldSite, world: DockerWorld
) -> None:
    assert world.capsule("quiesce", f"run={LATER} set=platform").returncode == 0
    (found,) = docker.stop(site, [HOST])
    assert isinstance(found.error, Busy)
    assert "down" not in {file.name for file in world.fake.iterdir()}


def test_a_host_without_docker_says_so(site: WorldSite, world: DockerWorld) -> None:
    (world.fake / "bin/docker").unlink()
    if world.run("sh", "-c", "PATH=/usr/sbin:/usr/bin:/sbin:/bin command -v docker").stdout:
        pytest.skip("docker is installed on this machine")
    (found,) = docker.show(site, [HOST])
    assert found.status is not None
    assert found.status.engine is Engine.NONE


def test_an_unknown_host_is_named(site: WorldSite) -> None:
    with pytest.raises(UnknownName, match="manger-1"):
        docker.pick_hosts(site.config, ["manger-1"])
    assert docker.pick_hosts(site.config, []) == (HOST,)
