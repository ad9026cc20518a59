"""The Zfs port on this machine: atomic writes straight to the kernel through libzfs_core.

One call each, whatever the number of snapshots. Reads, mounts, streams and everything that takes
native properties (which the kernel wants typed, as only the `zfs` command knows how) are the
command's: see zrep.zfs.cli.
"""

from __future__ import annotations

import errno
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from zrep.errors import ZfsError
from zrep.host.port import Host
from zrep.model.names import DatasetName, SnapshotName
from zrep.zfs import argv, wording
from zrep.zfs.cli import CliZfs

_INSTALL = "install python3-pyzfs of the same version as zfsutils-linux"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """`name` is empty when the failure is about no single object."""

    name: str
    number: int | None
    text: str


def load() -> Any:
    """The libzfs_core module; ZfsError when it is not there or does not fit the C library."""
    try:
        import libzfs_core
    except (ImportError, OSError) as error:
        raise ZfsError("cannot load libzfs_core", why=str(error), next_step=_INSTALL) from error
    return libzfs_core


def lzc_version() -> str | None:
    """`2.3.2`: the version of the libzfs_core binding; None when it cannot be used here."""
    try:
        load()
    except ZfsError:
        return None
    from importlib import metadata

    try:
        return metadata.version("pyzfs")
    except metadata.PackageNotFoundError:
        return "unknown"


class LzcZfs(CliZfs):
    """See zrep.zfs.port.Zfs for what each operation promises. `host` must be this machine."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._lzc = load()

    def snapshot(self, names: Sequence[SnapshotName], properties: Mapping[str, str]) -> None:
        if not names:
            return
        words = {key.encode(): value.encode() for key, value in properties.items()}
        failures = self._failures(lambda: self._lzc.lzc_snapshot(_raw(names), words))
        self._raise_first(failures, f"cannot snapshot {len(names)} datasets as @{names[0].snap}")

    def destroy_snapshots(self, names: Sequence[SnapshotName]) -> Mapping[SnapshotName, str]:
        refused: dict[SnapshotName, str] = {}
        for group in _by_pool(names):
            refused |= self._destroy_group(group)
        return refused

    def _destroy_group(self, names: Sequence[SnapshotName]) -> dict[SnapshotName, str]:
        """The kernel destroys all or none, and names those it refuses: leave them out, repeat."""
        failures = self._failures(lambda: self._lzc.lzc_destroy_snaps(_raw(names), defer=False))
        if not failures:
            return {}
        reasons = {f.name: wording.destroy_reason_from_errno(f.number, f.text) for f in failures}
        refused = {name: reasons[str(name)] for name in names if str(name) in reasons}
        if not refused:
            return dict.fromkeys(names, failures[0].text)
        rest = [name for name in names if name not in refused]
        return refused | (self._destroy_group(rest) if rest else {})

    def hold(self, names: Sequence[SnapshotName], tag: str) -> None:
        """The kernel refuses all when one has the tag already: leave those out, repeat."""
        done: list[SnapshotName] = []
        for group in _by_pool(names):
            failures = self._hold(group, tag)
            ready = {f.name for f in failures if f.number == errno.EEXIST}
            fresh = [name for name in group if str(name) not in ready]
            if ready and fresh:
                failures = self._hold(fresh, tag)
            done += fresh
            bad = [f for f in failures if f.name not in ready]
            if bad:
                self.release(done, tag)
                self._raise_first(bad, f"cannot hold {len(names)} snapshots")

    def _hold(self, names: Sequence[SnapshotName], tag: str) -> Sequence[_Failure]:
        """What could not be held. Missing snapshots do not keep the others from being held."""
        missing: list[bytes] = []
        holds = dict.fromkeys(_raw(names), tag.encode())
        failures = self._failures(lambda: missing.extend(self._lzc.lzc_hold(holds)))
        return failures or [
            _Failure(
                name=name.decode(), number=errno.ENOENT, text=f"{name.decode()} does not exist"
            )
            for name in missing
        ]

    def release(self, names: Sequence[SnapshotName], tag: str) -> None:
        for group in _by_pool(names):
            holds = {name: [tag.encode()] for name in _raw(group)}
            failures = self._failures(partial(self._lzc.lzc_release, holds))
            bad = [f for f in failures if f.number != errno.ENOENT]
            self._raise_first(bad, f"cannot release {len(names)} snapshots")

    def _make_bookmark(self, snapshot: SnapshotName, mark: str) -> None:
        wanted = {argv.bookmark_name(snapshot.dataset, mark).encode(): str(snapshot).encode()}
        failures = self._failures(lambda: self._lzc.lzc_bookmark(wanted))
        self._raise_first(failures, f"cannot bookmark {snapshot} as #{mark}")

    def destroy_bookmark(self, dataset: DatasetName, mark: str) -> None:
        name = argv.bookmark_name(dataset, mark)
        failures = self._failures(lambda: self._lzc.lzc_destroy_bookmarks([name.encode()]))
        self._raise_first(failures, f"cannot destroy {name}")

    def _failures(self, call: Callable[[], object]) -> Sequence[_Failure]:
        """Make one call; what it failed on, each object with its own errno."""
        try:
            call()
        except self._lzc.exceptions.ZFSError as error:
            return [
                _Failure(name=_text(one.name), number=one.errno, text=str(one))
                for one in getattr(error, "errors", (error,))
            ]
        return ()

    def _raise_first(self, failures: Sequence[_Failure], what: str) -> None:
        for first in failures:
            raise wording.error_from_errno(
                first.number, first.text, what=what, where=self.host.name
            )


def _raw(names: Iterable[SnapshotName]) -> list[bytes]:
    return [str(name).encode() for name in names]


def _text(name: bytes | str | None) -> str:
    return name.decode() if isinstance(name, bytes) else name or ""


def _by_pool(names: Sequence[SnapshotName]) -> Iterable[Sequence[SnapshotName]]:
    groups: dict[str, list[SnapshotName]] = defaultdict(list)
    for name in dict.fromkeys(names):
        groups[name.dataset.pool].append(name)
    return groups.values()
