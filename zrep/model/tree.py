"""Files as a backup shows them: what one name is, told by its metadata alone."""

from __future__ import annotations

from enum import StrEnum

from zrep.frozen import dataclass


class Kind(StrEnum):
    """What lies under a name."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One name: `size` in bytes, `mtime` in nanoseconds since the epoch, `mode` the permissions.

    `target` is where a link points to. A folder's size and mtime are those of everything below it
    when it was read as a whole (`digest` then tells two such wholes apart), else 0.
    """

    kind: Kind
    size: int
    mtime: int
    mode: int
    uid: int
    gid: int
    target: str = ""
    digest: str = ""
