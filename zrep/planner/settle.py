"""After the streams: holds, bookmarks and manifests that the two sides of a replica should have.

Computed from what both sides hold now, so a run that died anywhere is put right by the next.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import field

from zrep.frozen import dataclass
from zrep.model.backup import PREFIX
from zrep.model.inventory import Bookmark, Dataset, Inventory, Snapshot
from zrep.model.names import DatasetName, SnapshotName
from zrep.planner.replicate import destination_of, find_base

Holds = Mapping[SnapshotName, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SideHolds:
    """The holds to add and to take away on one side."""

    add: tuple[SnapshotName, ...]
    drop: tuple[SnapshotName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Everything to put right; empty fields mean nothing to do."""

    source: SideHolds
    replica: SideHolds
    marks_to_add: tuple[tuple[SnapshotName, str], ...]
    marks_to_drop: tuple[Bookmark, ...]
    manifests: tuple[Labelled, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Replica snapshots that lack the same manifest."""

    snapshots: tuple[SnapshotName, ...]
    properties: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A dataset, its replica, and the newest snapshot that both have."""

    source: Dataset
    replica: Dataset
    theirs: Snapshot
    ours: Snapshot | None


def hold_tag(replica: str) -> str:
    return f"zrep:replica:{replica}"


def pairs(
    source: Inventory, replica: Inventory, *, root: DatasetName, to: DatasetName
) -> Iterator[Pair]:
    """The datasets that have a common base."""
    for dataset in source:
        if not dataset.name.is_below(root):
            continue
        other = replica.get(destination_of(dataset, replica, root=root, to=to))
        base = find_base(dataset, other) if other else None
        if other and base:
            ours = next((s for s in dataset.snapshots if s.guid == base.theirs.guid), None)
            yield Pair(source=dataset, replica=other, theirs=base.theirs, ours=ours)


def plan_settlement(
    found: tuple[Pair, ...], *, name: str, ours: Holds, theirs: Holds
) -> Settlement:
    """`ours` and `theirs` are the hold tags of the snapshots that have any."""
    tag = hold_tag(name)
    return Settlement(
        source=_holds({p.ours.name for p in found if p.ours}, ours, tag),
        replica=_holds({p.theirs.name for p in found}, theirs, tag),
        marks_to_add=tuple(_missing_marks(found, name)),
        marks_to_drop=tuple(_old_marks(found, name)),
        manifests=tuple(_missing_manifests(found)),
    )


def _holds(wanted: set[SnapshotName], have: Holds, tag: str) -> SideHolds:
    tagged = {name for name, tags in have.items() if tag in tags}
    return SideHolds(add=tuple(sorted(wanted - tagged)), drop=tuple(sorted(tagged - wanted)))


def _mark(snapshot: Snapshot, replica: str) -> str | None:
    return f"zrep_{snapshot.label.id}_{replica}" if snapshot.label else None


def _missing_marks(found: tuple[Pair, ...], name: str) -> Iterator[tuple[SnapshotName, str]]:
    for pair in found:
        mark = _mark(pair.ours, name) if pair.ours else None
        if pair.ours and mark and mark not in {b.mark for b in pair.source.bookmarks}:
            yield pair.ours.name, mark


def _old_marks(found: tuple[Pair, ...], name: str) -> Iterator[Bookmark]:
    for pair in found:
        for bookmark in pair.source.bookmarks:
            ours = bookmark.mark.startswith("zrep_") and bookmark.mark.endswith(f"_{name}")
            if ours and bookmark.guid != pair.theirs.guid:
                yield bookmark


def _missing_manifests(found: tuple[Pair, ...]) -> Iterator[Labelled]:
    groups: dict[tuple[tuple[str, str], ...], list[SnapshotName]] = defaultdict(list)
    for pair in found:
        ours = {s.guid: _manifest(s) for s in pair.source.snapshots}
        for snapshot in pair.replica.snapshots:
            wanted = ours.get(snapshot.guid)
            if wanted and wanted != _manifest(snapshot):
                groups[wanted].append(snapshot.name)
    for properties, names in groups.items():
        yield Labelled(snapshots=tuple(names), properties=dict(properties))


def _manifest(snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((k, v) for k, v in snapshot.properties.items() if k.startswith(PREFIX)))
