"""What is opened below .zfs/snapshot is believed only when the kernel says that it is mounted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from zrep.engine.snapshot_mount import check_mounted, open_snapshot, source_of
from zrep.errors import ZfsError
from zrep.model.names import SnapshotName

SNAPSHOT = SnapshotName.parse("backup/current/manager-1/docker@zrep_20220101_120000_hourly")
MOUNTINFO = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
60 22 0:51 / /backup/current rw,noatime shared:9 master:2 - zfs backup/current rw,xattr
61 60 0:52 / /a\\040b rw - zfs backup/a\\040b@x ro
bad
"""


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[int]:
    folder = tmp_path / ".zfs/snapshot" / SNAPSHOT.snap
    folder.mkdir(parents=True)
    top = os.open(folder, os.O_RDONLY)
    yield top
    os.close(top)


def check(top: int, folder: Path, source: str | None) -> None:
    """As on ZFS, whose .zfs has the inode that is taken for its mark."""
    device = os.fstat(top).st_dev
    line = f"70 1 {os.major(device)}:{os.minor(device)} / /x ro - zfs {source} ro\n"
    mounts = folder / "mountinfo"
    mounts.write_text(MOUNTINFO + (line if source else ""))
    inode = (folder / ".zfs").stat().st_ino
    check_mounted(top, str(folder), SNAPSHOT, mounts=mounts, control_root=inode)


def test_the_snapshot_itself_is_believed(opened: int, tmp_path: Path) -> None:
    check(opened, tmp_path, str(SNAPSHOT))


@pytest.mark.parametrize(
    "source", ["backup/current/manager-1/docker", "backup/other@zrep_20220101_120000_hourly", None]
)
def test_its_dataset_another_snapshot_or_nothing_is_not(
    opened: int, tmp_path: Path, source: str | None
) -> None:
    with pytest.raises(ZfsError, match=f"the kernel has {source or 'nothing'} there"):
        check(opened, tmp_path, source)


def test_a_folder_that_zfs_did_not_make_needs_no_proof(opened: int, tmp_path: Path) -> None:
    check_mounted(opened, str(tmp_path), SNAPSHOT, mounts=tmp_path / "nothing")


@pytest.mark.parametrize(
    ("device", "source"),
    [("8:1", "/dev/sda1"), ("0:51", "backup/current"), ("0:52", "backup/a b@x"), ("9:9", None)],
)
def test_mounts_are_found_by_their_device(device: str, source: str | None) -> None:
    assert source_of(MOUNTINFO, device) == source


def test_the_kernels_own_list_can_be_read() -> None:
    text = Path("/proc/self/mountinfo").read_text()
    devices = {line.split(" ")[2] for line in text.splitlines()}
    assert devices
    assert all(source_of(text, device) for device in devices)


def test_what_cannot_be_read_while_it_is_open_is_an_error_of_zfs(
    opened: int, tmp_path: Path
) -> None:
    assert opened
    with (
        pytest.raises(ZfsError, match="No such file"),
        open_snapshot(str(tmp_path), SNAPSHOT) as top,
    ):
        os.stat("nothing", dir_fd=top)


def test_a_snapshot_that_is_not_there_is_told_with_another_way(tmp_path: Path) -> None:
    with pytest.raises(ZfsError) as missing, open_snapshot(str(tmp_path), SNAPSHOT):
        pass
    assert "zrep mount" in missing.value.next_step
