"""Writing over a pipe with the real rsync, the real write capsule, and leases that root gives."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.contract.capsule_world import LATER, RUN, CapsuleWorld, can_unshare, capsule_world
from zrep.model.restore import Change
from zrep.source.rsync import Verdict
from zrep.source.rsync_write import RsyncWrite, Tally, judge_write, write_argv

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

Done = subprocess.CompletedProcess[str]
ARM = "/usr/libexec/zrep/zrep-arm"
ORDER = f"run={RUN} source=data"


class Writing:
    """A source host that is to be written to, and a backup of it beside it."""

    def __init__(self, world: CapsuleWorld, tmp: Path) -> None:
        self.world = world
        self.backup = tmp / "backup"
        self.backup.mkdir()
        self.said = tmp / "said"
        self.shell = tmp / "shell"
        words = " ".join(world.argv(("/usr/libexec/zrep/capsule-rsync-write",)))
        self.shell.write_text(f'#!/bin/sh\necho "$@" >>{self.said}\nexec {words}\n')
        self.shell.chmod(0o755)

    def arm(self, *words: str) -> Done:
        return self.world.run(ARM, *words)

    def prepare(self, *words: str) -> None:
        assert self.arm(*(words or ("data",))).returncode == 0
        done = self.world.capsule("restore-open", ORDER)
        assert done.returncode == 0, done.stdout

    def spec(self, **changes: object) -> RsyncWrite:
        fixed: dict[str, object] = {
            "host": "manager-1",
            "module": f"data.{RUN}",
            "source": str(self.backup),
            "shell": str(self.shell),
        }
        return RsyncWrite(**{**fixed, **changes})  # type: ignore[arg-type]

    def write(self, **changes: object) -> Done:
        return self.rsync(*write_argv(self.spec(**changes))[1:])

    def compare(self, **changes: object) -> Change:
        done = self.write(compare=True, **changes)
        assert done.returncode == 0, done.stderr
        tally = Tally()
        for line in done.stdout.splitlines():
            tally.feed(line)
        return tally.change

    def rsync(self, *words: str) -> Done:
        return subprocess.run(
            ("rsync", *words), capture_output=True, text=True, check=False, timeout=60
        )

    def live(self) -> dict[str, str]:
        return tree(self.world.source)

    def refused(self, done: Done) -> str:
        """Why nothing was taken."""
        assert done.returncode != 0
        found = judge_write(done.returncode, done.stderr)
        assert found.verdict is Verdict.FAILED, done.stderr
        assert found.next_step
        return found.why


def tree(top: Path) -> dict[str, str]:
    files = (p for p in top.rglob("*") if p.is_file() and not p.is_symlink())
    return {str(p.relative_to(top)): p.read_text() for p in sorted(files)}


@pytest.fixture
def writing(tmp_path: Path) -> Iterator[Writing]:
    with capsule_world(tmp_path) as world:
        world.configure("source platform data dir - SRC mounted=yes")
        (world.source / "a").write_text("changed since")
        (world.source / "new").write_text("made since")
        made = Writing(world, tmp_path)
        (made.backup / "d").mkdir()
        (made.backup / "a").write_text("one")
        (made.backup / "d/b").write_text("two")
        (made.backup / "d/hard").hardlink_to(made.backup / "a")
        (made.backup / "soft").symlink_to("/etc/passwd")
        yield made


BACKUP = {"a": "one", "d/b": "two", "d/hard": "one"}
LIVE = {"a": "changed since", "new": "made since"}


def test_a_mirror_is_the_backup_and_a_second_look_finds_nothing(writing: Writing) -> None:
    writing.prepare()
    planned = writing.compare(delete=True)
    assert (planned.new, planned.changed, planned.deleted) == (4, 1, 1)
    assert writing.live() == LIVE
    done = writing.write(delete=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert writing.live() == BACKUP
    assert (writing.world.source / "a").stat().st_nlink == 2
    assert (writing.world.source / "soft").is_symlink()
    assert writing.compare(delete=True, checksum=True).nothing
    assert set(writing.said.read_text().splitlines()) == {"manager-1 rsync --server --daemon ."}


def flushing(writing: Writing, status: int) -> Path:
    """A `sync` that notes what it was asked, and what was there by then."""
    folder = writing.world.tmp / "bin"
    folder.mkdir()
    noted = writing.world.tmp / "flushed"
    program = folder / "sync"
    program.write_text(
        f'#!/bin/sh\nfor last; do :; done\n{{ echo "$@"; cat "$last/a" "$last/d/b"; }} >>{noted}\n'
        f"exit {status}\n"
    )
    program.chmod(0o755)
    writing.world.run("sed", "-i", f"s|^PATH=|PATH={folder}:|", "/usr/libexec/zrep/capsule-lib")
    return noted


def test_what_was_written_is_on_disk_before_the_far_side_hears_that_it_is_done(
    writing: Writing,
) -> None:
    """Or a power cut would take what the restore believes to be there, and start services on it."""
    noted = flushing(writing, 0)
    writing.prepare()
    assert writing.write(delete=True).returncode == 0
    assert noted.read_text() == f"-f {writing.world.source}\nonetwo"


def test_through_fuse_the_whole_host_is_flushed(writing: Writing) -> None:
    """The kernel passes no such request on to a file system in a process."""
    noted = flushing(writing, 0)
    table = "/run/mountinfo"
    live = str(writing.world.source)
    writing.world.run(
        "sh",
        "-c",
        f"sed 's|\\( {live} .* - \\)[^ ]*|\\1fuse.glusterfs|' /proc/self/mountinfo >{table}; "
        f"sed -i 's|/proc/self/mountinfo|{table}|' /usr/libexec/zrep/capsule-state",
    )
    writing.prepare()
    done = writing.write(delete=True)
    assert done.returncode == 0, done.stderr
    assert noted.read_text().splitlines()[0] == ""


def test_what_cannot_be_flushed_is_not_restored(writing: Writing) -> None:
    flushing(writing, 1)
    writing.prepare()
    done = writing.write(delete=True)
    found = judge_write(done.returncode, done.stderr)
    assert (found.verdict, found.why) == (Verdict.FAILED, "error in file I/O on the host")


def test_overwriting_keeps_what_the_backup_does_not_have(writing: Writing) -> None:
    writing.prepare()
    assert writing.write().returncode == 0
    assert writing.live() == {**BACKUP, "new": "made since"}
    assert writing.compare(checksum=True).nothing


def test_missing_only_changes_no_file_that_is_there(writing: Writing) -> None:
    writing.prepare()
    assert writing.write(missing_only=True).returncode == 0
    assert writing.live()["a"] == "changed since"
    assert writing.live()["d/b"] == "two"
    assert writing.compare(missing_only=True, checksum=True).new == 0


def test_a_changed_byte_is_found_although_size_and_time_are_the_same(writing: Writing) -> None:
    writing.prepare()
    writing.write(delete=True)
    victim = writing.world.source / "d/b"
    times = victim.stat()
    victim.write_text("twO")
    os.utime(victim, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert writing.compare(delete=True).changed == 0
    assert writing.compare(delete=True, checksum=True).changed == 1


def test_one_folder_is_restored_and_its_neighbours_are_not_touched(writing: Writing) -> None:
    (writing.world.source / "d").mkdir()
    (writing.world.source / "d/since").write_text("since")
    writing.prepare()
    done = writing.write(source=str(writing.backup / "d"), inside="d", delete=True)
    assert done.returncode == 0, done.stderr
    assert writing.live() == {**LIVE, "d/b": "two", "d/hard": "one"}


@pytest.mark.parametrize("name", ["deep/er/d", "d [x]*", "d'\"$(id)", "-d"])
def test_a_folder_that_is_gone_is_made_with_the_way_to_it(writing: Writing, name: str) -> None:
    writing.prepare()
    spec = {"source": str(writing.backup / "d"), "inside": name}
    assert writing.compare(**spec).new == 3
    done = writing.write(**spec)
    assert done.returncode == 0, done.stderr
    assert writing.live() == {**LIVE, f"{name}/b": "two", f"{name}/hard": "one"}
    assert writing.compare(checksum=True, **spec).nothing


def test_one_file_is_restored_beside_the_one_that_is_there(writing: Writing) -> None:
    writing.prepare()
    beside = {
        "source": str(writing.backup / "a"),
        "inside": f"a.restored-{RUN}",
        "folder": False,
    }
    assert writing.write(**beside).returncode == 0
    assert writing.live() == {**LIVE, f"a.restored-{RUN}": "one"}
    assert writing.compare(checksum=True, **beside).nothing


def test_what_is_replaced_or_deleted_is_kept_in_the_safety_folder(writing: Writing) -> None:
    writing.prepare()
    told = writing.world.capsule("restore-safety", ORDER)
    assert '"kind":"folder"' in told.stdout
    keep = f".zrep-safety-{RUN}"
    assert writing.write(delete=True, keep_in=keep).returncode == 0
    assert tree(writing.world.source / keep) == LIVE
    assert writing.compare(delete=True, checksum=True, keep_in=keep).nothing
    assert writing.compare(delete=True, checksum=True).nothing


def test_what_was_never_backed_up_is_not_deleted(writing: Writing) -> None:
    writing.prepare()
    assert writing.write(delete=True, exclude=("/new",)).returncode == 0
    assert writing.live() == {**BACKUP, "new": "made since"}


# ---- what must be refused ---------------------------------------------------------------------


def test_unarmed_nothing_can_be_written(writing: Writing) -> None:
    why = writing.refused(writing.write(delete=True))
    assert why == "nothing on this host is armed and opened for a restore"
    done = writing.world.capsule("restore-open", ORDER)
    assert '"code":"not-armed"' in done.stdout
    assert writing.live() == LIVE


def test_armed_but_not_opened_nothing_can_be_written(writing: Writing) -> None:
    assert writing.arm("data").returncode == 0
    assert "opened" in writing.refused(writing.write(delete=True))
    assert writing.live() == LIVE


def test_another_restores_module_is_unknown(writing: Writing) -> None:
    writing.prepare()
    assert "not opened" in writing.refused(writing.write(module=f"data.{LATER}"))
    assert writing.live() == LIVE


@pytest.mark.parametrize(
    "fault", ["unmounted", "another mount", "ended", "disarmed", "booted", "forged", "closed"]
)
def test_what_has_changed_since_it_was_armed_leaves_all_as_it_is(
    writing: Writing, fault: str
) -> None:
    writing.prepare()
    world, lease = writing.world, "/run/zrep/armed/data"
    changes = {
        "unmounted": ("umount", str(world.source)),
        "another mount": ("mount", "-t", "tmpfs", "none", str(world.source)),
        "ended": ("sed", "-i", "s/^until=.*/until=1/", lease),
        "disarmed": (ARM, "--disarm"),
        "booted": ("sed", "-i", "s/^boot=.*/boot=0/", lease),
        "forged": ("chmod", "0666", lease),
        "closed": ("sh", "-c", f"echo {ORDER} | /usr/libexec/zrep/capsule-restore-close"),
    }
    assert world.run(*changes[fault]).returncode == 0
    why = writing.refused(writing.write(delete=True))
    assert why
    if fault == "another mount":
        assert world.run("find", str(world.source), "-type", "f").stdout == ""
    else:
        assert writing.live() == LIVE


def test_a_link_on_the_way_is_refused_and_leads_nowhere(writing: Writing, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (writing.world.source / "way").symlink_to(outside)
    writing.prepare()
    for inside in ("way", "way/in"):
        why = writing.refused(writing.write(source=str(writing.backup / "d"), inside=inside))
        assert "symbolic link" in why
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("path", ["../evil/", "d/../../evil/", "/../evil/", "d/../d/"])
def test_a_path_outside_the_module_is_not_reached(writing: Writing, path: str) -> None:
    writing.prepare()
    words = ("-r", "-e", str(writing.shell), f"{writing.backup}/", f"h::data.{RUN}/{path}")
    writing.rsync(*words)
    assert not (writing.world.source.parent / "evil").exists()


def test_the_restore_key_reads_nothing(writing: Writing, tmp_path: Path) -> None:
    writing.prepare()
    done = writing.rsync("-r", "-e", str(writing.shell), f"h::data.{RUN}/", f"{tmp_path}/stolen/")
    assert done.returncode != 0
    assert "write only" in done.stderr
    assert not tree(tmp_path / "stolen")


OPTIONS_NOT_USED = (
    "-K",
    "--inplace",
    "--append",
    "--write-devices",
    "--remove-source-files",
    "--compress",
    "--relative",
    "--partial-dir=/x",
    "--temp-dir=/x",
    "--compare-dest=/x",
    "--link-dest=/x",
    "-M--log-file=/tmp/x",
    "-M--config=/tmp/x",
    "-M--fake-super",
    "-M--dparam=pidfile=/tmp/x",
    "-M--daemon",
)


def test_an_option_zrep_does_not_use_is_refused(writing: Writing) -> None:
    writing.prepare()
    argv = write_argv(writing.spec())
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda o: writing.rsync(o, *argv[1:]), OPTIONS_NOT_USED))
    taken = [o for o, d in zip(OPTIONS_NOT_USED, done, strict=True) if d.returncode == 0]
    assert taken == []
    assert writing.live() == LIVE


# ---- what happens while it writes -------------------------------------------------------------


def slowly(writing: Writing) -> subprocess.Popen[str]:
    """A transfer that takes longer than any lease of these tests."""
    (writing.backup / "large").write_bytes(bytes(4 << 20))
    argv = write_argv(writing.spec(delete=True, bwlimit=64))
    running = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while not list(writing.world.source.glob(".large.*")):
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.05)
    return running


@pytest.mark.parametrize("end", ["expires", "disarmed", "closed"])
def test_a_lease_that_ends_ends_the_transfer_and_nothing_was_deleted(
    writing: Writing, end: str
) -> None:
    writing.prepare("data", "--for", "5s" if end == "expires" else "1h")
    running = slowly(writing)
    if end == "disarmed":
        assert "disarmed data" in writing.arm("--disarm", "data").stdout
    if end == "closed":
        assert writing.world.capsule("restore-close", ORDER).returncode == 0
        assert not list(writing.world.source.glob(".large.*"))
    _, stderr = running.communicate(timeout=30)
    assert judge_write(running.returncode, stderr).verdict is Verdict.RETRY
    assert writing.refused(writing.write())
    assert "new" in writing.live()
    assert not (writing.world.source / "large").exists()
    assert writing.world.run("pgrep", "-f", "rsyncd-write").stdout == ""


def test_a_writer_that_vanishes_leaves_no_daemon_behind(writing: Writing) -> None:
    writing.prepare()
    running = slowly(writing)
    running.kill()
    running.wait(timeout=10)
    deadline = time.monotonic() + 15
    while list(writing.world.source.glob(".large.*")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert writing.world.capsule("restore-close", ORDER).returncode == 0


def test_a_full_destination_is_told_as_such_and_the_next_run_goes_on(writing: Writing) -> None:
    world = writing.world
    assert (
        world.run("mount", "-t", "tmpfs", "-o", "size=1m", "none", str(world.source)).returncode
        == 0
    )
    (writing.backup / "large").write_bytes(bytes(3 << 20))
    writing.prepare()
    why = writing.refused(writing.write(delete=True))
    assert why == "no space is left on the destination"
    assert world.run("mount", "-o", "remount,size=8m", str(world.source)).returncode == 0
    assert writing.write(delete=True).returncode == 0
    assert writing.compare(delete=True, checksum=True).nothing
