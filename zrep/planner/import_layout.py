"""What becomes of the snapshots of the scripts before zrep: which backup each is, what its folders
are, and the properties that say so. Nothing but properties is ever written. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from zrep.errors import Refused
from zrep.frozen import dataclass
from zrep.model.backup import (
    Backup,
    Manifest,
    SourceRecord,
    State,
    encode_manifest,
    left_over,
)
from zrep.model.inventory import Inventory, Snapshot
from zrep.model.key import SourceKey
from zrep.model.layout import IMPORTED, layout_id
from zrep.model.names import BackupId, DatasetName, SnapClass, SnapshotName, in_name_order
from zrep.model.source import Consistency, Source
from zrep.planner.import_folders import Mapped, check_maps, map_folders

METHOD = "imported"
_NAMES = "snap_YYYYMMDD_HHMMSS"
# The properties of another ZFS tool that is called zrep.
_FOREIGN = "zrep:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked for. `sources` are the configured ones, those of the set first.

    `maps` says of folders which source they are; with `again` what was imported is described anew.
    """

    set_name: str
    sources: Sequence[Source]
    maps: Mapping[str, SourceKey] = field(default_factory=dict, hash=False)
    classes: frozenset[SnapClass] = frozenset({SnapClass.MANUAL})
    again: bool = False
    version: str = ""
    config: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A snapshot or folder that is left as it is, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The snapshots of the old layout: those to look into, those imported already."""

    look: tuple[Snapshot, ...]
    already: tuple[Snapshot, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """One at the top of a snapshot."""

    name: str
    empty: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A snapshot and the folders in it."""

    snapshot: Snapshot
    folders: tuple[Folder, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """One snapshot as the backup that it becomes; `changes` are the properties it lacks."""

    id: BackupId
    snapshot: Snapshot
    state: State
    records: tuple[SourceRecord, ...]
    changes: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """The same properties on some snapshots."""

    snapshots: tuple[SnapshotName, ...]
    properties: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """Everything that an import would do, oldest backup first."""

    set_name: str
    classes: tuple[SnapClass, ...]
    mapped: tuple[Mapped, ...]
    adoptions: tuple[Adoption, ...]
    already: tuple[Snapshot, ...]
    skipped: tuple[Skipped, ...]

    @property
    def writes(self) -> tuple[Write, ...]:
        """All manifests, and only then what makes backups of them."""
        manifests: dict[tuple[tuple[str, str], ...], list[SnapshotName]] = defaultdict(list)
        marks: list[SnapshotName] = []
        for adoption in self.adoptions:
            words = tuple(sorted((k, v) for k, v in adoption.changes.items() if k != IMPORTED))
            if words:
                manifests[words].append(adoption.snapshot.name)
            if IMPORTED in adoption.changes:
                marks.append(adoption.snapshot.name)
        found = [Write(snapshots=tuple(n), properties=dict(w)) for w, n in manifests.items()]
        if marks:
            mark = {IMPORTED: _mark(self.classes)}
            found.append(Write(snapshots=tuple(marks), properties=mark))
        return tuple(found)


def _mark(classes: Iterable[SnapClass]) -> str:
    return ".".join(in_name_order(frozenset(classes)))


def check_pool(pool: Inventory, tree: Inventory) -> None:
    """Refused when another tool of our name keeps its notes there."""
    objects = [(d.name, d.properties) for d in (*pool, *tree)]
    snapshots = [(s.name, s.properties) for s in tree.snapshots()]
    for name, properties in (*objects, *snapshots):
        foreign = sorted(key for key in properties if key.startswith(_FOREIGN))
        if foreign:
            raise Refused(
                f"another tool called zrep works on {name}",
                why=f"it has the property {foreign[0]}",
                next_step="have that tool give the dataset up, take its properties off "
                f"(zfs inherit {foreign[0]} {name}), then import",
            )


def find_layout(tree: Inventory, root: DatasetName, *, again: bool = False) -> Layout:
    """Refused when there is none."""
    dataset = tree.get(root)
    old = [s for s in (dataset.snapshots if dataset else ()) if s.name.snap.startswith("snap_")]
    good = [s for s in old if layout_id(s.name.snap)]
    if not good:
        raise Refused(
            f"{root} does not have the layout that can be imported",
            why=f"no snapshot of it is called {_NAMES}",
            next_step="name the dataset of the scripts as [target] dataset",
        )
    look = [s for s in good if again or s.label is None]
    return Layout(
        look=tuple(look),
        already=tuple(s for s in good if s not in look),
        skipped=tuple(
            Skipped(what=str(s.name), why=f"its name is not {_NAMES}") for s in old if s not in good
        ),
    )


def plan_import(
    layout: Layout, seen: Sequence[Seen], order: Order, backups: Sequence[Backup]
) -> ImportPlan:
    """`seen` is what `layout.look` holds. Refused, UsageError or UnknownName for what cannot be."""
    _check_ids(seen, backups)
    names = {f.name for s in seen for f in s.folders}
    check_maps(order.maps, {*names, *_known_folders(backups)})
    mapped = map_folders(names, order.sources, order.maps)
    adoptions = [adopted for s in seen if (adopted := _adopt(s, mapped, order))]
    adopted_names = {a.snapshot.name for a in adoptions}
    bare = [s.snapshot.name for s in seen if s.snapshot.name not in adopted_names]
    changed = tuple(a for a in adoptions if a.changes)
    return ImportPlan(
        set_name=order.set_name,
        classes=tuple(in_name_order(order.classes)),
        mapped=tuple(mapped.values()),
        adoptions=changed,
        already=(*layout.already, *(a.snapshot for a in adoptions if not a.changes)),
        skipped=(
            *layout.skipped,
            *(Skipped(what=str(name), why="it holds no source's files") for name in bare),
            *_unmapped(seen, mapped),
        ),
    )


def _check_ids(seen: Sequence[Seen], backups: Sequence[Backup]) -> None:
    own = {b.id for b in backups if not b.imported}
    both = [s.snapshot.name for s in seen if layout_id(s.snapshot.name.snap) in own]
    if both:
        raise Refused(
            "there is a backup of the same id already",
            where=", ".join(map(str, both)),
            next_step="rename the snapshot (zfs rename DATASET@snap_ID DATASET@snap_OTHER)",
        )


def _known_folders(backups: Sequence[Backup]) -> set[str]:
    return {c.folder for b in backups for c in b.children}


def _adopt(seen: Seen, mapped: Mapping[str, Mapped], order: Order) -> Adoption | None:
    """None when no source has anything in it."""
    records = tuple(_record(mapped[f.name], f) for f in seen.folders if f.name in mapped)
    backup = layout_id(seen.snapshot.name.snap)
    if backup is None or not any(r.ok for r in records):
        return None
    manifest = Manifest(
        set_name=order.set_name,
        state=State.COMPLETE if all(r.ok for r in records) else State.PARTIAL,
        consistency=Consistency.NONE,
        sources=tuple(sorted(records, key=lambda r: r.key)),
        version=order.version,
        config=order.config,
    )
    had, told = seen.snapshot.properties, encode_manifest(manifest)
    wanted = {**told, **left_over(had, told), IMPORTED: _mark(order.classes)}
    return Adoption(
        id=backup,
        snapshot=seen.snapshot,
        state=manifest.state,
        records=manifest.sources,
        changes={k: v for k, v in wanted.items() if had.get(k) != v},
    )


def _record(mapped: Mapped, folder: Folder) -> SourceRecord:
    """An empty folder is what the scripts left of a source whose snapshot was not mounted."""
    why = "its folder is empty" if folder.empty else ""
    return SourceRecord(
        key=mapped.key, ok=not folder.empty, why=why, method=METHOD, folder=folder.name
    )


def _unmapped(seen: Sequence[Seen], mapped: Mapping[str, Mapped]) -> Iterator[Skipped]:
    counts: dict[str, int] = defaultdict(int)
    for one in seen:
        for folder in one.folders:
            if folder.name not in mapped and not folder.empty:
                counts[folder.name] += 1
    for name, count in sorted(counts.items()):
        why = f"its name is not HOST@+PATH, say what it is with --map (snapshots: {count})"
        yield Skipped(what=name, why=why)
