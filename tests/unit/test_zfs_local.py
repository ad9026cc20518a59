"""What the kernel's table of mounts says of ZFS."""

from __future__ import annotations

import pytest

from zrep.model.names import DatasetName
from zrep.zfs.local import parse_mounts

TABLE = rb"""proc /proc proc rw,nosuid 0 0
/dev/sda1 / ext4 rw 0 0
backup /backup zfs rw,xattr,posixacl 0 0
backup/current /backup/current zfs rw 0 0
backup/current/a /backup/current/a zfs rw 0 0
backup/current/a /srv/a\040b\134c zfs rw 0 0
backup/current/a@snap /backup/current/a/.zfs/snapshot/snap zfs ro 0 0
backup/current/two\040words /backup/current/two\040words zfs rw 0 0
backup/currently /backup/currently zfs rw 0 0
backup/current/b /mnt fuse.zfs rw 0 0
"""


@pytest.mark.parametrize(
    ("root", "found"),
    [
        (
            "backup/current",
            [
                "backup/current=/backup/current",
                "backup/current/a=/srv/a b\\c",
                "backup/current/two words=/backup/current/two words",
            ],
        ),
        ("backup/current/a", ["backup/current/a=/srv/a b\\c"]),
        ("backup/current/b", []),
        ("backup/currently", ["backup/currently=/backup/currently"]),
    ],
)
def test_filesystems_at_and_below_the_root_are_where_they_were_mounted_last(
    root: str, found: list[str]
) -> None:
    there = parse_mounts(TABLE, DatasetName(root))
    assert [f"{name}={at}" for name, at in there.items()] == found
