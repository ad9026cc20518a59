"""The Zfs port on this machine: what many snapshots take part in goes straight to the kernel.

Taken or destroyed through libzfs_core, one call each whatever their number, with an answer for each
of them. All else is the command's, which does as well: see zrep.zfs.cli.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from zrep.errors import ZfsError
from zrep.frozen import dataclass
from zrep.model.names import SnapshotName
from zrep.zfs import wording
from zrep.zfs.local import LocalZfs

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


class LzcZfs(LocalZfs):
    """See zrep.zfs.port.Zfs for what each operation promises. `host` must be this machine.

    The library is loaded when it is first asked: that takes longer than most reads do.
    """

    @cached_property
    def _lzc(self) -> Any:
        return load()

    def snapshot(self, names: Sequence[SnapshotName], properties: Mapping[str, str]) -> None:
        if not names:
            return
        words = {key.encode(): os.fsencode(value) for key, value in properties.items()}
        failures = self._failures(lambda: self._lzc.lzc_snapshot(_raw(names), words))
        if failures:
            what = f"cannot snapshot {len(names)} datasets as @{names[0].snap}"
            number, text = failures[0].number, failures[0].text
            raise wording.error_from_errno(number, text, what=what, where=self.host.name)

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


def _raw(names: Iterable[SnapshotName]) -> list[bytes]:
    return [str(name).encode() for name in names]


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
