"""Whatever an rsync that was taken over does, it can do it only to its own dataset."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from zrep.host.confine import can_confine, confined

pytestmark = [
    pytest.mark.skipif(not can_confine(), reason="this kernel has no Landlock"),
    pytest.mark.skipif(os.geteuid() != 0, reason="what root cannot do is the point"),
]

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Cell:
    """A dataset's folder, a key that may be read, and what must stay as it is."""

    tmp: Path

    @property
    def dataset(self) -> Path:
        return self.tmp / "dataset"

    @property
    def key(self) -> Path:
        return self.tmp / "key"

    @property
    def secret(self) -> Path:
        return self.tmp / "secret"

    def run(self, *argv: str) -> Done:
        words = confined(argv, writes=str(self.dataset), reads=[str(self.key)])
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)

    def sh(self, script: str) -> Done:
        return self.run("sh", "-c", script, "sh", str(self.tmp))


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    cell = Cell(tmp_path)
    (cell.dataset / "d").mkdir(parents=True)
    (cell.dataset / "f").write_text("inside")
    cell.key.write_text("the key")
    cell.secret.write_text("secret")
    cell.secret.chmod(0o600)
    return cell


@pytest.mark.parametrize(
    "script",
    [
        'echo >"$1/new"',
        'echo >>"$1/secret"',
        'chmod 666 "$1/secret"',
        'chown 1:1 "$1/secret"',
        'touch "$1/secret"',
        'rm "$1/secret"',
        'mv "$1/secret" "$1/dataset/"',
        'ln "$1/secret" "$1/dataset/link"',
        'cat "$1/secret"',
        'cat "$1/dataset/../secret"',
        'ln -s "$1/secret" "$1/dataset/to" && cat "$1/dataset/to"',
        'ln -s "$1" "$1/dataset/up" && echo >"$1/dataset/up/new"',
        "mount -t tmpfs none /mnt",
        "mount -o remount,bind,rw /",
        'mount --bind / "$1/dataset/d"',
        "cat /proc/1/environ",
        "kill -0 1",
        "unshare --mount true",
        "cat /dev/mem",
        'cp /bin/true "$1/dataset/x" && "$1/dataset/x"',
    ],
)
def test_outside_nothing_can_be_done(cell: Cell, script: str) -> None:
    before = (sorted(p.name for p in cell.tmp.iterdir()), cell.secret.stat())
    done = cell.sh(script)
    assert done.returncode != 0
    assert "secret\n" not in done.stdout
    assert (sorted(p.name for p in cell.tmp.iterdir()), cell.secret.stat()) == before


def test_inside_all_can_be_done_that_a_copy_needs(cell: Cell) -> None:
    done = cell.sh(
        'set -e; cd "$1/dataset"; echo new >n; ln n d/hard; ln -s n soft; mkfifo p; mknod c c 1 3; '
        'mkdir e; mv n e/; chown 1234:2345 f; chmod 4755 f; touch -d @1 f; rm soft; cat "$1/key"'
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "the key", "")
    assert (cell.dataset / "d/hard").stat().st_nlink == 2
    assert (cell.dataset / "f").stat().st_uid == 1234


def test_attributes_that_only_root_may_set_arrive(cell: Cell) -> None:
    code = "import os,sys; os.setxattr(sys.argv[1], 'trusted.x', b'1')"
    done = cell.run("/usr/bin/python3", "-I", "-c", code, str(cell.dataset / "f"))
    if "Operation not supported" in done.stderr:
        pytest.skip("this file system has no trusted attributes")
    assert done.returncode == 0, done.stderr
    assert os.getxattr(cell.dataset / "f", "trusted.x") == b"1"


def test_the_program_takes_the_place_of_the_one_that_confined_it(cell: Cell) -> None:
    argv = confined(("sh", "-c", "echo $$"), writes=str(cell.dataset), reads=[str(cell.key)])
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        said, _ = child.communicate(timeout=60)
    assert int(said) == child.pid


def test_its_status_and_its_streams_are_its_own(cell: Cell) -> None:
    done = cell.sh("echo out; echo err >&2; exit 23")
    assert (done.returncode, done.stdout, done.stderr) == (23, "out\n", "err\n")


def test_a_program_that_is_missing_is_told_as_a_shell_tells_it(cell: Cell) -> None:
    done = cell.run("no-such-program")
    assert (done.returncode, done.stderr) == (127, "zrep: no-such-program: not found\n")


def test_what_cannot_be_confined_is_not_started(cell: Cell) -> None:
    cell.dataset.rename(cell.tmp / "elsewhere")
    done = cell.sh("echo started")
    assert done.returncode in (126, 127)
    assert done.stdout == ""
