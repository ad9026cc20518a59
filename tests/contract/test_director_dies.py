"""Whenever the director dies, every host lets go of its containers, and the next run cleans up and
succeeds: real capsules on two hosts, the engine's protocol, a signal after every journal line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.contract.capsule_world import LATER, RUN, can_unshare
from tests.contract.director import WorldSite, config
from tests.contract.docker_world import DockerWorld, docker_world
from zrep.engine.lock import exclusive
from zrep.engine.progress import Silent
from zrep.engine.recover import observe_leftovers, recover
from zrep.errors import Busy, Exit
from zrep.report.recover import render_leftovers, render_report

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

NAMES = ("cassandra-1", "manager-1")
OPERATORS = {"maintenance"}
ROOT = Path(__file__).parents[2]
Worlds = Mapping[str, DockerWorld]


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[Worlds]:
    with ExitStack() as stack:
        found = {}
        for name in NAMES:
            (tmp_path / name).mkdir()
            world = stack.enter_context(docker_world(tmp_path / name))
            for service in ("web.1", "db.1"):
                world.set_container(f"{service}.{name}", "running")
            world.set_container("maintenance", "paused")
            found[name] = world
        yield found
        assert [w.violations() for w in found.values()] == ["", ""]


def direct(
    worlds: Worlds, state: Path, run: str, *, signum: int = 0, at: int = 0
) -> subprocess.CompletedProcess[str]:
    hosts = [f"{name}={w.pid}={w.tmp}" for name, w in worlds.items()]
    return subprocess.run(
        (
            sys.executable,
            "-m",
            "tests.contract.director",
            run,
            str(int(signum)),
            str(at),
            str(state),
            *hosts,
        ),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
    )


def settle(world: DockerWorld) -> None:
    """Wait until no capsule is at work: what the director had sent goes on without it."""
    world.run("mkdir", "-p", "/run/zrep")
    for lock in ("quiesce", "capsule"):
        assert world.run("flock", "-w", "30", f"/run/zrep/{lock}.lock", "true").returncode == 0


def journal_lines(worlds: Worlds, state: Path) -> int:
    """How many lines a run that nothing happens to writes; it is held together on all hosts."""
    done = direct(worlds, state, RUN)
    assert done.returncode == 0, done.stderr
    pauses, lines = done.stdout.splitlines()
    assert [(p["host"], p["containers"], p["held"]) for p in json.loads(pauses)] == [
        (name, 2, True) for name in NAMES
    ]
    return int(lines)


def paused_beyond_the_operators(world: DockerWorld) -> set[str]:
    return world.paused() - OPERATORS


def test_killed_after_any_journal_line_the_timers_thaw_and_the_next_run_succeeds(
    worlds: Worlds, tmp_path: Path
) -> None:
    total = journal_lines(worlds, tmp_path)
    assert total >= 9
    froze = 0
    for at in range(1, total + 1):
        run = f"20260102_{at:06d}"
        done = direct(worlds, tmp_path, run, signum=signal.SIGKILL, at=at)
        assert done.returncode == -signal.SIGKILL, f"line {at}: {done.stderr}"
        for name, world in worlds.items():
            settle(world)
            if paused_beyond_the_operators(world):
                froze += 1
                assert world.timers() == [f"zrep-thaw-{run}.timer"], f"line {at}, {name}"
            assert world.fire_timers() in ([], [0])
            assert world.paused() == OPERATORS, f"line {at}, {name}"
        again = direct(worlds, tmp_path, f"20260103_{at:06d}")
        assert again.returncode == 0, f"line {at}: {again.stderr}"
        assert all(p["held"] for p in json.loads(again.stdout.splitlines()[0]))
        for world in worlds.values():
            assert (world.paused(), world.timers(), world.mounts()) == (OPERATORS, [], [])
    assert froze >= 2, "the signals were meant to fall into the pause too"


def test_killed_in_the_pause_the_next_run_thaws_before_the_timer_does(
    worlds: Worlds, tmp_path: Path
) -> None:
    total = journal_lines(worlds, tmp_path)
    for at in range(1, total):
        direct(worlds, tmp_path, f"20260102_{at:06d}", signum=signal.SIGKILL, at=at)
        for world in worlds.values():
            settle(world)
        if any(paused_beyond_the_operators(w) for w in worlds.values()):
            break
    assert all(paused_beyond_the_operators(w) for w in worlds.values())
    again = direct(worlds, tmp_path, LATER)
    assert again.returncode == 0, again.stderr
    assert all(p["held"] for p in json.loads(again.stdout.splitlines()[0]))
    for world in worlds.values():
        assert (world.paused(), world.timers()) == (OPERATORS, [])


def test_ended_by_sigterm_after_any_journal_line_it_thaws_and_releases_itself(
    worlds: Worlds, tmp_path: Path
) -> None:
    total = journal_lines(worlds, tmp_path)
    for at in range(2, total):
        done = direct(worlds, tmp_path, f"20260102_{at:06d}", signum=signal.SIGTERM, at=at)
        assert done.returncode == 128 + signal.SIGTERM, f"line {at}: {done.stderr}"
        for name, world in worlds.items():
            settle(world)
            assert world.paused() == OPERATORS, f"line {at}, {name}"
            assert world.timers() == [], f"line {at}, {name}"


# ---- zrep recover -----------------------------------------------------------------------------


def killed_when(
    worlds: Worlds, state: Path, condition: Callable[[DockerWorld], object]
) -> WorldSite:
    """A site whose director was killed when `condition` held on both hosts; no timer has fired."""
    for at in range(1, 30):
        direct(worlds, state, f"20260102_{at:06d}", signum=signal.SIGKILL, at=at)
        for world in worlds.values():
            settle(world)
        if all(condition(w) for w in worlds.values()):
            return WorldSite(config(NAMES, state), worlds)
    raise AssertionError("no signal fell into that moment")


@pytest.fixture
def site(worlds: Worlds, tmp_path: Path) -> WorldSite:
    """A run was killed in the pause."""
    return killed_when(worlds, tmp_path, paused_beyond_the_operators)


def test_recover_removes_snapshots_that_a_killed_run_left_mounted(
    worlds: Worlds, tmp_path: Path
) -> None:
    site = killed_when(worlds, tmp_path, lambda w: w.mounts())
    assert "cassandra-1: would release data" in render_leftovers(observe_leftovers(site))
    assert "manager-1: removed data of run" in render_report(recover(site, Silent()))
    assert [w.mounts() for w in worlds.values()] == [[], []]


def test_recover_shows_then_thaws_and_removes_what_is_left(site: WorldSite) -> None:
    before = [w.paused() for w in site.worlds.values()]
    shown = render_leftovers(observe_leftovers(site))
    assert "manager-1: would thaw 2 containers of run" in shown
    assert "cassandra-1: would thaw 2 containers of run" in shown
    assert [w.paused() for w in site.worlds.values()] == before
    report = recover(site, Silent())
    assert report.status is Exit.DONE
    assert "manager-1: thawed 2 containers of run" in render_report(report)
    for world in site.worlds.values():
        assert (world.paused(), world.timers(), world.mounts()) == (OPERATORS, [], [])
    again = recover(site, Silent())
    assert render_report(again).splitlines() == [f"{n}: nothing was left" for n in NAMES]


def test_recover_says_which_container_it_could_not_thaw_and_cleans_the_rest(
    site: WorldSite,
) -> None:
    site.worlds["manager-1"].set_fault("stubborn-web.1.manager-1")
    report = recover(site, Silent())
    assert report.status is Exit.SOURCE
    assert "container web.1.manager-1 is still paused" in render_report(report)
    assert site.worlds["cassandra-1"].paused() == OPERATORS
    assert [w.mounts() for w in site.worlds.values()] == [[], []]


def test_recover_keeps_away_from_a_run_that_is_alive(site: WorldSite, tmp_path: Path) -> None:
    with exclusive(tmp_path / "run", "set-platform"), pytest.raises(Busy):
        recover(site, Silent())
    assert all(paused_beyond_the_operators(w) for w in site.worlds.values())
