"""Snapshots, holds and bookmarks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from zrep.errors import DatasetExists, ZfsError
from zrep.model.inventory import CLONED, HELD, Bookmark, Snapshot
from zrep.model.names import DatasetName, SnapshotName, Txg
from zrep.planner.simulate.pool import Node, Pool
from zrep.planner.simulate.properties import check_user_only


def snapshot(pool: Pool, names: Sequence[SnapshotName], properties: Mapping[str, str]) -> Pool:
    wanted = tuple(dict.fromkeys(names))
    _check_new(pool, wanted)
    check_user_only(properties)
    nodes = dict(pool.nodes)
    for offset, name in enumerate(wanted):
        node = nodes[name.dataset]
        made = Snapshot(
            name=name,
            guid=pool.new_guid(offset),
            createtxg=Txg(pool.txg),
            creation=pool.now,
            written=node.written,
            referenced=node.size,
            properties=dict(properties),
        )
        nodes[name.dataset] = replace(node, snapshots=(*node.snapshots, made), written=0)
    return replace(pool, nodes=nodes).after(created=len(wanted))


def _check_new(pool: Pool, wanted: Sequence[SnapshotName]) -> None:
    if len({name.dataset for name in wanted}) < len(wanted):
        raise ZfsError("cannot snapshot", why="several snapshots of one dataset at once")
    for name in wanted:
        if pool.node(name.dataset).snapshot(name.snap) is not None:
            raise DatasetExists(f"cannot snapshot {name}", why="dataset already exists")


def destroy_snapshots(
    pool: Pool, names: Sequence[SnapshotName]
) -> tuple[Pool, Mapping[SnapshotName, str]]:
    """All that can be destroyed are; the others with their reasons. Missing ones are fine."""
    reasons = {name: why for name in names if (why := _why_kept(pool, name))}
    gone = {name for name in names if name not in reasons}
    nodes = dict(pool.nodes)
    for dataset in {name.dataset for name in gone} & set(nodes):
        nodes[dataset] = _without(nodes[dataset], gone)
    return replace(pool, nodes=nodes).after(), reasons


def _without(node: Node, gone: AbstractSet[SnapshotName]) -> Node:
    """What a snapshot had written counts for the next one then, or for the head."""
    kept: list[Snapshot] = []
    left_over = 0
    for snap in node.snapshots:
        if snap.name in gone:
            left_over += snap.written
        else:
            kept.append(replace(snap, written=snap.written + left_over))
            left_over = 0
    return replace(node, snapshots=tuple(kept), written=node.written + left_over)


def _why_kept(pool: Pool, name: SnapshotName) -> str | None:
    node = pool.nodes.get(name.dataset)
    if node is None or node.snapshot(name.snap) is None:
        return None
    if node.held(name.snap):
        return HELD
    return CLONED if pool.clones(name) else None


def holds(pool: Pool, names: Sequence[SnapshotName]) -> Mapping[SnapshotName, frozenset[str]]:
    for name in names:
        pool.find(name)
    return {name: pool.nodes[name.dataset].held(name.snap) for name in names}


def hold(pool: Pool, names: Sequence[SnapshotName], tag: str) -> Pool:
    for name in names:
        pool.find(name)
    return _retag(pool, names, lambda tags: tags | {tag})


def release(pool: Pool, names: Sequence[SnapshotName], tag: str) -> Pool:
    present = [name for name in names if name.dataset in pool.nodes]
    return _retag(pool, present, lambda tags: tags - {tag})


def _retag(
    pool: Pool,
    names: Sequence[SnapshotName],
    change: Callable[[frozenset[str]], frozenset[str]],
) -> Pool:
    for name in names:
        node = pool.nodes[name.dataset]
        holds = {**node.holds, name.snap: change(node.held(name.snap))}
        pool = pool.having(name.dataset, replace(node, holds=holds))
    return pool.after()


def bookmark(pool: Pool, name: SnapshotName, mark: str) -> Pool:
    """One of the same guid is there already: fine; of another guid: DatasetExists."""
    found = pool.find(name)
    node = pool.nodes[name.dataset]
    present = _bookmark(node, mark)
    if present is not None and present.guid != found.guid:
        raise DatasetExists(f"cannot create {name.dataset}#{mark}", why="bookmark exists")
    if present is not None:
        return pool
    made = Bookmark(
        dataset=name.dataset,
        mark=mark,
        guid=found.guid,
        createtxg=found.createtxg,
        creation=found.creation,
    )
    marks = tuple(sorted((*node.bookmarks, made), key=lambda b: b.createtxg))
    return pool.having(name.dataset, replace(node, bookmarks=marks)).after()


def _bookmark(node: Node, mark: str) -> Bookmark | None:
    return next((b for b in node.bookmarks if b.mark == mark), None)


def destroy_bookmark(pool: Pool, dataset: DatasetName, mark: str) -> Pool:
    node = pool.nodes.get(dataset)
    if node is None:
        return pool
    kept = tuple(b for b in node.bookmarks if b.mark != mark)
    return pool.having(dataset, replace(node, bookmarks=kept)).after()
