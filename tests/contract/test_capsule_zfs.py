"""Method zfs with a zfs that keeps names and properties; the real one is asked in the lab."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
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
from tests.contract.fakes.bench import Bench
from zrep.errors import SourceFailed
from zrep.source.capsules import Capsules
from zrep.source.restore_capsules import RestoreCapsules

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

NAME = f"tank/mail@zrep-source_{RUN}_mail"
REQUEST = f"run={RUN} set=platform"
MOUNTINFO = "/run/mountinfo"
HOSTNAME = Path("/proc/sys/kernel/hostname").read_text().strip()
OURS = {"io.zrep:source": [HOSTNAME, "local"], "io.zrep:run": [RUN, "local"]}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[CapsuleWorld]:
    with capsule_world(tmp_path) as made:
        made.configure("source platform mail zfs tank/mail SRC")
        yield made


@pytest.fixture
def bench(world: CapsuleWorld) -> Bench:
    made = Bench(world, "zfs", "zpool", "mount", "umount")
    (world.tmp / "frozen").mkdir()
    (world.tmp / "frozen" / "a").write_text("one")
    world.run("sh", "-c", f"sed -i 's|/proc/self/mountinfo|{MOUNTINFO}|' /usr/libexec/zrep/*")
    made.change(
        datasets=["tank", "tank/mail"],
        zfs_snapshots={"tank/mail@autosnap_1": {}, "tank@before-upgrade": {}},
        health="ONLINE",
        folders={
            f"tank/mail@zrep-source_{run}_mail": str(world.tmp / "frozen") for run in (RUN, LATER)
        },
        mounted={str(world.source): ["zfs", "tank/mail"]},
        mountinfo=MOUNTINFO,
    )
    refresh(world, made)
    return made


def refresh(world: CapsuleWorld, bench: Bench) -> None:
    world.run(str(bench.folder / "mount"), "-o", "remount,bind", str(world.source))


@pytest.fixture
def capsules(world: CapsuleWorld, bench: Bench) -> Capsules:
    assert bench.state["datasets"]
    return Capsules(WorldHost(world))


def left(world: CapsuleWorld, bench: Bench) -> tuple[list[str], list[str]]:
    return world.mounts(), sorted(bench.state["zfs_snapshots"])


NOTHING: tuple[list[str], list[str]] = ([], ["tank/mail@autosnap_1", "tank@before-upgrade"])


def test_one_snapshot_is_made_mounted_checked_and_destroyed(
    world: CapsuleWorld, bench: Bench, capsules: Capsules
) -> None:
    (prepared,) = capsules.snapshot(run=RUN, set_name="platform")
    assert (prepared.kind, prepared.module) == ("zfs", f"mail.{RUN}")
    assert bench.state["zfs_snapshots"][NAME] == OURS
    assert world.run("cat", "/run/zrep/mnt/mail/a").stdout == "one"
    assert capsules.check(run=RUN, set_name="platform")[0].problem is None
    assert capsules.snapshot(run=RUN, set_name="platform") == (prepared,)
    capsules.release(run=RUN, set_name="platform")
    assert left(world, bench) == NOTHING
    assert [c for c in bench.calls if "destroy" in c] == [f"zfs destroy {NAME}"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"datasets": []}, "there is no dataset tank/mail"),
        ({"health": "SUSPENDED"}, "pool tank is SUSPENDED"),
        ({"mounted": {}}, "not dataset tank/mail"),
        ({"mounted": {"SRC": ["zfs", "tank/mail@x"]}}, "is tank/mail@x"),
        ({"mounted": {"SRC": ["zfs", "tank"]}}, "is tank "),
        ({"refuse": {"snapshot": "out of space"}}, "zfs snapshot: out of space"),
        ({"refuse": {"mount": "unknown file system"}}, "mount: "),
    ],
    ids=lambda x: str(x)[:40],
)
def test_what_cannot_be_captured_is_refused_and_leaves_nothing(
    world: CapsuleWorld, bench: Bench, capsules: Capsules, change: dict[str, object], why: str
) -> None:
    mounted = change.get("mounted")
    if isinstance(mounted, dict):
        change = {"mounted": {str(world.source): value for value in mounted.values()}}
    bench.change(**change)
    if "mounted" in change:
        refresh(world, bench)
    with pytest.raises(SourceFailed, match=why):
        capsules.snapshot(run=RUN, set_name="platform")
    assert left(world, bench) == NOTHING


@pytest.mark.parametrize("fault", ["gone", "another run's", "unmounted", "another mounted"])
def test_a_snapshot_that_is_no_longer_itself_fails_the_check(
    world: CapsuleWorld, bench: Bench, capsules: Capsules, fault: str
) -> None:
    capsules.snapshot(run=RUN, set_name="platform")
    snapshots, mounted = bench.state["zfs_snapshots"], bench.state["mounted"]
    if fault == "gone":
        del snapshots[NAME]
    elif fault == "another run's":
        snapshots[NAME]["io.zrep:run"] = [LATER, "local"]
    elif fault == "unmounted":
        world.run(str(bench.folder / "umount"), "/run/zrep/mnt/mail")
        mounted = bench.state["mounted"]
    else:
        mounted["/run/zrep/mnt/mail"] = ["zfs", "tank/mail"]
    bench.change(zfs_snapshots=snapshots, mounted=mounted)
    refresh(world, bench)
    with pytest.raises(SourceFailed):
        capsules.check(run=RUN, set_name="platform")
    bench.change(zfs_snapshots={**NOTHING_SNAPSHOTS, NAME: OURS})
    capsules.release()
    assert left(world, bench) == NOTHING


NOTHING_SNAPSHOTS: dict[str, object] = {name: {} for name in NOTHING[1]}


def test_only_what_was_made_here_is_destroyed(bench: Bench, capsules: Capsules) -> None:
    """A replica of a source has its snapshots, names and properties: received, so not ours."""
    received = {k: [v, "received"] for k, (v, _) in OURS.items()}
    other = {"io.zrep:source": ["another-host", "local"]}
    kept = {
        **NOTHING_SNAPSHOTS,
        "tank/copy@zrep-source_20260101_000000_mail": received,
        "tank/mail@zrep-source_20260101_000001_mail": other,
        "tank/mail@zrep-source_20260101_000002_mail": {},
        "tank/mail@zrep_20260101_000003_daily": OURS,
        "tank/mail@zrep-source_short": OURS,
    }
    ours = "tank/old@zrep-source_20260101_000004_mail"
    bench.change(zfs_snapshots={**kept, ours: OURS})
    found = capsules.probe().leftovers
    assert [(x.source, x.run, x.volume) for x in found] == [("mail", "20260101_000004", ours)]
    capsules.release()
    assert sorted(bench.state["zfs_snapshots"]) == sorted(kept)


def test_a_snapshot_that_something_depends_on_is_reported_and_kept(
    bench: Bench, capsules: Capsules
) -> None:
    capsules.snapshot(run=RUN, set_name="platform")
    bench.change(refuse={"destroy": "cannot destroy: dataset is busy"})
    with pytest.raises(SourceFailed, match="dataset is busy") as caught:
        capsules.release()
    assert f"zfs holds {NAME}" in caught.value.next_step
    assert NAME in bench.state["zfs_snapshots"]


def test_a_zfs_that_does_not_answer_matters_only_where_it_is_configured(
    world: CapsuleWorld, bench: Bench, capsules: Capsules
) -> None:
    bench.change(refuse={"list": "The ZFS modules are not loaded."})
    with pytest.raises(SourceFailed, match="cannot list the snapshots"):
        capsules.release()
    world.configure("source platform data dir - SRC")
    capsules.release()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("verb", ["snapshot", "release"])
def test_a_capsule_killed_at_any_call_is_settled_by_the_next(
    world: CapsuleWorld, bench: Bench, capsules: Capsules, verb: str, when: str
) -> None:
    if verb == "release":
        capsules.snapshot(run=RUN, set_name="platform")
    bench.change(calls=[])
    assert world.capsule(verb, REQUEST).returncode == 0
    count = len(bench.calls)
    capsules.release()
    for call in range(1, count + 1):
        if verb == "release":
            capsules.snapshot(run=RUN, set_name="platform")
        bench.change(calls=[], kill=call if when == "before" else -call)
        assert world.capsule(verb, REQUEST).returncode != 0
        bench.change(kill=None)
        capsules.snapshot(run=LATER, set_name="platform")
        assert NAME not in bench.state["zfs_snapshots"]
        capsules.release()
        assert left(world, bench) == NOTHING


# ---- a restore --------------------------------------------------------------------------------


def test_what_a_restore_replaces_is_kept_by_a_snapshot_that_no_run_takes_away(
    world: CapsuleWorld, bench: Bench
) -> None:
    assert world.run("/usr/libexec/zrep/zrep-arm", "mail").returncode == 0
    host = RestoreCapsules(WorldHost(world))
    kept = host.safety(RUN, "mail")
    assert (kept.kind, kept.kept, kept.folder) == ("zfs", f"tank/mail@zrepsafe_{RUN}_mail", "")
    assert host.safety(RUN, "mail") == kept
    assert world.capsule("release").returncode == 0
    assert kept.kept in bench.state["zfs_snapshots"]
    assert host.discard(RUN, "mail") == (kept.kept,)
    assert set(bench.state["zfs_snapshots"]) == {"tank/mail@autosnap_1", "tank@before-upgrade"}


def test_a_restore_is_not_armed_where_another_dataset_is_mounted(
    world: CapsuleWorld, bench: Bench
) -> None:
    bench.change(mounted={str(world.source): ["zfs", "tank/other"]})
    refresh(world, bench)
    done = world.run("/usr/libexec/zrep/zrep-arm", "mail")
    assert done.returncode == 1
    assert "not dataset tank/mail" in done.stderr


def test_who_looks_ahead_ends_with_the_rsync_that_asked(
    world: CapsuleWorld, capsules: Capsules
) -> None:
    capsules.snapshot(run=RUN, set_name="platform")
    with subprocess.Popen(("sleep", "60")) as transfer:
        try:
            asked = sentinel(world, f"RSYNC_PID={transfer.pid}")
            assert (asked.returncode, asked.stdout) == (0, "")
            assert wait_until(lambda: watchers(transfer.pid) == 1)
        finally:
            transfer.kill()
    assert wait_until(lambda: watchers(transfer.pid) == 0)
    capsules.release()
    assert world.mounts() == []


def test_a_walk_without_end_ends_with_its_rsync(
    world: CapsuleWorld, capsules: Capsules, tmp_path: Path
) -> None:
    """rsync ignores SIGPIPE, and hands that down."""
    capsules.snapshot(run=RUN, set_name="platform")
    real, endless = tmp_path / "find", tmp_path / "endless"
    shutil.copy("/usr/bin/find", real)
    endless.write_text(
        f'#!/bin/sh\ncase $1 in /run/zrep/mnt/*) ;; *) exec {real} "$@" ;; esac\n'
        "while :; do echo 1; done\n"
    )
    endless.chmod(0o755)
    world.run("mount", "--bind", str(endless), "/usr/bin/find")
    with subprocess.Popen(("sleep", "60")) as transfer:
        try:
            asked = sentinel(world, "--ignore-signal=PIPE", f"RSYNC_PID={transfer.pid}")
            assert (asked.returncode, asked.stdout) == (0, "")
            assert wait_until(lambda: running("find /run/zrep/mnt/mail -xdev") > 0)
        finally:
            transfer.kill()
    try:
        assert wait_until(lambda: running("find /run/zrep/mnt/mail -xdev") == 0)
    finally:
        subprocess.run(("pkill", "-f", "find /run/zrep/mnt/mail -xdev"), check=False)


def test_without_an_rsync_nobody_looks_ahead(world: CapsuleWorld, capsules: Capsules) -> None:
    capsules.snapshot(run=RUN, set_name="platform")
    asked = sentinel(world)
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, "", "")
    capsules.release()


def sentinel(world: CapsuleWorld, *variables: str) -> subprocess.CompletedProcess[str]:
    """rsync's question before a transfer."""
    return world.run(
        "env",
        *variables,
        f"RSYNC_MODULE_NAME=mail.{RUN}",
        "RSYNC_MODULE_PATH=/run/zrep/mnt/mail",
        "/usr/libexec/zrep/check-sentinel",
    )


def watchers(pid: int) -> int:
    """How many wait for the end of that process."""
    return running(f"tail .*--pid={pid}$")


def running(words: str) -> int:
    """How many processes have that command line."""
    asked = subprocess.run(("pgrep", "-cf", words), capture_output=True, text=True, check=False)
    return int(asked.stdout)


def wait_until(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while not true() and time.monotonic() < end:
        time.sleep(0.1)
    return true()
