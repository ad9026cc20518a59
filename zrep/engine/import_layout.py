"""Adopting the history of the scripts before zrep where it lies: by properties on its snapshots."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import field
from datetime import UTC, datetime

from zrep import __version__
from zrep.engine.browse import mountpoint_of
from zrep.engine.journal import Journal
from zrep.engine.lock import exclusive
from zrep.engine.observe import observe_target
from zrep.engine.progress import Progress
from zrep.engine.site import Site
from zrep.engine.snapshot_mount import open_snapshot
from zrep.engine.tree import open_folder, read_folder
from zrep.errors import Refused, UsageError
from zrep.frozen import dataclass
from zrep.model.inventory import Inventory, Snapshot
from zrep.model.key import SourceKey
from zrep.model.names import BackupId, DatasetName, SnapClass
from zrep.model.source import Source
from zrep.model.tree import Kind
from zrep.planner.backups import find_backups
from zrep.planner.import_folders import parse_map
from zrep.planner.import_layout import (
    Folder,
    ImportPlan,
    Order,
    Seen,
    check_pool,
    find_layout,
    plan_import,
)
from zrep.zfs.port import Zfs


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """As written on the command line."""

    set_name: str | None = None
    maps: tuple[str, ...] = ()
    classes: tuple[SnapClass, ...] = ()
    again: bool = False


def order_of(site: Site, wish: Wish) -> Order:
    """UnknownName and UsageError for what cannot be meant."""
    chosen = site.backup_set(wish.set_name)
    others = (s for x in site.config.sets.values() if x.name != chosen.name for s in x.sources)
    return Order(
        set_name=chosen.name,
        sources=_once((*chosen.sources, *others)),
        maps=_maps(wish.maps),
        classes=frozenset(wish.classes) or frozenset({SnapClass.MANUAL}),
        again=wish.again,
        version=__version__,
        config=site.config.digest,
    )


def _once(sources: Sequence[Source]) -> tuple[Source, ...]:
    return tuple({s.key: s for s in reversed(sources)}.values())[::-1]


def _maps(texts: Sequence[str]) -> dict[str, SourceKey]:
    found: dict[str, SourceKey] = {}
    for text in texts:
        folder, key = parse_map(text)
        if found.setdefault(folder, key) != key:
            raise UsageError(f"--map: {folder} is mapped twice", next_step="say it once")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import into the tree at `root`, on this machine."""

    zfs: Zfs
    root: DatasetName
    order: Order
    progress: Progress = field(hash=False)

    def plan(self) -> ImportPlan:
        tree = observe_target(self.zfs, self.root)
        pool = self.zfs.inventory(DatasetName(self.root.pool), snapshots=False)
        check_pool(pool, tree)
        layout = find_layout(tree, self.root, again=self.order.again)
        backups = find_backups(tree, self.root)
        return plan_import(layout, self._look(tree, layout.look), self.order, backups)

    def _look(self, tree: Inventory, snapshots: Sequence[Snapshot]) -> list[Seen]:
        """One after the other. What has become a dataset's place since is no source's folder."""
        places = {d.name.relative_to(self.root) for d in tree}
        seen = []
        for number, snapshot in enumerate(snapshots, start=1):
            self.progress.step(f"look into {snapshot.name} ({number} of {len(snapshots)})")
            with open_snapshot(mountpoint_of(tree, snapshot.name), snapshot.name) as top:
                found = tuple(f for f in _folders(top) if f.name not in places)
            seen.append(Seen(snapshot=snapshot, folders=found))
        return seen

    def apply(self, plan: ImportPlan, journal: Journal) -> None:
        """Whatever ends it, the next one goes on: a snapshot is no backup before the last write."""
        for write in plan.writes:
            with journal.step("describe", snapshots=list(write.snapshots)):
                self.zfs.set_properties(write.snapshots, write.properties)


def _folders(top: int) -> Iterator[Folder]:
    for name, entry in sorted(read_folder(top, ()).items()):
        if entry.kind is Kind.FOLDER:
            with open_folder(top, (name,)) as folder, os.scandir(folder) as names:
                yield Folder(name=name, empty=next(names, None) is None)


def observe_import(site: Site, wish: Wish, progress: Progress) -> ImportPlan:
    """What would be done."""
    return _import_of(site, wish, progress).plan()


def import_layout(site: Site, wish: Wish, progress: Progress) -> ImportPlan:
    """One locked run, journalled when there is something to write."""
    with exclusive(site.run_dir, "import-layout"):
        work = _import_of(site, wish, progress)
        plan = work.plan()
        if plan.writes:
            run = str(BackupId.at(datetime.now(UTC)))
            with Journal(site.state_dir, "import-layout", run) as journal:
                work.apply(plan, journal)
        return plan


def _import_of(site: Site, wish: Wish, progress: Progress) -> Import:
    """Refused when the pool is elsewhere: the folders must be looked at."""
    address = site.config.target.address
    if address is not None:
        raise Refused(
            "a layout can be imported only on the machine with the pool",
            where=str(address),
            next_step="run it there, with this configuration without host in [target]",
        )
    order = order_of(site, wish)
    return Import(zfs=site.target, root=site.root, order=order, progress=progress)
