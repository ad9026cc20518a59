"""Which implementation of the Zfs port serves on this machine."""

from __future__ import annotations

from importlib.util import find_spec

from zrep.host.port import Host
from zrep.zfs.local import LocalZfs
from zrep.zfs.port import Zfs


def zfs_on(host: Host) -> Zfs:
    """ZFS of this machine: through libzfs_core where that is installed."""
    if find_spec("libzfs_core") is None:
        return LocalZfs(host)
    from zrep.zfs.lzc import LzcZfs

    return LzcZfs(host)
