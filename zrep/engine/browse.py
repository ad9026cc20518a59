"""Looking into the backups of a target on this machine, without clones: by .zfs/snapshot."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from zrep.engine.observe import observe_target
from zrep.engine.site import Site
from zrep.engine.tree import compare_trees, entry_at, read_content, whole_entry
from zrep.errors import Refused, UnknownName, ZfsError
from zrep.model.backup import Backup
from zrep.model.inventory import Inventory
from zrep.model.names import SnapshotName
from zrep.model.source import Source, SourceKey
from zrep.planner.backups import find_backups, resolve
from zrep.planner.compare import Change, compare_entry
from zrep.planner.locate import Location, locate
from zrep.planner.versions import PathHistory, Sighting, history_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The backups there are, newest first, the datasets they lie in, and the configured sources."""

    inventory: Inventory
    backups: Sequence[Backup]
    sources: tuple[Source, ...] = ()

    @property
    def keys(self) -> frozenset[SourceKey]:
        return frozenset(key for backup in self.backups for key in backup.keys)

    def locate(self, path: str, only: SourceKey | None = None) -> Location:
        return locate(path, self.keys, self.sources, only=only)

    def find(self, text: str, key: SourceKey | None = None) -> Backup:
        """The backup that `text` names, which holds the source `key`."""
        return resolve(self.backups, text, having=key)

    def folder(self, backup: Backup, key: SourceKey) -> str:
        """Where the source's files lie as that backup has them."""
        child = backup.child(key)
        if child is None:
            raise UnknownName(
                f"backup {backup.id} does not hold {key}",
                why=f"it holds {', '.join(sorted(map(str, backup.keys)))}",
                next_step="zrep list shows the backups there are",
            )
        return self._folder_of(child.snapshot.name)

    def _folder_of(self, snapshot: SnapshotName) -> str:
        dataset = self.inventory.get(snapshot.dataset)
        if dataset is None or not dataset.mounted or dataset.mountpoint is None:
            raise ZfsError(
                f"{snapshot.dataset} is not mounted",
                next_step=f"zfs mount {snapshot.dataset}, or look into a clone: zrep mount",
            )
        return f"{dataset.mountpoint}/.zfs/snapshot/{snapshot.snap}"


def shelf_of(site: Site) -> Shelf:
    """Refused when the pool is on another machine, whose gate lets no files be read."""
    address = site.config.target.address
    if address is not None:
        raise Refused(
            "files of backups can be read only on the machine with the pool",
            where=str(address),
            next_step="run the same command there, or mount a backup there: zrep mount ID",
        )
    inventory = observe_target(site.target, site.root)
    configured = {s.key: s for x in site.config.sets.values() for s in x.sources}
    return Shelf(
        inventory=inventory,
        backups=find_backups(inventory, site.root),
        sources=tuple(configured.values()),
    )


@contextmanager
def open_snapshot(folder: str) -> Iterator[int]:
    """A descriptor of a snapshot's top; opening it makes the kernel mount it for a while.

    Whatever cannot be read meanwhile is a ZfsError.
    """
    try:
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise _unreachable(folder, error) from error
    try:
        yield top
    except OSError as error:
        what = f"cannot read {error.filename}" if error.filename else "cannot read"
        why = error.strerror or str(error)
        raise ZfsError(
            what, where=folder, why=why, next_step=_THEN.get(error.errno or 0, "")
        ) from error
    finally:
        os.close(top)


# ELOOP is how the kernel says that it cannot mount a snapshot from within a container.
_CLONE = "look into a clone instead: zrep mount ID"
_THEN = {
    errno.EACCES: "run it as root",
    errno.ELOOP: _CLONE,
    errno.ENOENT: f"see whether the property snapdir hides it, or {_CLONE}",
}


def _unreachable(folder: str, error: OSError) -> ZfsError:
    why = error.strerror or str(error)
    return ZfsError(f"cannot open {folder}", why=why, next_step=_THEN.get(error.errno or 0, _CLONE))


def find_versions(shelf: Shelf, location: Location) -> PathHistory:
    """All versions over all backups that hold the source; what cannot be read is named."""
    holding = [b for b in reversed(shelf.backups) if location.key in b.keys]
    return history_of([_sight(shelf, backup, location) for backup in holding])


def _sight(shelf: Shelf, backup: Backup, location: Location) -> Sighting:
    try:
        with open_snapshot(shelf.folder(backup, location.key)) as top:
            return Sighting(backup=backup.id, entry=whole_entry(top, location.parts))
    except (Refused, ZfsError) as error:
        why = str(error).partition("\n")[0]
        return Sighting(backup=backup.id, entry=None, why=why)


def diff_backups(
    shelf: Shelf, old: Backup, new: Backup, location: Location | None
) -> Iterator[Change]:
    """What differs from `old` to `new` at and below the location, or in all sources."""
    if location is not None:
        yield from _diff_source(shelf, old, new, location)
        return
    for key in sorted({*old.keys, *new.keys}):
        if key in old.keys and key in new.keys:
            yield from _diff_source(shelf, old, new, Location(key=key, parts=()))
        else:
            yield from _one_sided(shelf, old, new, key)


def _diff_source(shelf: Shelf, old: Backup, new: Backup, location: Location) -> Iterator[Change]:
    with (
        open_snapshot(shelf.folder(old, location.key)) as before,
        open_snapshot(shelf.folder(new, location.key)) as after,
    ):
        for change in compare_trees(before, after, location.parts):
            yield replace(change, path=f"{location.key}/{change.path}".rstrip("/"))


def _one_sided(shelf: Shelf, old: Backup, new: Backup, key: SourceKey) -> Iterator[Change]:
    """A whole source that only one of the two holds."""
    holder = old if key in old.keys else new
    with open_snapshot(shelf.folder(holder, key)) as top:
        entry = entry_at(top, ())
    sides = (entry, None) if holder is old else (None, entry)
    change = compare_entry(*sides, path=str(key))
    if change is not None:
        yield change


def content_of(shelf: Shelf, backup: Backup, location: Location) -> Iterator[bytes]:
    """What one file has in it, piece by piece."""
    with open_snapshot(shelf.folder(backup, location.key)) as top:
        yield from read_content(top, location.parts)
