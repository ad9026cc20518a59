"""ZFS's wordings, translated: which error class a message of the `zfs` command or an errno means.

The one place that knows ZFS's sentences. Order matters: the first phrase found decides.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence

from zrep.errors import (
    DatasetBusy,
    DatasetExists,
    DatasetMissing,
    PoolFull,
    ZfsError,
    ZfsPermission,
)
from zrep.model.inventory import CLONED, HELD
from zrep.model.names import SnapshotName

ALREADY_MOUNTED = "filesystem already mounted"
NOT_MOUNTED = "not currently mounted"
NO_RESUME_STATE = "does not have any resumable receive state"
TAG_EXISTS = "tag already exists on this dataset"
NO_SUCH_TAG = "no such tag on this dataset"
NO_SUCH_DATASET = "dataset does not exist"

_PHRASES: Sequence[tuple[str, type[ZfsError]]] = (
    ("utilities must be run as root", ZfsPermission),
    ("permission denied", ZfsPermission),
    ("operation not permitted", ZfsPermission),
    ("insufficient privileges", ZfsPermission),
    ("contains partially-complete state", DatasetBusy),
    ("it's being held", DatasetBusy),
    ("dataset is busy", DatasetBusy),
    ("target is busy", DatasetBusy),
    ("has children", DatasetBusy),
    ("has dependent clones", DatasetBusy),
    ("snapshot is cloned", DatasetBusy),
    ("out of space", PoolFull),
    ("no space left", PoolFull),
    ("quota exceeded", PoolFull),
    ("does not exist", DatasetMissing),
    ("no such pool", DatasetMissing),
    ("could not find any snapshots", DatasetMissing),
    ("no longer exists", DatasetMissing),
    ("no such process", DatasetMissing),  # ESRCH: the estimate of a send from a missing bookmark
    ("already exists", DatasetExists),
    ("bookmark exists", DatasetExists),
    ("must specify -f to overwrite", DatasetExists),
)

_ERRNOS = {
    errno.ENOENT: DatasetMissing,
    errno.EEXIST: DatasetExists,
    errno.EBUSY: DatasetBusy,
    errno.ENOSPC: PoolFull,
    errno.EDQUOT: PoolFull,
    errno.EPERM: ZfsPermission,
    errno.EACCES: ZfsPermission,
}

_NEXT = {
    ZfsPermission: "run as root, or delegate with: zfs allow",
    PoolFull: "free space: zrep prune, or destroy snapshots nobody needs",
}

_HINTS = (
    ("failed to execute zpool", "install OpenZFS there (Debian: zfsutils-linux, zfs-dkms)"),
    ("failed to execute zfs", "install OpenZFS there (Debian: zfsutils-linux, zfs-dkms)"),
    ("zfs: not found", "install OpenZFS there (Debian: zfsutils-linux, zfs-dkms)"),
    ("command not found", "install OpenZFS there (Debian: zfsutils-linux, zfs-dkms)"),
    ("modules are not loaded", "load the kernel module there: modprobe zfs"),
    ("modules cannot be auto-loaded", "load the kernel module there: modprobe zfs"),
    ("refused for role", "render and install what that host needs again: zrep capsule render"),
    ("i/o is currently suspended", "see: zpool status"),
    ("must specify -f to overwrite", "zrep never overwrites: rename or destroy it yourself"),
)

_SUBJECT = r"'([^']+@[^']+)'|snapshot ([^']+?@[^']+?): "
_MENTION = r"'([^']+)'|snapshot ([^']+?@[^']+?): "


def error_from_text(stderr: str, *, what: str, where: str) -> ZfsError:
    """The error that the `zfs` command's stderr stands for; its first line says why."""
    why = next((line.strip() for line in stderr.splitlines() if line.strip()), "no message")
    text = stderr.lower()
    kind = next((kind for phrase, kind in _PHRASES if phrase in text), ZfsError)
    hint = next((hint for phrase, hint in _HINTS if phrase in text), _NEXT.get(kind, ""))
    return kind(what, where=where, why=why, next_step=hint)


def error_from_errno(number: int | None, text: str, *, what: str, where: str) -> ZfsError:
    """The error that an errno of libzfs_core stands for; `text` is its own explanation."""
    kind = _ERRNOS.get(number or 0, ZfsError)
    return kind(what, where=where, why=text, next_step=_NEXT.get(kind, ""))


def destroy_refusals(stderr: str) -> dict[str, str]:
    """snapshot -> reason for each snapshot that a failed `zfs destroy` names.

    cannot destroy snapshot tank/a@x: dataset is busy       -> {tank/a@x: HELD}
    cannot destroy 'tank/a@y': snapshot has dependent clones -> {tank/a@y: CLONED}
    """
    found = {}
    for line in stderr.splitlines():
        match = re.search(_SUBJECT, line)
        if match is not None:
            name = match[1] or match[2]
            found[name] = destroy_reason(line[match.end() :].lstrip(" :"))
    return found


def destroy_reason(text: str) -> str:
    """Why one snapshot could not be destroyed, in our words where we have some."""
    if "held" in text or "busy" in text:
        return HELD
    if "clone" in text:
        return CLONED
    return text


def destroy_reason_from_errno(number: int | None, text: str) -> str:
    return {errno.EBUSY: HELD, errno.EEXIST: CLONED}.get(number or 0, text)


def without(stderr: str, *harmless: str) -> str:
    """The lines that say something else than the harmless phrases."""
    lines = (line.strip() for line in stderr.splitlines())
    return "\n".join(line for line in lines if line and not any(h in line for h in harmless))


def not_mentioned(names: Sequence[SnapshotName], stderr: str) -> list[SnapshotName]:
    """The names that no complaint is about; a complaint that names nothing is about all."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    found = [match for line in lines if (match := re.search(_MENTION, line)) is not None]
    if len(found) < len(lines):
        return []
    subjects = {match[1] or match[2] for match in found}
    return [n for n in names if str(n) not in subjects and str(n.dataset) not in subjects]
