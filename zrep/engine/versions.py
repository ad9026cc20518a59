"""Versions of the programs on this host that zrep works with."""

from __future__ import annotations

from collections.abc import Iterator

from zrep.errors import ZrepError
from zrep.host.local import LocalHost
from zrep.zfs.lzc import lzc_version

PROGRAMS = (
    ("zfs", ("zfs", "version")),
    ("rsync", ("rsync", "--version")),
    ("ssh", ("ssh", "-V")),
)


def engine_versions() -> Iterator[str]:
    found = lzc_version()
    yield f"libzfs_core {found or 'missing (python3-pyzfs; the zfs command serves instead)'}"
    for name, argv in PROGRAMS:
        yield f"{name} {_first_line(argv)}"


def _first_line(argv: tuple[str, ...]) -> str:
    try:
        done = LocalHost().run(argv, timeout=10)
    except ZrepError:
        return "missing"
    return (done.stdout or done.stderr).strip().splitlines()[0]
