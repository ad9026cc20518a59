"""Reading the trees that a verb works on, with errors that say how to create what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zrep.errors import DatasetMissing
from zrep.model.backup import Backup
from zrep.model.inventory import Inventory
from zrep.model.names import DatasetName
from zrep.planner.backups import find_backups
from zrep.zfs.port import Zfs

# How trees of backups are stored: attributes beside the inode, ACLs kept, nothing executable.
STORAGE = {"atime": "off", "xattr": "sa", "acltype": "posix"}
LOCKED_DOWN = {"exec": "off", "setuid": "off", "devices": "off"}


def observe_tree(
    zfs: Zfs, root: DatasetName, *, what: str, create: str, only: Sequence[str] | None = None
) -> Inventory:
    """The tree at `root`; DatasetMissing says what it is for and the command that creates it.

    `only` as for Zfs.inventory.
    """
    try:
        return zfs.inventory(root, only=only)
    except DatasetMissing as error:
        raise DatasetMissing(
            f"{what} {root} does not exist", where=error.where, next_step=f"create it: {create}"
        ) from error


def observe_target(
    zfs: Zfs,
    root: DatasetName,
    *,
    compression: str = "gzip-7",
    only: Sequence[str] | None = None,
) -> Inventory:
    create = _create_command(root, {"compression": compression, **STORAGE})
    return observe_tree(zfs, root, what="the target's dataset", create=create, only=only)


def observe_replica(zfs: Zfs, root: DatasetName, *, only: Sequence[str] | None = None) -> Inventory:
    create = _create_command(root, {"canmount": "off", "readonly": "on", **STORAGE})
    return observe_tree(zfs, root, what="the replica's dataset", create=create, only=only)


def _create_command(root: DatasetName, properties: Mapping[str, str]) -> str:
    options = " ".join(f"-o {key}={value}" for key, value in properties.items())
    return f"zfs create -p {options} {root}"


def backups_at(zfs: Zfs, root: DatasetName) -> Sequence[Backup]:
    """The backups below `root`, newest first."""
    return find_backups(observe_target(zfs, root), root)
