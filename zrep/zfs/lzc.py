"""The Zfs port on this machine: atomic writes straight to the kernel through libzfs_core.

One call each, whatever the number of snapshots. Reads, mounts, streams and everything that takes
native properties (which the kernel wants typed, as only the `zfs` command knows how) are the
command's: see zrep.zfs.cli.
"""

from __future__ import annotations

import errno
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from zrep.errors import ZfsError
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
    """See zrep.zfs.port.Zfs for what each operation promises. `host` must be this machine.

    The library is loaded with the first write, for that takes longer than most reads.
    """

    @cached_property
    def _lzc(self) -> Any:
        return load()

    def snapshot(self, names: Sequence[SnapshotName], properties: Mapping[str, str]) -> None:
        if not names:
            return
        words = {key.encode(): os.fsencode(value) for key, value in properties.items()}
        failures = self._failures(lambda: self._lzc.lzc_snapshot(_raw(names), words))
        self._raise_first(failures, f"cannot snapshot {len(names)} datasets as @{names[0].snap}")

    def destroy_snapshots(self, names: Sequence[SnapshotName]) -> Mapping[SnapshotName, str]:
        """The kernel destroys all or none, and names those it refuses: leave them out, repeat."""
        refused: dict[SnapshotName, str] = {}
        for group in _by_pool(names):
            rest = group
            while rest:
                reasons = self._destroy(rest)
                refused |= reasons
                rest = [name for name in rest if name not in reasons] if reasons else ()
        return refused

    def _destroy(self, names: Sequence[SnapshotName]) -> Mapping[SnapshotName, str]:
        """Empty when all are gone; else none is, for these reasons."""
        failures = self._failures(lambda: self._lzc.lzc_destroy_snaps(_raw(names), defer=False))
        reasons = {f.name: wording.destroy_reason_from_errno(f.number, f.text) for f in failures}
        refused = {name: reasons[str(name)] for name in names if str(name) in reasons}
        if failures and not refused:
            return dict.fromkeys(names, failures[0].text)
        return refused

    def hold(self, names: Sequence[SnapshotName], tag: str) -> None:
        held: list[SnapshotName] = []
        for group in _by_pool(names):
            bad, fresh = self._hold_fresh(group, tag)
            held += fresh
            if bad:
                self.release(held, tag)
                self._raise_first(bad, f"cannot hold {len(names)} snapshots")

    def _hold_fresh(
        self, names: Sequence[SnapshotName], tag: str
    ) -> tuple[Sequence[_Failure], Sequence[SnapshotName]]:
        """The failures, and what is held now that was not before.

        The kernel refuses all when one has the tag already, and names one such: leave it out.
        Missing snapshots do not keep the others from being held.
        """
        fresh = list(names)
        while fresh:
            failures, missing = self._hold_once(fresh, tag)
            if not failures:
                return [_missing(name) for name in missing], fresh
            ready = {f.name for f in failures if f.number == errno.EEXIST}
            rest = [name for name in fresh if str(name) not in ready]
            if len(rest) == len(fresh):
                return failures, ()
            fresh = rest
        return (), ()

    def _hold_once(
        self, names: Sequence[SnapshotName], tag: str
    ) -> tuple[Sequence[_Failure], Sequence[str]]:
        missing: list[bytes] = []
        holds = dict.fromkeys(_raw(names), tag.encode())
        failures = self._failures(lambda: missing.extend(self._lzc.lzc_hold(holds)))
        return failures, [name.decode() for name in missing]

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
                _Failure(name=_text(one.name), number=one.errno, text=_explained(one))
                for one in getattr(error, "errors", (error,))
            ]
        return ()

    def _raise_first(self, failures: Sequence[_Failure], what: str) -> None:
        if failures:
            number, text = failures[0].number, failures[0].text
            raise wording.error_from_errno(number, text, what=what, where=self.host.name)


def _raw(names: Iterable[SnapshotName]) -> list[bytes]:
    return [str(name).encode() for name in names]


def _missing(name: str) -> _Failure:
    return _Failure(name=name, number=errno.ENOENT, text=f"{name}: dataset does not exist")


def _explained(error: Any) -> str:
    """Their own text prints names as bytes."""
    reason = f"{error.message} ({os.strerror(error.errno or 0)})"
    return f"{_text(error.name)}: {reason}" if error.name else reason


def _text(name: bytes | str | None) -> str:
    return name.decode() if isinstance(name, bytes) else name or ""


def _by_pool(names: Sequence[SnapshotName]) -> Iterable[Sequence[SnapshotName]]:
    groups: dict[str, list[SnapshotName]] = defaultdict(list)
    for name in dict.fromkeys(names):
        groups[name.dataset.pool].append(name)
    return groups.values()
