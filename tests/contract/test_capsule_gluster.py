"""Method gluster with a gluster that answers like the real one, and fails where it is told to."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
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
from tests.contract.fakes import gluster
from tests.contract.fakes.bench import Bench
from tests.contract.fakes.gluster import HERE
from zrep.errors import SourceFailed
from zrep.source.capsules import Capsules

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

RECORDED = Path(__file__).parents[1] / "data" / "gluster-10.3.txt"
NAME = f"zrep_{RUN}_docker"
REQUEST = f"run={RUN} set=platform"
MOUNTINFO = "/run/mountinfo"
AWAY = "11111111-2222-3333-4444-555555555555"
HOSTNAME = Path("/proc/sys/kernel/hostname").read_text().strip()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[CapsuleWorld]:
    with capsule_world(tmp_path) as made:
        made.configure("source platform docker gluster docker SRC")
        yield made


@pytest.fixture
def bench(world: CapsuleWorld) -> Bench:
    made = Bench(world, "gluster", "mount", "umount", "lvs", "stat")
    (world.tmp / "frozen").mkdir()
    (world.tmp / "frozen" / "a").write_text("one")
    (world.tmp / "glusterd.info").write_text(f"UUID={HERE}\noperating-version=100000\n")
    for old, new in (
        ("/proc/self/mountinfo", MOUNTINFO),
        ("/var/lib/glusterd/glusterd.info", str(world.tmp / "glusterd.info")),
    ):
        world.run("sh", "-c", f"sed -i 's|{old}|{new}|' /usr/libexec/zrep/*")
    made.change(
        volumes={
            "docker": {
                "status": "Started",
                "bricks": [["m1:/", HERE], ["m2:/export/docker/gluster", AWAY]],
                "up": [1, 1],
                "copies": 2,
                "heal": [0, 0],
                "limit": 256,
                "auto_delete": "disable",
            }
        },
        snapshots={},
        folders={
            f"localhost:/snaps/zrep_{run}_docker{stamp}/docker": str(world.tmp / "frozen")
            for run in (RUN, LATER)
            for stamp in ("", gluster.STAMP)
        },
        mounted={str(world.source): ["fuse.glusterfs", "localhost:/docker"]},
        mountinfo=MOUNTINFO,
        pool={"data": "12.50", "metadata": "3.10", "health": "", "thin": True},
    )
    world.run("mount", "-o", "remount,bind", str(world.source))
    refresh(world, made)
    return made


def refresh(world: CapsuleWorld, bench: Bench) -> None:
    """The pretended table of mounts, after the state or the mounts were changed from here."""
    world.run(str(bench.folder / "mount"), "-o", "remount,bind", str(world.source))


@pytest.fixture
def capsules(world: CapsuleWorld, bench: Bench) -> Capsules:
    assert bench.state["volumes"]
    return Capsules(WorldHost(world))


def volume(bench: Bench, **values: object) -> None:
    volumes = bench.state["volumes"]
    volumes["docker"].update(values)
    bench.change(volumes=volumes)


def left(world: CapsuleWorld, bench: Bench) -> tuple[list[str], list[str], list[str]]:
    states = world.run("ls", "/run/zrep/state").stdout.split()
    return world.mounts(), states, sorted(bench.state["snapshots"])


NOTHING: tuple[list[str], list[str], list[str]] = ([], [], [])


def test_a_snapshot_is_made_activated_mounted_checked_and_taken_back(
    world: CapsuleWorld, bench: Bench, capsules: Capsules
) -> None:
    assert capsules.probe(set_name="platform").sources[0].problem is None
    (prepared,) = capsules.snapshot(run=RUN, set_name="platform")
    assert (prepared.kind, prepared.module) == ("gluster", f"docker.{RUN}")
    assert bench.state["snapshots"][NAME]["status"] == "Started"
    assert bench.state["snapshots"][NAME]["mark"] == f"zrep:{HOSTNAME}"
    assert world.run("cat", "/run/zrep/mnt/docker/a").stdout == "one"
    assert capsules.check(run=RUN, set_name="platform")[0].problem is None
    capsules.release(run=RUN, set_name="platform")
    assert left(world, bench) == NOTHING


def test_each_state_is_read_again_and_the_mount_goes_before_the_snapshot(
    bench: Bench, capsules: Capsules
) -> None:
    capsules.snapshot(run=RUN, set_name="platform")
    capsules.release(run=RUN, set_name="platform")
    told = [re.sub(r"^gluster --mode=script --xml ", "", c) for c in bench.calls]
    steps = [c.split()[:2] for c in told if c.startswith(("snapshot ", "mount ", "umount "))]
    words = [" ".join(s) if s[0] == "snapshot" else s[0] for s in steps]
    assert words[words.index("snapshot create") :] == [
        "snapshot create",
        "snapshot info",
        "snapshot info",
        "snapshot activate",
        "snapshot info",
        "mount",
        "umount",
        "snapshot info",
        "snapshot deactivate",
        "snapshot delete",
        "snapshot info",
    ]


def test_snapshot_twice_is_snapshot_once(bench: Bench, capsules: Capsules) -> None:
    first = capsules.snapshot(run=RUN, set_name="platform")
    assert capsules.snapshot(run=RUN, set_name="platform") == first
    assert len(bench.state["snapshots"]) == 1


def test_a_name_with_a_time_appended_is_taken_as_it_is_reported(
    world: CapsuleWorld, bench: Bench, capsules: Capsules
) -> None:
    bench.change(stamp=True)
    capsules.snapshot(run=RUN, set_name="platform")
    assert list(bench.state["snapshots"]) == [NAME + gluster.STAMP]
    capsules.check(run=RUN, set_name="platform")
    capsules.release()
    assert left(world, bench) == NOTHING


@pytest.mark.parametrize(
    ("change", "code", "why"),
    [
        ({"status": "Stopped"}, "not-started", "volume docker is Stopped"),
        ({"up": [1, 0]}, "brick-down", "1 of 2 bricks"),
        ({"up": [1, None]}, "brick-down", "1 of 2 bricks"),
        ({"heal": [0, 3]}, "heal", "3 files to heal"),
        ({"heal": ["-", 0]}, "heal", "is not known"),
        ({"limit": 0}, "snapshot-limit", "0 snapshots of at most 0"),
        ({"limit": 1, "auto_delete": "enable"}, "snapshot-limit", "at most 0"),
        ({"bricks": [["m2:/", AWAY]], "up": [1]}, "no-brick", "nobody would watch"),
    ],
    ids=lambda x: str(x)[:40],
)
def test_a_volume_that_is_not_well_is_refused_before_anything_is_made(
    world: CapsuleWorld,
    bench: Bench,
    capsules: Capsules,
    change: dict[str, object],
    code: str,
    why: str,
) -> None:
    volume(bench, **change)
    (found,) = capsules_sources(capsules)
    assert (found[0], why in found[1]) == (code, True), found
    with pytest.raises(SourceFailed, match=re.escape(why)):
        capsules.probe(set_name="platform")
    assert left(world, bench) == NOTHING


def capsules_sources(capsules: Capsules) -> list[tuple[str, str]]:
    """Code and reason of each source that the probe finds fault with."""
    found = capsules.probe().sources
    return [(s.problem.code, s.problem.why) for s in found if s.problem]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"data": "70.00"}, "pool-full"),
        ({"metadata": "50.01"}, "pool-full"),
        ({"health": "out_of_data"}, "pool-sick"),
        ({"thin": False}, "not-thin"),
    ],
)
def test_a_thin_pool_that_production_needs_is_left_alone(
    world: CapsuleWorld, bench: Bench, capsules: Capsules, change: dict[str, object], code: str
) -> None:
    bench.change(pool={**bench.state["pool"], **change})
    assert [c for c, _ in capsules_sources(capsules)] == [code]
    with pytest.raises(SourceFailed):
        capsules.snapshot(run=RUN, set_name="platform")
    assert left(world, bench) == NOTHING


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (["xfs", "/dev/sdb1"], "other-device"),
        (["fuse.glusterfs", "localhost:/media"], "other-device"),
        (["fuse.sshfs", "localhost:/docker"], "other-device"),
    ],
)
def test_a_path_that_is_not_the_volume_is_refused(
    world: CapsuleWorld, bench: Bench, capsules: Capsules, kind: list[str], code: str
) -> None:
    bench.change(mounted={str(world.source): kind})
    refresh(world, bench)
    assert [c for c, _ in capsules_sources(capsules)] == [code]


@pytest.mark.parametrize(
    ("refused", "code"),
    [
        ("snapshot create", "gluster-create"),
        ("snapshot activate", "gluster-activate"),
        ("mount", "mount-failed"),
    ],
)
def test_a_step_that_fails_takes_back_the_ones_before(
    world: CapsuleWorld, bench: Bench, capsules: Capsules, refused: str, code: str
) -> None:
    bench.change(refuse={refused: "Commit failed on localhost."})
    done = world.capsule("snapshot", REQUEST)
    assert (done.returncode, f'"code":"{code}"' in done.stdout) == (1, True), done.stdout
    assert left(world, bench) == NOTHING
    bench.change(refuse={})
    capsules.snapshot(run=RUN, set_name="platform")


def test_an_activation_that_only_says_so_is_not_believed(
    world: CapsuleWorld, bench: Bench, capsules: Capsules
) -> None:
    bench.change(pretend=["snapshot activate"])
    with pytest.raises(SourceFailed, match="is Stopped after its activation"):
        capsules.snapshot(run=RUN, set_name="platform")
    assert left(world, bench) == NOTHING


def test_an_orphan_is_reported_with_what_to_do_by_hand_and_blocks_nothing_else(
    world: CapsuleWorld, bench: Bench, capsules: Capsules
) -> None:
    capsules.snapshot(run=RUN, set_name="platform")
    snap_volume = bench.state["snapshots"][NAME]["volume"]
    bench.change(refuse={"snapshot delete": "Pre Validation failed on m2."})
    with pytest.raises(SourceFailed, match="Pre Validation failed on m2") as caught:
        capsules.release(run=RUN, set_name="platform")
    for step in ("stop glusterd", snap_volume, f"snaps/{NAME}", "start glusterd"):
        assert step in caught.value.next_step
    assert world.mounts() == []
    assert [x.volume for x in capsules.probe().leftovers] == [f"{NAME}/docker"]
    bench.change(refuse={})
    capsules.release()
    assert left(world, bench) == NOTHING


def test_a_volume_that_gluster_forgot_in_the_pool_is_reported(
    bench: Bench, capsules: Capsules
) -> None:
    capsules.snapshot(run=RUN, set_name="platform")
    bench.change(volumes_left=["vg0|abc_0"])
    with pytest.raises(SourceFailed, match="left its volume vg0/abc_0") as caught:
        capsules.release()
    assert "lvremove vg0/abc_0" in caught.value.next_step


def test_only_our_snapshots_of_this_host_are_removed(bench: Bench, capsules: Capsules) -> None:
    def row(mark: str) -> dict[str, str]:
        return {"mark": mark, "origin": "docker", "volume": "0" * 32, "status": "Started"}

    kept = {
        "zrep_20260101_000000_docker": row("zrep:another-host"),
        "zrep_20260101_000001_docker": row(""),
        "nightly": row(f"zrep:{HOSTNAME}"),
    }
    ours = {"zrep_20260101_000002_docker_GMT-2026.01.01-00.00.02": row(f"zrep:{HOSTNAME}")}
    bench.change(snapshots={**kept, **ours})
    assert [(x.source, x.run) for x in capsules.probe().leftovers] == [
        ("docker", "20260101_000002")
    ]
    capsules.release()
    assert sorted(bench.state["snapshots"]) == sorted(kept)


def test_a_snapshot_that_is_mounted_elsewhere_is_not_deleted_under_its_reader(
    world: CapsuleWorld, bench: Bench, capsules: Capsules
) -> None:
    """gluster would delete it, and call that a success."""
    capsules.snapshot(run=RUN, set_name="platform")
    (world.tmp / "op").mkdir()
    world.run("mount", "--bind", str(world.tmp / "frozen"), str(world.tmp / "op"))
    mounted = bench.state["mounted"]
    mounted[str(world.tmp / "op")] = ["fuse.glusterfs", f"localhost:/snaps/{NAME}/docker"]
    bench.change(mounted=mounted)
    with pytest.raises(SourceFailed, match="is mounted on this host"):
        capsules.release()
    assert list(bench.state["snapshots"]) == [NAME]


@pytest.mark.parametrize("fault", ["dead", "gone", "stopped", "full", "replaced"])
def test_a_snapshot_that_is_no_longer_itself_fails_check_and_sentinel(
    world: CapsuleWorld, bench: Bench, capsules: Capsules, fault: str
) -> None:
    capsules.snapshot(run=RUN, set_name="platform")
    at = "/run/zrep/mnt/docker"
    snapshots, mounted = bench.state["snapshots"], bench.state["mounted"]
    if fault == "dead":
        bench.change(dead=[at])
    elif fault == "gone":
        bench.change(snapshots={})
    elif fault == "stopped":
        snapshots[NAME]["status"] = "Stopped"
        bench.change(snapshots=snapshots)
    elif fault == "full":
        bench.change(pool={**bench.state["pool"], "data": "90.00"})
    else:
        mounted[at] = ["fuse.glusterfs", "localhost:/docker"]
        bench.change(mounted=mounted)
        refresh(world, bench)
    with pytest.raises(SourceFailed):
        capsules.check(run=RUN, set_name="platform")
    assert sentinel(world).returncode == 1
    bench.change(dead=[])
    capsules.release()
    assert left(world, bench) == NOTHING


def sentinel(world: CapsuleWorld) -> subprocess.CompletedProcess[str]:
    """rsync's question before a transfer."""
    return world.run(
        "env",
        f"RSYNC_MODULE_NAME=docker.{RUN}",
        "RSYNC_MODULE_PATH=/run/zrep/mnt/docker",
        "/usr/libexec/zrep/check-sentinel",
    )


def test_the_sentinel_lets_the_prepared_snapshot_pass(
    world: CapsuleWorld, capsules: Capsules
) -> None:
    capsules.snapshot(run=RUN, set_name="platform")
    done = sentinel(world)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_daemon_that_is_down_is_a_problem_only_where_gluster_is_configured(
    world: CapsuleWorld, bench: Bench, capsules: Capsules
) -> None:
    bench.change(down=True)
    with pytest.raises(SourceFailed, match="Connection failed"):
        capsules.release()
    world.configure("source platform data dir - SRC")
    capsules.release()


@pytest.mark.parametrize(("folders", "asked"), [((), 0), (("other",), 0), (("other", NAME), 1)])
def test_gluster_is_asked_for_leftovers_only_while_a_snapshot_of_ours_has_a_folder(
    world: CapsuleWorld, bench: Bench, capsules: Capsules, folders: tuple[str, ...], asked: int
) -> None:
    snaps = world.tmp / "snaps"
    for name in folders:
        (snaps / name).mkdir(parents=True)
    snaps.mkdir(exist_ok=True)
    world.run("sh", "-c", f"sed -i 's|/var/lib/glusterd/snaps|{snaps}|' /usr/libexec/zrep/*")
    for capsule in (capsules.probe, capsules.release):
        bench.change(calls=[])
        capsule()
        assert sum("snapshot info" in call for call in bench.calls) == asked


def test_another_transaction_is_waited_for(bench: Bench, capsules: Capsules) -> None:
    bench.change(busy=2)
    capsules.snapshot(run=RUN, set_name="platform")
    assert bench.state["busy"] == 0


def changing_calls(world: CapsuleWorld, bench: Bench, verb: str) -> range:
    """The numbers of the calls from the first one that changes something."""
    bench.change(calls=[])
    assert world.capsule(verb, REQUEST).returncode == 0
    told = bench.calls
    first = next(n for n, c in enumerate(told, 1) if re.search("snapshot (create|de)|^umount", c))
    return range(first, len(told) + 1)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("verb", ["snapshot", "release"])
def test_a_capsule_killed_at_any_call_is_settled_by_the_next(
    world: CapsuleWorld, bench: Bench, capsules: Capsules, verb: str, when: str
) -> None:
    if verb == "release":
        capsules.snapshot(run=RUN, set_name="platform")
    calls = changing_calls(world, bench, verb)
    assert len(calls) >= 5
    capsules.release()
    for call in calls:
        if verb == "release":
            capsules.snapshot(run=RUN, set_name="platform")
        bench.change(calls=[], kill=call if when == "before" else -call)
        assert world.capsule(verb, REQUEST).returncode != 0
        bench.change(kill=None)
        capsules.snapshot(run=LATER, set_name="platform")
        assert list(bench.state["snapshots"]) == [f"zrep_{LATER}_docker"]
        capsules.release()
        assert left(world, bench) == NOTHING


def recorded() -> dict[str, str]:
    blocks = re.split(r"^\$ ", RECORDED.read_text(), flags=re.MULTILINE)[1:]
    found: dict[str, str] = {}
    for block in blocks:
        command, _, answer = block.partition("\n")
        found.setdefault(command, answer)
    return found


def tags(text: str) -> list[str]:
    return re.findall(r"</?([A-Za-z]+)", text)


@pytest.mark.parametrize(
    "command",
    [
        "volume info nope",
        "volume heal rep info summary",
        "snapshot config docker",
        "snapshot info nosuch",
        "snapshot create zrep_1_docker docker no-timestamp description zrep:m1",
        "snapshot info zrep_1_docker",
        "snapshot activate zrep_1_docker",
        "snapshot deactivate zrep_1_docker",
        "snapshot delete zrep_1_docker",
    ],
)
def test_the_fake_answers_in_the_form_of_the_real_one(command: str) -> None:
    two = {
        "bricks": [["m1:/b1", HERE], ["m1:/b2", HERE]],
        "up": [1, 1],
        "copies": 2,
        "heal": [0, 0],
    }
    volume = {"status": "Started", "limit": 256, "auto_delete": "disable", **two}
    snapshot = {"mark": "zrep:m1", "origin": "docker", "volume": "v", "status": "Stopped"}
    there = command.startswith(("snapshot info z", "snapshot activate", "snapshot delete"))
    state = {
        "calls": [],
        "refuse": {},
        "volumes": {"docker": volume, "rep": volume},
        "snapshots": {"zrep_1_docker": snapshot} if there else {},
    }
    text, status = gluster.main(state, ["--mode=script", "--xml", *command.split()])
    assert tags(text) == tags(recorded()[command]), text
    assert f"= {status}" in recorded()[command]
