"""The methods of capturing a source, one class each: what it is told, and what it may claim. Pure.

`hooks/method-NAME` carries it out on the source host; hooks/README.md says how to add one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from zrep.model.source import BackupSet, Consistency, Method, Source

# Longer than what is done in a container before a snapshot, for it has limits of its own.
_PREPARATION = 1800
_LVM = r"[A-Za-z0-9+_.][A-Za-z0-9+_.\-]*"


class CaptureMethod:
    """`keys` are those of zrep.toml that not every source has; `volume` what that key must match.

    `consistency` is the most that a single source captured this way may claim.
    """

    keys: ClassVar[tuple[str, ...]] = ()
    volume: ClassVar[str] = ""
    volume_words: ClassVar[str] = ""
    consistency: ClassVar[Consistency] = Consistency.NODE

    def options(self, source: Source) -> Iterator[str]:
        """KEY=VALUE words of the source's line in source.conf."""
        if source.mounted:
            yield "mounted=yes"
        if source.prepare:
            yield f"prepare={source.prepare.kind}"
            yield f"service={source.prepare.service}"

    def problems(self, source: Source) -> Iterator[str]:
        """What the method cannot do with this source."""
        if self.volume and not re.fullmatch(self.volume, source.volume):
            yield f"volume {source.volume!r} is not {self.volume_words}"


class Dir(CaptureMethod):
    """The live folder, file by file."""

    keys = ("prepare",)
    consistency = Consistency.NONE


class Lvm(CaptureMethod):
    """A snapshot of a logical volume, thick or thin."""

    keys = ("volume", "size", "data_max", "metadata_max", "prepare")
    volume = f"{_LVM}/{_LVM}"
    volume_words = "vg/lv"

    def options(self, source: Source) -> Iterator[str]:
        yield f"size={source.size}"
        yield from _pool(source)
        yield from super().options(source)

    def problems(self, source: Source) -> Iterator[str]:
        yield from super().problems(source)
        if not re.fullmatch(r"[1-9]\d{0,6}(%ORIGIN|[kKmMgGtT])", source.size):
            yield f"size {source.size!r} is not like 20%ORIGIN or 5g"


class Gluster(CaptureMethod):
    """A snapshot of a whole volume, driven by one host that has a brick of it."""

    keys = ("volume", "data_max", "metadata_max", "heals_max", "prepare")
    volume = r"[A-Za-z0-9_][A-Za-z0-9_\-]*"
    volume_words = "the name of a gluster volume"

    def options(self, source: Source) -> Iterator[str]:
        yield from _pool(source)
        if source.heals_max:
            yield f"heals_max={source.heals_max}"
        yield from super().options(source)

    def problems(self, source: Source) -> Iterator[str]:
        yield from super().problems(source)
        if "." in source.key.name:
            yield "its name has a dot, which the names of gluster's snapshots cannot have"


class Zfs(CaptureMethod):
    """A snapshot of one dataset."""

    keys = ("volume", "prepare")
    volume = r"[A-Za-z0-9][A-Za-z0-9_.:\-]*(/[A-Za-z0-9_.:][A-Za-z0-9_.:\-]*)*"
    volume_words = "a dataset like tank/mail"

    def problems(self, source: Source) -> Iterator[str]:
        yield from super().problems(source)
        if len(source.volume) > 160:
            yield "the name of its dataset has more than 160 characters"


class Dump(CaptureMethod):
    """A database's own dump out of its container, made before anything is paused."""

    keys = ("database", "service", "min_size", "max_shrink", "max_time")
    consistency = Consistency.APPLICATION

    def options(self, source: Source) -> Iterator[str]:
        dump = source.dump
        if dump:
            yield f"database={dump.database}"
            yield f"service={dump.service}"
            yield f"min_bytes={dump.min_bytes}"
            yield f"max_shrink={dump.max_shrink}"
            yield f"max_time={dump.max_time}"

    def problems(self, source: Source) -> Iterator[str]:
        if source.dump is None:
            yield "it does not say which database to dump"
        if source.prepare is not None or source.mounted:
            yield "a dump is neither prepared nor a mount"


def _pool(source: Source) -> Iterator[str]:
    if source.pool.data != 70:
        yield f"data_max={source.pool.data}"
    if source.pool.metadata != 50:
        yield f"metadata_max={source.pool.metadata}"


METHODS: Mapping[Method, CaptureMethod] = {
    Method.LVM: Lvm(),
    Method.DIR: Dir(),
    Method.GLUSTER: Gluster(),
    Method.ZFS: Zfs(),
    Method.DUMP: Dump(),
}
METHOD_KEYS = tuple(dict.fromkeys(k for m in METHODS.values() for k in m.keys))


def before_seconds(backup_set: BackupSet) -> Mapping[str, int]:
    """For each host with dumps or flushes, the longest that they may take one after the other."""
    found: dict[str, int] = {}
    for source in backup_set.sources:
        seconds = source.dump.max_time + 60 if source.dump else 0
        seconds += _PREPARATION if source.prepare else 0
        if seconds:
            found[source.key.host] = found.get(source.key.host, 0) + seconds
    return found
