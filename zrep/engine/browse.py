"""Looking into the backups of a target on this machine, without clones: by .zfs/snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from zrep.engine.observe import observe_target
from zrep.engine.site import Site
from zrep.engine.snapshot_mount import open_snapshot, snapshot_folder
from zrep.engine.tree import compare_trees, entry_at, open_folder, read_content, whole_entry
from zrep.errors import Refused, UnknownName, ZfsError
from zrep.frozen import dataclass
from zrep.model.backup import Backup, Child
from zrep.model.inventory import Inventory
from zrep.model.key import SourceKey
from zrep.model.names import SnapshotName
from zrep.model.source import Source
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
        child = _child_of(backup, key)
        snapshot = child.snapshot.name
        top = snapshot_folder(mountpoint_of(self.inventory, snapshot), snapshot)
        return f"{top}/{child.folder}".rstrip("/")

    @contextmanager
    def open(self, backup: Backup, key: SourceKey) -> Iterator[int]:
        """A descriptor of that folder. ZfsError for what cannot be read while it is open."""
        child = _child_of(backup, key)
        snapshot = child.snapshot.name
        inside = (child.folder,) if child.folder else ()
        with (
            open_snapshot(mountpoint_of(self.inventory, snapshot), snapshot) as top,
            open_folder(top, inside) as folder,
        ):
            yield folder


def mountpoint_of(inventory: Inventory, snapshot: SnapshotName) -> str:
    """Where the snapshot's dataset is mounted; ZfsError when it is not."""
    dataset = inventory.get(snapshot.dataset)
    if dataset is None or not dataset.mounted or dataset.mountpoint is None:
        raise ZfsError(
            f"{snapshot.dataset} is not mounted",
            next_step=f"zfs mount {snapshot.dataset}, or look into a clone: zrep mount",
        )
    return dataset.mountpoint


def _child_of(backup: Backup, key: SourceKey) -> Child:
    child = backup.child(key)
    if child is None:
        raise UnknownName(
            f"backup {backup.id} does not hold {key}",
            why=f"it holds {', '.join(sorted(map(str, backup.keys)))}",
            next_step="zrep list shows the backups there are",
        )
    return child


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


def find_versions(shelf: Shelf, location: Location) -> PathHistory:
    """All versions over all backups that hold the source; what cannot be read is named."""
    holding = [b for b in reversed(shelf.backups) if location.key in b.keys]
    return history_of([_sight(shelf, backup, location) for backup in holding])


def _sight(shelf: Shelf, backup: Backup, location: Location) -> Sighting:
    try:
        with shelf.open(backup, location.key) as top:
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
        shelf.open(old, location.key) as before,
        shelf.open(new, location.key) as after,
    ):
        for change in compare_trees(before, after, location.parts):
            yield replace(change, path=f"{location.key}/{change.path}".rstrip("/"))


def _one_sided(shelf: Shelf, old: Backup, new: Backup, key: SourceKey) -> Iterator[Change]:
    """A whole source that only one of the two holds."""
    holder = old if key in old.keys else new
    with shelf.open(holder, key) as top:
        entry = entry_at(top, ())
    sides = (entry, None) if holder is old else (None, entry)
    change = compare_entry(*sides, path=str(key))
    if change is not None:
        yield change


def content_of(shelf: Shelf, backup: Backup, location: Location) -> Iterator[bytes]:
    """What one file has in it, piece by piece."""
    with shelf.open(backup, location.key) as top:
        yield from read_content(top, location.parts)
