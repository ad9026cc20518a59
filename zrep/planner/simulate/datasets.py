"""The life of datasets: create, clone, write, use, destroy, and reading them all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from zrep.errors import DatasetBusy, DatasetExists, PoolFull, ZfsError
from zrep.model.inventory import Dataset, Inventory
from zrep.model.names import DatasetName, SnapshotName, Txg
from zrep.planner.simulate.pool import Node, Pool
from zrep.planner.simulate.properties import (
    check_native,
    check_unused,
    value,
    why_unmountable,
)


def inventory(pool: Pool, root: DatasetName, *, snapshots: bool = True) -> Inventory:
    """What Zfs.inventory reads."""
    pool.node(root)
    clones: dict[SnapshotName, list[DatasetName]] = defaultdict(list)
    for name, node in sorted(pool.nodes.items()):
        if node.origin is not None:
            clones[node.origin].append(name)
    return Inventory(
        tuple(_dataset(pool, name, clones, with_snapshots=snapshots) for name in pool.below(root))
    )


def with_only(inventory: Inventory, only: Sequence[str]) -> Inventory:
    """The same with no other user properties than these, where they differ from what is above."""
    shown: dict[DatasetName, Mapping[str, str]] = {}

    def own(properties: Mapping[str, str], above: Mapping[str, str]) -> Mapping[str, str]:
        found = {k: v for k, v in properties.items() if k in only and v != "-"}
        return {k: v for k, v in found.items() if above.get(k) != v}

    def reduced(dataset: Dataset) -> Dataset:
        above = shown.get(dataset.name.parent, {}) if dataset.name.parent else {}
        here = shown[dataset.name] = {**above, **dataset.properties}
        return replace(
            dataset,
            properties=own(dataset.properties, above),
            snapshots=tuple(
                replace(s, properties=own(s.properties, here)) for s in dataset.snapshots
            ),
        )

    return Inventory(tuple(map(reduced, inventory)))


def _dataset(
    pool: Pool,
    name: DatasetName,
    clones: Mapping[SnapshotName, Sequence[DatasetName]],
    *,
    with_snapshots: bool,
) -> Dataset:
    node = pool.nodes[name]
    return Dataset(
        name=name,
        guid=node.guid,
        used=node.size,
        available=pool.capacity - pool.used,
        referenced=node.size,
        mountpoint=value(pool, name, "mountpoint").replace("none", "") or None,
        mounted=node.mounted,
        origin=node.origin,
        resume_token=node.partial.token if node.partial else None,
        properties={k: v for k, v in node.properties.items() if ":" in k},
        snapshots=tuple(
            replace(
                snap,
                userrefs=len(node.held(snap.name.snap)),
                clones=tuple(clones.get(snap.name, ())),
            )
            for snap in node.snapshots
            if with_snapshots
        ),
        bookmarks=node.bookmarks if with_snapshots else (),
    )


def create(
    pool: Pool, name: DatasetName, properties: Mapping[str, str], *, mount: bool = True
) -> Pool:
    return _add(pool, name, properties, mounted=mount)


def clone(
    pool: Pool, snapshot: SnapshotName, name: DatasetName, properties: Mapping[str, str]
) -> Pool:
    size = pool.find(snapshot).referenced
    return _add(pool, name, properties, mounted=True, origin=snapshot, size=size)


def _add(
    pool: Pool,
    name: DatasetName,
    properties: Mapping[str, str],
    *,
    mounted: bool,
    origin: SnapshotName | None = None,
    size: int = 0,
) -> Pool:
    if name in pool.nodes:
        raise DatasetExists(f"cannot create {name}", why="dataset already exists")
    pool.node(name.parent or name)
    check_native(properties)
    node = Node(
        guid=pool.new_guid(),
        createtxg=Txg(pool.txg),
        creation=pool.now,
        properties=dict(properties),
        origin=origin,
        size=size,
    )
    made = pool.having(name, node)
    mounted = mounted and why_unmountable(made, name) is None
    mounted = mounted and properties.get("canmount", "on") == "on"
    return made.having(name, replace(node, mounted=mounted)).after(created=1)


def write(pool: Pool, name: DatasetName, size: int) -> Pool:
    """`size` new bytes of data; PoolFull when they do not fit."""
    node = pool.node(name)
    if pool.used + size > pool.capacity:
        raise PoolFull(f"cannot write to {name}", why="out of space")
    return pool.having(name, replace(node, size=node.size + size, written=node.written + size))


def use(pool: Pool, name: DatasetName, *, in_use: bool = True) -> Pool:
    """A process enters or leaves the mounted dataset."""
    return pool.having(name, replace(pool.node(name), in_use=in_use))


def destroy(pool: Pool, name: DatasetName) -> Pool:
    node = pool.node(name)
    if name.parent is None:
        raise ZfsError(f"cannot destroy {name}", why="operation does not apply to pools")
    if node.snapshots or len(list(pool.below(name))) > 1:
        raise DatasetBusy(f"cannot destroy {name}", why="filesystem has children")
    check_unused(pool, (name,))
    return replace(pool, nodes={n: d for n, d in pool.nodes.items() if n != name}).after()
