"""The capsules run for real in a mount namespace, with method dir: real mounts, state and rsync."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from tests.contract.capsule_world import (
    LATER,
    RUN,
    CapsuleWorld,
    WorldHost,
    can_unshare,
    capsule_world,
)
from zrep.capsule.install import load_hooks
from zrep.capsule.render import capsule_digest
from zrep.errors import SourceFailed
from zrep.source.capsules import Capsules

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

LINE = "source platform data dir - SRC mounted=yes"
REQUEST = f"run={RUN} set=platform"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[CapsuleWorld]:
    with capsule_world(tmp_path) as made:
        made.configure(LINE)
        (made.source / "a").write_text("one")
        yield made


@pytest.fixture
def capsules(world: CapsuleWorld) -> Capsules:
    return Capsules(WorldHost(world))


def events(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def leftovers(world: CapsuleWorld) -> tuple[list[str], list[str], bool]:
    state = world.run("ls", "/run/zrep/state").stdout.split()
    return world.mounts(), state, world.exists("/run/zrep/rsyncd-read.conf")


NOTHING: tuple[list[str], list[str], bool] = ([], [], False)


def test_a_source_is_prepared_checked_and_released(world: CapsuleWorld, capsules: Capsules) -> None:
    (prepared,) = capsules.snapshot(run=RUN, set_name="platform")
    assert (prepared.source, prepared.kind, prepared.module) == ("data", "dir", f"data.{RUN}")
    assert world.mounts() == ["/run/zrep/mnt/data"]
    (checked,) = capsules.check(run=RUN, set_name="platform", source="data")
    assert checked.problem is None
    capsules.release(run=RUN, set_name="platform")
    assert leftovers(world) == NOTHING


def test_what_is_served_cannot_be_written(world: CapsuleWorld, capsules: Capsules) -> None:
    capsules.snapshot(run=RUN, set_name="platform")
    done = world.run("touch", "/run/zrep/mnt/data/x")
    assert "Read-only file system" in done.stderr
    options = world.run("findmnt", "-rno", "OPTIONS", "/run/zrep/mnt/data").stdout.split(",")
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(options)


def test_snapshot_twice_is_snapshot_once(capsules: Capsules) -> None:
    first = capsules.snapshot(run=RUN, set_name="platform")
    assert capsules.snapshot(run=RUN, set_name="platform") == first


def test_release_twice_is_release_once(world: CapsuleWorld, capsules: Capsules) -> None:
    capsules.snapshot(run=RUN, set_name="platform")
    capsules.release()
    capsules.release()
    assert leftovers(world) == NOTHING


def test_a_later_run_removes_what_an_earlier_one_left(
    world: CapsuleWorld, capsules: Capsules
) -> None:
    capsules.snapshot(run=RUN, set_name="platform")
    done = world.capsule("snapshot", f"run={LATER} set=platform")
    assert done.returncode == 0
    assert events(done.stdout)[0] == {
        "event": "released",
        "source": "data",
        "set": "platform",
        "run": RUN,
    }
    conf = world.run("cat", "/run/zrep/rsyncd-read.conf").stdout
    assert f"[data.{LATER}]" in conf
    assert RUN not in conf


def test_releasing_another_run_leaves_this_one_alone(
    world: CapsuleWorld, capsules: Capsules
) -> None:
    capsules.snapshot(run=RUN, set_name="platform")
    capsules.release(run=LATER, set_name="platform")
    assert world.mounts() == ["/run/zrep/mnt/data"]
    capsules.check(run=RUN, set_name="platform")


def test_an_unmounted_path_is_refused(world: CapsuleWorld, capsules: Capsules) -> None:
    world.run("umount", str(world.source))
    with pytest.raises(SourceFailed, match="nothing is mounted on") as caught:
        capsules.snapshot(run=RUN, set_name="platform")
    assert caught.value.where == "manager-1/data"
    assert "mount" in caught.value.next_step
    assert leftovers(world) == NOTHING
    with pytest.raises(SourceFailed, match="nothing is mounted on"):
        capsules.probe(set_name="platform")


def test_one_bad_source_undoes_the_good_ones(world: CapsuleWorld, capsules: Capsules) -> None:
    world.configure(LINE, "source platform missing dir - /does/not/exist")
    with pytest.raises(SourceFailed, match="is not a directory") as caught:
        capsules.snapshot(run=RUN, set_name="platform")
    assert caught.value.where == "manager-1/missing"
    assert leftovers(world) == NOTHING


def test_a_lost_mount_fails_the_check(world: CapsuleWorld, capsules: Capsules) -> None:
    capsules.snapshot(run=RUN, set_name="platform")
    world.run("umount", "/run/zrep/mnt/data")
    with pytest.raises(SourceFailed, match="no longer mounted"):
        capsules.check(run=RUN, set_name="platform", source="data")
    capsules.release()
    assert leftovers(world) == NOTHING


def test_a_busy_snapshot_is_reported_with_its_holder_and_kept(
    world: CapsuleWorld, capsules: Capsules
) -> None:
    capsules.snapshot(run=RUN, set_name="platform")
    world.run("sed", "-i", "s/^UMOUNT_TRIES=.*/UMOUNT_TRIES=0/", "/usr/libexec/zrep/capsule-lib")
    hold = ("sh", "-c", "cd /run/zrep/mnt/data && echo in && exec cat")
    with subprocess.Popen(
        world.argv(hold), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "in\n"
        with pytest.raises(SourceFailed, match=r"in use by .*\(cat\)"):
            capsules.release()
        assert not world.exists("/run/zrep/rsyncd-read.conf")
        assert [x.source for x in capsules.probe().leftovers] == ["data"]
        holder.kill()
    capsules.release()
    assert leftovers(world) == NOTHING


def test_the_probe_knows_the_capsules_and_changes_nothing(
    world: CapsuleWorld, capsules: Capsules
) -> None:
    report = capsules.probe(set_name="platform")
    assert report.capsules == capsule_digest(load_hooks())
    assert abs(report.clock - time.time()) < 60
    assert report.leftovers == ()
    assert not world.exists("/run/zrep")
    world.run("sh", "-c", "echo '# changed' >> /usr/libexec/zrep/capsule-lib")
    assert capsules.probe().capsules != capsule_digest(load_hooks())


def prepare(capsules: Capsules, verb: str) -> None:
    capsules.release()
    if verb != "snapshot":
        capsules.snapshot(run=RUN, set_name="platform")


def kill_capsule(world: CapsuleWorld, verb: str, *, after: int | None = None) -> int:
    """Kill it once the shell has begun so many commands, or let it end; returns their number."""
    with subprocess.Popen(
        world.argv(("sh", "-x", f"/usr/libexec/zrep/capsule-{verb}")),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as victim:
        assert victim.stdin is not None
        assert victim.stderr is not None
        victim.stdin.write(f"{REQUEST}\n")
        victim.stdin.close()
        begun = sum(1 for _ in islice(victim.stderr, after))
        if after is not None:
            os.killpg(victim.pid, signal.SIGKILL)
    return begun


@pytest.mark.parametrize("verb", ["snapshot", "release", "check"])
@pytest.mark.parametrize("part", range(6))
def test_a_capsule_killed_anywhere_leaves_nothing_the_next_cannot_settle(
    world: CapsuleWorld, capsules: Capsules, verb: str, part: int
) -> None:
    """Killed with -9 (its children too) when it has come an ever greater part of its way."""
    prepare(capsules, verb)
    commands = kill_capsule(world, verb)
    assert commands > 50
    prepare(capsules, verb)
    kill_capsule(world, verb, after=commands * part // 5)
    again = Capsules(WorldHost(world))
    again.snapshot(run=LATER, set_name="platform")
    again.check(run=LATER, set_name="platform")
    assert world.mounts() == ["/run/zrep/mnt/data"]
    again.release()
    assert leftovers(world) == NOTHING


@pytest.mark.parametrize(
    "request_line",
    [
        f"run={RUN} set=platform extra=1",
        f"run={RUN}  set=platform",
        f"set=platform run={RUN}",
        f"run={RUN} set=../etc",
        f"run={RUN} set=",
        "run=2026 set=platform",
        f"run={RUN};id set=platform",
        "$(id)",
        f"run={RUN} set=pla tform",
        f"run={RUN} set=PLATFORM",
    ],
)
def test_a_request_that_is_not_spelled_right_is_refused(
    world: CapsuleWorld, request_line: str
) -> None:
    done = world.capsule("snapshot", request_line)
    assert done.returncode == 2
    assert events(done.stdout)[0]["code"] == "bad-request"
    assert not world.exists("/run/zrep")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("source platform data dir - /a/../etc", "bad path"),
        ("source platform data dir - relative", "bad path"),
        ("source platform data dir - /a mounted=maybe", "bad option"),
        ("source platform data dir - /a size=$(id)", "bad option"),
        ("source platform data tape - /a", "unknown method"),
        ("source platform ../x dir - /a", "not a word"),
        ("source platform data lvm vg /a", "bad volume"),
        ("source platform data lvm vg/lv/x /a", "bad volume"),
        ("source platform data lvm vg/-lv /a", "bad volume"),
        ("source platform data lvm vg/lv /a size=0g", "bad option"),
        ("source platform data lvm vg/lv /a size=20", "bad option"),
        ("shell platform data dir - /a", "not \\"),
    ],
)
def test_a_bad_line_in_source_conf_stops_everything(
    world: CapsuleWorld, line: str, why: str
) -> None:
    world.configure(LINE, line)
    done = world.capsule("probe")
    assert done.returncode == 2
    found = events(done.stdout)[0]
    assert found["code"] == "config"
    assert why.replace("\\", '"') in str(found["why"])
    assert ":2:" in str(found["why"])


@pytest.mark.parametrize("path", ["etc/zrep/source.conf", "etc/zrep"])
def test_a_configuration_that_others_could_write_is_not_believed(
    world: CapsuleWorld, path: str
) -> None:
    (world.tmp / path).chmod(0o777)
    done = world.capsule("snapshot", REQUEST)
    assert done.returncode == 2
    assert "can be written by others" in str(events(done.stdout)[0]["why"])
