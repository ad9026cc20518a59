"""How a replica follows a tree: per dataset a list of sends, or a conflict with its evidence.

Bases are proven by guid. Nothing on the far side is ever rolled back or destroyed: histories that
do not fit are reported, and a person decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from zrep.frozen import dataclass
from zrep.model.inventory import Bookmark, Dataset, Inventory, Snapshot
from zrep.model.layout import HISTORY, layout_id
from zrep.model.names import DatasetName, parse_label
from zrep.model.plan import Diverged, Follow, ReplicaStep, SendSpec, Transfer, UpToDate


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """Where source and replica agree: the replica's snapshot, and how the source can name it."""

    mark: str
    createtxg: int
    theirs: Snapshot


def plan_replica(
    source: Inventory, replica: Inventory, *, root: DatasetName, to: DatasetName
) -> tuple[ReplicaStep, ...]:
    """One step per dataset below `root` that has owned snapshots; parents before children."""
    steps: list[ReplicaStep] = []
    known = {d.name for d in replica}
    for dataset in source:
        if not dataset.name.is_below(root) or not dataset.owned:
            continue
        destination = destination_of(dataset, replica, root=root, to=to)
        parents = _missing_parents(destination, to, known)
        known |= set(parents)
        steps.append(_plan_dataset(dataset, replica.get(destination), destination, parents))
    return tuple(steps)


def destination_of(
    source: Dataset, replica: Inventory, *, root: DatasetName, to: DatasetName
) -> DatasetName:
    """Where the replica has the dataset's history.

    The root's own, an imported one, is another dataset there: nothing can be received into a root
    that was created. Unless the replica's root itself was received in the days of that layout.
    """
    there = source.name.rebase(root, to)
    if source.name != root or all(parse_label(s.name.snap) for s in source.owned):
        return there
    found = replica.get(to)
    received = found is not None and any(layout_id(s.name.snap) for s in found.snapshots)
    return there if received else to / HISTORY


def _missing_parents(
    destination: DatasetName, root: DatasetName, known: set[DatasetName]
) -> tuple[DatasetName, ...]:
    missing: list[DatasetName] = []
    parent = destination.parent
    while parent is not None and parent.is_below(root) and parent not in known | {root}:
        missing.append(parent)
        parent = parent.parent
    return tuple(reversed(missing))


def _plan_dataset(
    source: Dataset,
    replica: Dataset | None,
    destination: DatasetName,
    parents: tuple[DatasetName, ...],
) -> ReplicaStep:
    if replica is not None and replica.resume_token:
        transfers = (_resume(source, destination, replica.resume_token),)
        return Follow(
            source=source.name, destination=destination, parents=parents, transfers=transfers
        )
    if replica is None:
        return _follow(source, destination, parents, None)
    base = find_base(source, replica)
    newer = _newer_than(replica, base)
    if base is None or newer:
        evidence = _evidence(source, replica, base, newer)
        return Diverged(source=source.name, destination=destination, evidence=evidence)
    return _follow(source, destination, parents, base)


def _resume(source: Dataset, destination: DatasetName, token: str) -> Transfer:
    newest = source.owned[-1]
    spec = SendSpec(snapshot=newest.name, token=token)
    return Transfer(destination=destination, spec=spec, snapshots=())


def find_base(source: Dataset, replica: Dataset) -> Base | None:
    """The newest snapshot that both sides have, by guid; the source may hold only a bookmark."""
    theirs = {s.guid: s for s in replica.snapshots}
    ours: list[Snapshot | Bookmark] = [*source.bookmarks, *source.snapshots]
    found = [
        Base(mark=_mark(item), createtxg=item.createtxg, theirs=theirs[item.guid])
        for item in ours
        if item.guid in theirs
    ]
    return max(found, key=lambda b: (b.createtxg, b.mark.startswith("@")), default=None)


def _mark(item: Snapshot | Bookmark) -> str:
    return f"#{item.mark}" if isinstance(item, Bookmark) else f"@{item.name.snap}"


def _newer_than(replica: Dataset, base: Base | None) -> tuple[Snapshot, ...]:
    limit = base.theirs.createtxg if base else -1
    return tuple(s for s in replica.snapshots if s.createtxg > limit)


def _evidence(
    source: Dataset, replica: Dataset, base: Base | None, newer: Sequence[Snapshot]
) -> str:
    if not replica.snapshots:
        return f"{replica.name} exists and has no snapshots: it was not made by replication"
    last = newer[-1]
    described = f"{last.name} (guid {last.guid})"
    if base is None:
        return f"no snapshot or bookmark of {source.name} has the guid of {described}"
    return (
        f"common base {base.theirs.name} (guid {base.theirs.guid}), but the replica went on to "
        f"{described}, which {source.name} does not have"
    )


def _follow(
    source: Dataset,
    destination: DatasetName,
    parents: tuple[DatasetName, ...],
    base: Base | None,
) -> ReplicaStep:
    wanted = [s for s in source.owned if base is None or s.createtxg > base.createtxg]
    if not wanted:
        return UpToDate(source=source.name, newest=source.owned[-1])
    return Follow(
        source=source.name,
        destination=destination,
        parents=parents,
        transfers=tuple(_transfers(source, destination, wanted, base.mark if base else None)),
    )


def _transfers(
    source: Dataset, destination: DatasetName, wanted: Sequence[Snapshot], base: str | None
) -> Iterator[Transfer]:
    """As few streams as possible: one -I for each unbroken run of our own snapshots.

    -I carries everything in between, so a foreign snapshot in the way ends the run; it also needs
    a snapshot as its base, so a full stream and one from a bookmark carry a single snapshot.
    """
    position = {f"@{s.name.snap}": i for i, s in enumerate(source.snapshots)}
    start = 0
    while start < len(wanted):
        end = start + 1
        while end < len(wanted) and _unbroken(position, base, wanted[start : end + 1]):
            end += 1
        run = tuple(wanted[start:end])
        spec = SendSpec(snapshot=run[-1].name, base=base, intermediates=len(run) > 1)
        yield Transfer(destination=destination, spec=spec, snapshots=run)
        base = f"@{run[-1].name.snap}"
        start = end


def _unbroken(position: Mapping[str, int], base: str | None, run: Sequence[Snapshot]) -> bool:
    first = position.get(base) if base else None
    last = position[f"@{run[-1].name.snap}"]
    return first is not None and last - first == len(run)
