"""The Zfs port on this machine, where the kernel itself says what is mounted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from zrep.model.names import DatasetName
from zrep.zfs.cli import CliZfs

MOUNTS = Path("/proc/self/mounts")
_ESCAPE = re.compile(rb"\\([0-7]{3})")


class LocalZfs(CliZfs):
    """See zrep.zfs.port.Zfs for what each operation promises. `host` must be this machine."""

    def mounts(self, root: DatasetName) -> Mapping[DatasetName, str]:
        """By the kernel's table; when that does not show `root` itself, `zfs` may know more."""
        found = parse_mounts(MOUNTS.read_bytes(), root)
        return found if root in found else super().mounts(root)


def parse_mounts(table: bytes, root: DatasetName) -> Mapping[DatasetName, str]:
    """Lines `dataset folder type options 0 0`; the last line of a dataset is the one to be seen."""
    return {n: at for n, at in _of_zfs(table.splitlines()) if n == root or n.is_below(root)}


def _of_zfs(lines: Iterable[bytes]) -> Iterator[tuple[DatasetName, str]]:
    """Snapshots that somebody looks into are mounted as well; they are no datasets."""
    for line in lines:
        device, folder, kind, *_ = line.split(b" ")
        if kind == b"zfs":
            with suppress(ValueError):
                yield DatasetName(_text(device)), _text(folder)


def _text(word: bytes) -> str:
    """The kernel writes blanks and backslashes as three octal digits."""
    return os.fsdecode(_ESCAPE.sub(lambda found: bytes((int(found[1], 8),)), word))
