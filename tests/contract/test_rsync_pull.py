"""Pulling over a pipe with the real rsync, the real read capsule and its real sentinel."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.contract.capsule_world import LATER, RUN, CapsuleWorld, can_unshare, capsule_world
from zrep.model.source import Method
from zrep.source.rsync import RsyncPull, Verdict, judge, pull_argv
from zrep.source.rsync_output import parse_stats

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

Done = subprocess.CompletedProcess[str]


class Pulling:
    """A prepared source host and an empty destination beside it."""

    def __init__(self, world: CapsuleWorld, tmp: Path) -> None:
        self.world = world
        self.destination = tmp / "copy"
        self.destination.mkdir()
        self.said = tmp / "said"
        self.shell = tmp / "shell"
        words = " ".join(world.argv(("/usr/libexec/zrep/capsule-rsync-read",)))
        self.shell.write_text(f'#!/bin/sh\necho "$@" >>{self.said}\nexec {words}\n')
        self.shell.chmod(0o755)

    def prepare(self) -> None:
        done = self.world.capsule("snapshot", f"run={RUN} set=platform")
        assert done.returncode == 0, done.stdout

    def spec(self, **changes: object) -> RsyncPull:
        fixed: dict[str, object] = {
            "host": "manager-1",
            "module": f"data.{RUN}",
            "destination": str(self.destination),
            "shell": str(self.shell),
        }
        return RsyncPull(**{**fixed, **changes})  # type: ignore[arg-type]

    def pull(self, **changes: object) -> Done:
        return self.rsync(*pull_argv(self.spec(**changes))[1:])

    def rsync(self, *words: str) -> Done:
        return subprocess.run(
            ("rsync", *words), capture_output=True, text=True, check=False, timeout=60
        )

    def copied(self) -> dict[str, str]:
        files = (p for p in self.destination.rglob("*") if p.is_file())
        return {str(p.relative_to(self.destination)): p.read_text() for p in sorted(files)}


@pytest.fixture
def pulling(tmp_path: Path) -> Iterator[Pulling]:
    with capsule_world(tmp_path) as world:
        world.configure("source platform data dir - SRC mounted=yes")
        (world.source / "d").mkdir()
        (world.source / "a").write_text("one")
        (world.source / "d/b").write_text("two")
        (world.source / "d/hard").hardlink_to(world.source / "a")
        (world.source / "soft").symlink_to("/etc/passwd")
        yield Pulling(world, tmp_path)


COPY = {"a": "one", "d/b": "two", "d/hard": "one"}


def test_a_prepared_source_arrives_whole_with_its_totals(pulling: Pulling) -> None:
    pulling.prepare()
    done = pulling.pull()
    assert (done.returncode, done.stderr) == (0, "")
    assert (pulling.destination / "soft").is_symlink()
    (pulling.destination / "soft").unlink()
    assert pulling.copied() == COPY
    assert (pulling.destination / "a").stat().st_nlink == 2
    assert parse_stats(done.stdout).files == 6
    assert pulling.said.read_text().strip() == "manager-1 rsync --server --daemon ."


def test_what_is_gone_at_the_source_goes_here_too(pulling: Pulling) -> None:
    (pulling.destination / "old").write_text("old")
    pulling.prepare()
    done = pulling.pull()
    assert parse_stats(done.stdout).deleted == 1
    assert not (pulling.destination / "old").exists()


def test_an_estimate_counts_deletions_and_touches_nothing(pulling: Pulling) -> None:
    (pulling.destination / "old").write_text("old")
    pulling.prepare()
    done = pulling.pull(estimate=True)
    assert parse_stats(done.stdout).deleted == 1
    assert pulling.copied() == {"old": "old"}


def test_excluded_files_stay_out_and_leave_earlier_copies(pulling: Pulling) -> None:
    pulling.prepare()
    assert pulling.pull().returncode == 0
    assert pulling.pull(exclude=("/d/",)).returncode == 0
    assert "d/b" not in pulling.copied()


def test_the_deletion_limit_is_told_from_other_failures(pulling: Pulling) -> None:
    for n in range(5):
        (pulling.destination / f"x{n}").write_text("x")
    pulling.prepare()
    done = pulling.pull(max_delete=2)
    assert judge(done.returncode, done.stderr, method=Method.DIR).verdict is Verdict.NEEDS_ACK


def test_without_a_prepared_snapshot_the_read_key_gets_nothing(pulling: Pulling) -> None:
    (pulling.destination / "kept").write_text("kept")
    done = pulling.pull()
    found = judge(done.returncode, done.stderr, method=Method.LVM)
    assert (found.verdict, found.why) == (
        Verdict.FAILED,
        "no snapshot is prepared on this host",
    )
    assert pulling.copied() == {"kept": "kept"}


def test_after_release_the_read_key_gets_nothing(pulling: Pulling) -> None:
    pulling.prepare()
    assert pulling.world.capsule("release").returncode == 0
    assert pulling.pull().returncode == 5
    assert pulling.copied() == {}


def test_a_wrong_run_is_an_unknown_module(pulling: Pulling) -> None:
    pulling.prepare()
    done = pulling.pull(module=f"data.{LATER}")
    found = judge(done.returncode, done.stderr, method=Method.LVM)
    assert found.why == "the source host has no snapshot prepared for this run"


@pytest.mark.parametrize("fault", ["unmounted", "another mount", "no state", "state of another"])
def test_a_failing_sentinel_leaves_a_full_destination_untouched(
    pulling: Pulling, fault: str
) -> None:
    """The silent wipe: an empty mount point must never be taken for an emptied source."""
    pulling.prepare()
    assert pulling.pull().returncode == 0
    before = pulling.copied()
    world = pulling.world
    if "state" not in fault:
        world.run("umount", "/run/zrep/mnt/data")
    if fault == "another mount":
        world.run("mount", "-t", "tmpfs", "none", "/run/zrep/mnt/data")
    if fault == "no state":
        world.run("rm", "/run/zrep/state/data")
    if fault == "state of another":
        world.run("sed", "-i", f"s/{RUN}/{LATER}/", "/run/zrep/state/data")
    done = pulling.pull()
    assert done.returncode == 12
    found = judge(done.returncode, done.stderr, method=Method.LVM)
    assert found.verdict is Verdict.FAILED
    assert "data" in found.why
    assert pulling.copied() == before


def test_nothing_can_be_written_through_the_read_key(pulling: Pulling) -> None:
    pulling.prepare()
    (pulling.destination / "evil").write_text("evil")
    done = pulling.rsync(
        "-a", "-e", str(pulling.shell), f"{pulling.destination}/", f"h::data.{RUN}/"
    )
    assert done.returncode != 0
    assert "read only" in done.stderr
    assert not (pulling.world.source / "evil").exists()


@pytest.mark.parametrize("path", ["../../../etc/", "/etc/", "d/../../etc/", "/../etc/passwd"])
def test_a_path_outside_the_module_is_not_reached(pulling: Pulling, path: str) -> None:
    pulling.prepare()
    pulling.rsync(
        "-r", "-e", str(pulling.shell), f"h::data.{RUN}/{path}", f"{pulling.destination}/"
    )
    assert not any("passwd" in name for name in pulling.copied())


OPTIONS_NOT_USED = (
    "-L",
    "--copy-unsafe-links",
    "--remove-source-files",
    "--copy-devices",
    "--files-from=/etc/hosts",
    "--checksum",
    "--compress",
    "--relative",
    "-M--log-file=/tmp/x",
    "-M--config=/tmp/x",
    "-M--fake-super",
    "-M--debug=all4",
    "-M--dparam=pidfile=/tmp/x",
    "-M--daemon",
)


def test_an_option_zrep_does_not_use_is_refused(pulling: Pulling) -> None:
    pulling.prepare()
    argv = pull_argv(pulling.spec())
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda o: pulling.rsync(o, *argv[1:]), OPTIONS_NOT_USED))
    served = [o for o, d in zip(OPTIONS_NOT_USED, done, strict=True) if d.returncode == 0]
    assert served == []
    assert pulling.copied() == {}


def test_the_modules_cannot_be_listed(pulling: Pulling) -> None:
    pulling.prepare()
    done = pulling.rsync("-e", str(pulling.shell), "h::")
    assert done.stdout.strip() == ""
