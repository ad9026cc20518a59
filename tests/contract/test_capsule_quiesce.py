"""Pausing and thawing, with real capsules and a scriptable engine and systemd: whatever happens at
whatever call, nothing of ours stays paused beyond the timer, and nothing of others is touched."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.capsule_world import LATER, RUN, WorldHost, can_unshare
from tests.contract.docker_world import QUIESCE, DockerWorld, container_id, docker_world
from zrep.errors import Busy, SourceFailed
from zrep.source.capsules import Capsules

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

SET = "platform"
REQUEST = f"run={RUN} set={SET}"
HOLD = f"/run/zrep/quiesce/{SET}.held"
OPERATORS = {"maintenance"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DockerWorld]:
    """Two services run, one is exempt, an operator has paused one, and one has ended."""
    with docker_world(tmp_path) as made:
        made.set_container("web.1", "running")
        made.set_container("db.1", "running")
        made.set_container("gluster", "running", "ignore")
        made.set_container("maintenance", "paused")
        made.set_container("old", "exited")
        yield made
        assert made.violations() == ""


@pytest.fixture
def capsules(world: DockerWorld) -> Capsules:
    return Capsules(WorldHost(world))


def test_what_runs_is_paused_and_exactly_that_is_let_go(
    world: DockerWorld, capsules: Capsules
) -> None:
    quiesced = capsules.quiesce(run=RUN, set_name=SET)
    assert world.paused() == {"web.1", "db.1"} | OPERATORS
    assert (quiesced.docker, quiesced.containers, quiesced.exempt) == (True, 2, 1)
    assert (quiesced.pause, quiesced.timer) == (30, 45)
    assert 0 < quiesced.began <= quiesced.held
    assert 0 <= quiesced.held_at - quiesced.began_at < 30_000
    assert world.timers() == [f"zrep-thaw-{RUN}.timer"]
    (thawed,) = capsules.thaw(run=RUN, set_name=SET)
    assert world.paused() == OPERATORS
    assert (thawed.containers, thawed.escaped, thawed.expired) == (2, 0, False)
    assert 0 <= thawed.milliseconds < 30_000
    assert world.timers() == []
    assert not world.exists(HOLD)


def test_the_timer_is_proven_before_the_first_pause_and_disarmed_after_the_last_look(
    world: DockerWorld, capsules: Capsules
) -> None:
    capsules.quiesce(run=RUN, set_name=SET)
    capsules.thaw(run=RUN, set_name=SET)
    calls = [" ".join(call.split()[:1] + call.split()[-1:]) for call in world.calls()]
    verbs = [c.split()[3] if c.startswith("docker") else c.split()[0] for c in world.calls()]
    armed = calls.index("systemd-run /usr/libexec/zrep/capsule-thaw")
    proven = calls.index(f"systemctl zrep-thaw-{RUN}.timer")
    disarmed = len(calls) - 1 - calls[::-1].index(f"systemctl zrep-thaw-{RUN}.timer")
    assert armed < proven < verbs.index("pause")
    last_look = len(verbs) - 1 - verbs[::-1].index("ps")
    assert verbs.index("unpause") < last_look < disarmed


def test_what_is_held_is_on_disk_and_only_roots(world: DockerWorld, capsules: Capsules) -> None:
    capsules.quiesce(run=RUN, set_name=SET)
    text = world.run("cat", HOLD).stdout
    assert f"container={container_id('web.1')} web.1\n" in text
    assert "maintenance" not in text
    assert world.run("stat", "-c", "%u %a", HOLD).stdout == "0 600\n"


def test_the_list_is_written_before_anything_is_paused(
    world: DockerWorld, capsules: Capsules
) -> None:
    world.set_fault("while-pausing", f"cp {HOLD} $W/held-before\n")
    capsules.quiesce(run=RUN, set_name=SET)
    before = (world.fake / "held-before").read_text()
    assert before.count("container=") == 2


@pytest.mark.parametrize("fault", ["no-systemd-run", "no-timer"])
def test_without_a_proven_timer_nothing_is_paused(
    world: DockerWorld, capsules: Capsules, fault: str
) -> None:
    world.set_fault(fault)
    with pytest.raises(SourceFailed, match="timer"):
        capsules.quiesce(run=RUN, set_name=SET)
    assert world.paused() == OPERATORS
    assert not any(" pause " in call for call in world.calls())


def test_a_container_that_goes_meanwhile_is_no_matter(
    world: DockerWorld, capsules: Capsules
) -> None:
    world.set_fault("while-pausing", f"rm $W/containers/{container_id('db.1')}\n")
    assert capsules.quiesce(run=RUN, set_name=SET).containers == 1
    (thawed,) = capsules.thaw(run=RUN, set_name=SET)
    assert (thawed.containers, thawed.escaped) == (1, 0)
    assert world.paused() == OPERATORS


def test_a_container_that_starts_meanwhile_is_paused_too(
    world: DockerWorld, capsules: Capsules
) -> None:
    new = container_id("new.1")
    world.set_fault(
        "after-pausing",
        f"echo running new.1 > $W/containers/{new}; rm $0.x 2>/dev/null; "
        "mv $W/after-pausing $W/was\n",
    )
    assert capsules.quiesce(run=RUN, set_name=SET).containers == 3
    assert world.paused() == {"web.1", "db.1", "new.1"} | OPERATORS
    capsules.thaw(run=RUN, set_name=SET)
    assert world.paused() == OPERATORS


def test_containers_that_never_stop_starting_end_the_attempt(
    world: DockerWorld, capsules: Capsules
) -> None:
    world.set_fault(
        "after-pausing",
        "id=$(printf '%064d' $turn); echo running new.$turn > $W/containers/$id\n",
    )
    with pytest.raises(SourceFailed, match="keep starting"):
        capsules.quiesce(run=RUN, set_name=SET)
    assert world.paused() == OPERATORS


@pytest.mark.parametrize("state", ["running", "restarting"])
def test_one_that_cannot_be_paused_lets_all_go_at_once(
    world: DockerWorld, capsules: Capsules, state: str
) -> None:
    world.set_container("stuck", state)
    world.set_fault("stubborn-stuck")
    with pytest.raises(
        SourceFailed, match=f"container stuck cannot be paused: .*it is {state}"
    ) as e:
        capsules.quiesce(run=RUN, set_name=SET)
    assert "io.zrep.quiesce=ignore" in e.value.next_step
    assert world.paused() == OPERATORS
    assert world.timers() == []
    assert not world.exists(HOLD)


def test_one_that_an_operator_pauses_in_that_instant_stays_the_operators(
    world: DockerWorld, capsules: Capsules
) -> None:
    world.set_fault("while-pausing", f"echo paused db.1 > $W/containers/{container_id('db.1')}\n")
    with pytest.raises(SourceFailed, match=r"container db\.1 cannot be paused"):
        capsules.quiesce(run=RUN, set_name=SET)
    assert world.paused() == {"db.1"} | OPERATORS


def test_a_pause_beyond_the_budget_is_ended_and_reported(
    world: DockerWorld, capsules: Capsules
) -> None:
    world.configure("quiesce platform docker 1 2")
    world.set_fault("slow", "1.5")
    with pytest.raises(SourceFailed, match="did not end by itself"):
        capsules.quiesce(run=RUN, set_name=SET)
    assert world.paused() == OPERATORS
    assert world.timers() == []


def test_a_pause_whose_confirmation_is_lost_is_let_go(
    world: DockerWorld, capsules: Capsules
) -> None:
    world.set_fault("lost-db.1")
    with pytest.raises(SourceFailed, match=r"container db\.1 cannot be paused: .*EOF"):
        capsules.quiesce(run=RUN, set_name=SET)
    assert world.paused() == OPERATORS


def test_pauses_that_are_done_when_docker_is_cut_off_are_let_go(
    world: DockerWorld, capsules: Capsules
) -> None:
    """The limit passes after some are paused, and before docker could say which."""
    world.configure("quiesce platform docker 1 2")
    world.set_fault("after-pausing", "sleep 1.5\n")
    with pytest.raises(SourceFailed, match="did not end by itself"):
        capsules.quiesce(run=RUN, set_name=SET)
    assert world.paused() == OPERATORS


def test_an_engine_that_does_not_answer_is_an_error_before_any_pause(
    world: DockerWorld, capsules: Capsules
) -> None:
    world.set_fault("down")
    with pytest.raises(SourceFailed, match="Cannot connect to the Docker daemon"):
        capsules.probe(set_name=SET)
    with pytest.raises(SourceFailed, match="Cannot connect to the Docker daemon"):
        capsules.quiesce(run=RUN, set_name=SET)


def test_a_host_without_docker_says_so(world: DockerWorld, capsules: Capsules) -> None:
    (world.fake / "bin" / "docker").unlink()
    quiesced = capsules.quiesce(run=RUN, set_name=SET)
    assert (quiesced.docker, quiesced.containers) == (False, 0)
    assert capsules.probe(set_name=SET).quiesce == {}
    capsules.thaw(run=RUN, set_name=SET)
    assert world.timers() == []


def test_a_host_where_nothing_runs_is_held_still(world: DockerWorld, capsules: Capsules) -> None:
    for name in ("web.1", "db.1"):
        world.remove_container(name)
    assert capsules.quiesce(run=RUN, set_name=SET).containers == 0
    (thawed,) = capsules.thaw(run=RUN, set_name=SET)
    assert (thawed.containers, thawed.expired) == (0, False)


def test_a_set_that_is_not_quiesced_here_is_refused(world: DockerWorld, capsules: Capsules) -> None:
    world.configure("source platform data dir - SRC")
    with pytest.raises(SourceFailed, match="does not say how set platform is quiesced"):
        capsules.quiesce(run=RUN, set_name=SET)
    assert not any(call.startswith(("docker", "systemd-run")) for call in world.calls())


# ---- thaw -------------------------------------------------------------------------------------


def test_thaw_twice_says_the_same_twice(capsules: Capsules) -> None:
    capsules.quiesce(run=RUN, set_name=SET)
    first = capsules.thaw(run=RUN, set_name=SET)
    assert capsules.thaw(run=RUN, set_name=SET) == first


def test_the_timer_lets_all_go_and_the_run_learns_of_it(
    world: DockerWorld, capsules: Capsules
) -> None:
    capsules.quiesce(run=RUN, set_name=SET)
    assert world.fire_timers() == [0]
    assert world.paused() == OPERATORS
    (thawed,) = capsules.thaw(run=RUN, set_name=SET)
    assert (thawed.containers, thawed.expired) == (2, True)


def test_after_an_engine_restart_what_runs_already_has_escaped(
    world: DockerWorld, capsules: Capsules
) -> None:
    capsules.quiesce(run=RUN, set_name=SET)
    world.set_container("web.1", "running")
    world.remove_container("db.1")
    (thawed,) = capsules.thaw(run=RUN, set_name=SET)
    assert (thawed.containers, thawed.escaped, thawed.expired) == (2, 2, False)


def test_after_a_boot_nothing_is_held_and_the_run_learns_of_it(
    world: DockerWorld, capsules: Capsules
) -> None:
    capsules.quiesce(run=RUN, set_name=SET)
    world.run("sh", "-c", "mv /run/zrep /run/before-the-boot")
    for name in ("web.1", "db.1"):
        world.set_container(name, "running")
    (thawed,) = capsules.thaw(run=RUN, set_name=SET)
    assert (thawed.containers, thawed.expired) == (0, True)


def test_an_unpause_that_fails_once_is_tried_again(world: DockerWorld, capsules: Capsules) -> None:
    capsules.quiesce(run=RUN, set_name=SET)
    world.set_fault("once-web.1")
    capsules.thaw(run=RUN, set_name=SET)
    assert world.paused() == OPERATORS


def test_an_unpause_that_fails_names_the_container_and_leaves_the_timer_armed(
    world: DockerWorld, capsules: Capsules
) -> None:
    capsules.quiesce(run=RUN, set_name=SET)
    world.set_fault("stubborn-web.1")
    with pytest.raises(
        SourceFailed, match=r"container web\.1 is still paused: .*it is paused"
    ) as e:
        capsules.thaw(run=RUN, set_name=SET)
    assert e.value.next_step == f"on the host: docker unpause {container_id('web.1')}"
    assert world.paused() == {"web.1"} | OPERATORS
    assert world.timers() == [f"zrep-thaw-{RUN}.timer"]
    assert world.fire_timers() == [1], "systemd starts it again until it succeeds"
    world.clear_fault("stubborn-web.1")
    capsules.thaw(run=RUN, set_name=SET)
    assert world.paused() == OPERATORS


def test_an_engine_that_is_away_is_no_thaw(world: DockerWorld, capsules: Capsules) -> None:
    capsules.quiesce(run=RUN, set_name=SET)
    world.set_fault("down")
    with pytest.raises(SourceFailed, match="cannot tell whether containers are still paused"):
        capsules.thaw(run=RUN, set_name=SET)
    assert world.timers() == [f"zrep-thaw-{RUN}.timer"]
    world.clear_fault("down")
    capsules.thaw()
    assert world.paused() == OPERATORS


def test_a_thaw_that_overtakes_its_quiesce_calls_it_off(
    world: DockerWorld, capsules: Capsules
) -> None:
    (thawed,) = capsules.thaw(run=RUN, set_name=SET)
    assert thawed.expired
    with pytest.raises(SourceFailed, match="was thawed before it could pause"):
        capsules.quiesce(run=RUN, set_name=SET)
    assert world.paused() == OPERATORS


def test_thawing_another_run_leaves_this_one_alone(world: DockerWorld, capsules: Capsules) -> None:
    capsules.quiesce(run=RUN, set_name=SET)
    capsules.thaw(run=LATER, set_name="other")
    assert world.paused() == {"web.1", "db.1"} | OPERATORS


# ---- snapshots in the pause -------------------------------------------------------------------


def test_in_the_pause_snapshots_are_made_and_after_it_they_are_mounted(
    world: DockerWorld, capsules: Capsules
) -> None:
    capsules.quiesce(run=RUN, set_name=SET)
    captured = capsules.capture(run=RUN, set_name=SET, timeout=60)
    assert list(captured) == ["data"]
    assert (world.mounts(), world.exists("/run/zrep/rsyncd-read.conf")) == ([], False)
    capsules.thaw(run=RUN, set_name=SET)
    (prepared,) = capsules.snapshot(run=RUN, set_name=SET, captured=captured)
    assert prepared.created == captured["data"]
    assert world.mounts() == ["/run/zrep/mnt/data"]
    assert capsules.snapshot(run=RUN, set_name=SET, captured=captured) == (prepared,)
    capsules.check(run=RUN, set_name=SET, source="data")
    capsules.release(run=RUN, set_name=SET)
    assert world.mounts() == []


READY = f"/run/zrep/{SET}.ready"


def test_what_cannot_be_captured_is_told_before_anything_is_paused(
    world: DockerWorld, capsules: Capsules
) -> None:
    world.configure(QUIESCE, "source platform data dir - /nowhere mounted=yes")
    failed = capsules.before(run=RUN, set_name=SET)
    assert {name: error.where for name, error in failed.items()} == {"data": "manager-1/data"}
    assert "/nowhere" in failed["data"].why
    assert not world.exists(READY)


@pytest.mark.parametrize(
    ("run", "seconds_ago", "trusted"),
    [(RUN, 0, True), (RUN, 200, True), (RUN, 400, False), (LATER, 0, False)],
)
def test_what_was_looked_at_just_before_the_pause_is_not_looked_at_in_it(
    world: DockerWorld, capsules: Capsules, run: str, seconds_ago: int, trusted: bool
) -> None:
    """Shown by a volume that is unmounted in between, which only looking would find."""
    assert capsules.before(run=RUN, set_name=SET) == {}
    noted = world.run("cat", READY).stdout.split()
    assert noted[0] == RUN
    world.run("tee", READY, stdin=f"{run} {int(noted[1]) - seconds_ago * 1000} \n")
    capsules.quiesce(run=RUN, set_name=SET)
    world.run("umount", str(world.source))
    if trusted:
        assert list(capsules.capture(run=RUN, set_name=SET, timeout=60)) == ["data"]
    else:
        with pytest.raises(SourceFailed, match="nothing is mounted"):
            capsules.capture(run=RUN, set_name=SET, timeout=60)
    capsules.thaw(run=RUN, set_name=SET)
    capsules.release(run=RUN, set_name=SET)
    assert not world.exists(READY)


def test_a_thaw_that_failed_does_not_keep_the_snapshots_from_being_read(
    world: DockerWorld, capsules: Capsules
) -> None:
    capsules.quiesce(run=RUN, set_name=SET)
    captured = capsules.capture(run=RUN, set_name=SET, timeout=60)
    capsules.snapshot(run=RUN, set_name=SET, captured=captured)
    assert world.mounts() == ["/run/zrep/mnt/data"]


def test_snapshots_that_were_lost_since_the_pause_are_not_replaced_by_others(
    world: DockerWorld, capsules: Capsules
) -> None:
    """As after a boot in between: what is made now is not of that instant."""
    capsules.quiesce(run=RUN, set_name=SET)
    captured = capsules.capture(run=RUN, set_name=SET, timeout=60)
    world.run("sh", "-c", "rm -r /run/zrep/state /run/zrep/quiesce")
    time.sleep(max(0.0, captured["data"] + 1.01 - time.time()))
    with pytest.raises(SourceFailed, match="taken in the pause are gone"):
        capsules.snapshot(run=RUN, set_name=SET, captured=captured)


def test_what_was_captured_and_never_mounted_goes_with_the_next_run(
    world: DockerWorld, capsules: Capsules
) -> None:
    capsules.quiesce(run=RUN, set_name=SET)
    capsules.capture(run=RUN, set_name=SET, timeout=60)
    capsules.thaw()
    later = capsules.snapshot(run=LATER, set_name=SET)
    assert [p.module for p in later] == [f"data.{LATER}"]
    assert world.run("ls", "/run/zrep/state").stdout == "data\n"


# ---- what crashed runs leave ------------------------------------------------------------------


def test_the_next_run_of_the_set_lets_go_what_the_last_one_left(
    world: DockerWorld, capsules: Capsules
) -> None:
    capsules.quiesce(run=RUN, set_name=SET)
    (hold,) = capsules.probe(set_name=SET).holds
    assert (hold.run, hold.set_name, hold.containers, hold.armed) == (RUN, SET, 2, True)
    quiesced = capsules.quiesce(run=LATER, set_name=SET)
    assert quiesced.containers == 2
    assert world.timers() == [f"zrep-thaw-{LATER}.timer"]
    (thawed,) = capsules.thaw(run=LATER, set_name=SET)
    assert not thawed.expired
    assert world.paused() == OPERATORS


def test_two_sets_never_hold_one_host_at_the_same_time(
    world: DockerWorld, capsules: Capsules
) -> None:
    world.configure(QUIESCE, "quiesce other docker 30 45")
    capsules.quiesce(run=RUN, set_name=SET)
    with pytest.raises(Busy, match=f"run {RUN} of set platform holds"):
        capsules.quiesce(run=LATER, set_name="other")
    assert world.timers() == [f"zrep-thaw-{RUN}.timer"]
    for timer in world.timers():
        (world.fake / "timers" / timer).unlink()
    assert capsules.quiesce(run=LATER, set_name="other").containers == 2
    capsules.thaw(run=LATER, set_name="other")
    assert world.paused() == OPERATORS


def calls_of(world: DockerWorld, capsules: Capsules, verb: str) -> int:
    """How many calls the capsule makes when nothing happens to it."""
    if verb == "thaw":
        capsules.quiesce(run=RUN, set_name=SET)
    before = len(world.calls())
    done = world.capsule(verb, REQUEST)
    assert done.returncode == 0
    return len(world.calls()) - before


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("verb", ["quiesce", "thaw"])
def test_killed_at_any_call_the_timer_thaws_and_the_next_run_succeeds(
    world: DockerWorld, capsules: Capsules, verb: str, when: str
) -> None:
    total = calls_of(world, capsules, verb)
    assert total >= 4
    for at in range(1, total + 1):
        capsules.thaw()
        world.run("sh", "-c", "rm -f /run/zrep/quiesce/*")
        if verb == "thaw":
            capsules.quiesce(run=RUN, set_name=SET)
        done = world.capsule_until_killed(verb, REQUEST, at=at, when=when)
        assert done.returncode == -9, f"call {at}: {done.stdout}{done.stderr}"
        if world.paused() != OPERATORS:
            assert world.timers() == [f"zrep-thaw-{RUN}.timer"], f"call {at}"
        assert world.fire_timers() in ([], [0]), f"call {at}"
        assert world.paused() == OPERATORS, f"call {at}"
        assert capsules.quiesce(run=LATER, set_name=SET).containers == 2
        (thawed,) = capsules.thaw(run=LATER, set_name=SET)
        assert not thawed.expired, f"call {at}"
        assert world.timers() == [], f"call {at}"


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_call_the_next_thaw_is_as_good_as_the_timer(
    world: DockerWorld, capsules: Capsules, when: str
) -> None:
    total = calls_of(world, capsules, "quiesce")
    for at in range(1, total + 1):
        capsules.thaw()
        world.run("sh", "-c", "rm -f /run/zrep/quiesce/*")
        done = world.capsule_until_killed("quiesce", REQUEST, at=at, when=when)
        assert done.returncode == -9, f"call {at}"
        capsules.thaw(run=RUN, set_name=SET)
        assert world.paused() == OPERATORS, f"call {at}"
        world.fire_timers()


def test_ended_by_a_signal_it_lets_go_by_itself(world: DockerWorld) -> None:
    world.set_fault("after-pausing", "kill -TERM $(cat $W/victim)\n")
    done = world.capsule_until_killed("quiesce", REQUEST, at=999, when="after")
    assert done.returncode == 143
    assert world.paused() == OPERATORS
    assert world.timers() == []


# ---- configuration and answers ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("quiesce platform docker 30", 'not "quiesce SET docker PAUSE TIMER"'),
        ("quiesce platform podman 30 45", 'not "quiesce SET docker PAUSE TIMER"'),
        ("quiesce ../x docker 30 45", 'not "quiesce SET docker PAUSE TIMER"'),
        ("quiesce platform docker 30s 45s", 'not "quiesce SET docker PAUSE TIMER"'),
        ("quiesce platform docker 0 45", 'not "quiesce SET docker PAUSE TIMER"'),
        ("quiesce platform docker 30 1000", 'not "quiesce SET docker PAUSE TIMER"'),
        ("quiesce platform docker 30 30", "the timer must be longer than the pause"),
    ],
)
def test_a_bad_line_stops_everything(world: DockerWorld, line: str, why: str) -> None:
    world.configure(line)
    done = world.capsule("quiesce", REQUEST)
    assert done.returncode == 2
    assert why in json.loads(done.stdout.splitlines()[0])["why"]
    assert world.calls() == []


def test_the_probe_looks_and_changes_nothing(world: DockerWorld, capsules: Capsules) -> None:
    report = capsules.probe(set_name=SET)
    assert (report.quiesce, report.holds) == ({}, ())
    assert not world.exists("/run/zrep")
    assert world.paused() == OPERATORS


def test_the_probe_refuses_where_systemd_does_not_run(
    world: DockerWorld, capsules: Capsules
) -> None:
    world.run("rmdir", "/run/systemd/system")
    with pytest.raises(SourceFailed, match="systemd does not run here"):
        capsules.probe(set_name=SET)
    world.configure("source platform data dir - SRC mounted=yes")
    capsules.probe(set_name=SET)
