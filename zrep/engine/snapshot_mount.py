"""Opening a snapshot below .zfs/snapshot, and proof that it is the snapshot that was meant.

The kernel mounts a snapshot when it is first looked into. Where that fails silently the folder
is simply empty, and some kernels put another dataset's snapshot there (openzfs #15766): both
would show files as deleted that are not. One is opened at a time: kernels that are asked from
several sides at once may crash (openzfs #17659).
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zrep.errors import ZfsError
from zrep.model.names import SnapshotName

MOUNTS = Path("/proc/self/mountinfo")
# The inode of every .zfs; a folder of that name that is not ZFS's own has another.
CONTROL_ROOT = 0x0000FFFFFFFFFFFF
_OCTAL = re.compile(r"\\([0-7]{3})")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CLONE = "look into a clone instead: zrep mount ID"
# ELOOP is how the kernel says that it cannot mount a snapshot from within a container.
_THEN = {
    errno.EACCES: "run it as root",
    errno.ELOOP: _CLONE,
    errno.ENOENT: f"see whether the property snapdir hides it, or {_CLONE}",
}


def snapshot_folder(mountpoint: str, snapshot: SnapshotName) -> str:
    """Where a dataset that is mounted has the files of its snapshot."""
    return f"{mountpoint}/.zfs/snapshot/{snapshot.snap}"


@contextmanager
def open_snapshot(mountpoint: str, snapshot: SnapshotName) -> Iterator[int]:
    """A descriptor of a snapshot's top, which stays mounted for some minutes.

    Whatever cannot be opened, proven or, while it is open, read is a ZfsError.
    """
    folder = snapshot_folder(mountpoint, snapshot)
    top = _open(folder)
    try:
        check_mounted(top, mountpoint, snapshot)
        yield top
    except OSError as error:
        what = f"cannot read {error.filename}" if error.filename else "cannot read"
        raise _failed(what, error, where=folder, then="") from error
    finally:
        os.close(top)


def _open(folder: str) -> int:
    try:
        return os.open(folder, _FOLDER)
    except OSError as error:
        raise _failed(f"cannot open {folder}", error, where="", then=_CLONE) from error


def _failed(what: str, error: OSError, *, where: str, then: str) -> ZfsError:
    why = error.strerror or str(error)
    return ZfsError(what, where=where, why=why, next_step=_THEN.get(error.errno or 0, then))


def check_mounted(
    top: int,
    mountpoint: str,
    snapshot: SnapshotName,
    *,
    mounts: Path = MOUNTS,
    control_root: int = CONTROL_ROOT,
) -> None:
    """ZfsError when ZFS has anything but `snapshot` under what is open as `top`."""
    if Path(mountpoint, ".zfs").stat().st_ino != control_root:
        return
    device = os.fstat(top).st_dev
    text = mounts.read_text(encoding="utf-8", errors="surrogateescape")
    found = source_of(text, f"{os.major(device)}:{os.minor(device)}")
    if found != str(snapshot):
        raise ZfsError(
            f"cannot look into {snapshot}",
            where=snapshot_folder(mountpoint, snapshot),
            why=f"the kernel has {found or 'nothing'} there",
            next_step=_CLONE,
        )


def source_of(mountinfo: str, device: str) -> str | None:
    """What is mounted from `major:minor`, as /proc/self/mountinfo tells it (proc(5))."""
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(" - ")
        fields, mount = before.split(" "), after.split(" ")
        if dash and len(fields) > 2 and len(mount) > 1 and fields[2] == device:
            return _OCTAL.sub(lambda octal: chr(int(octal[1], 8)), mount[1])
    return None
