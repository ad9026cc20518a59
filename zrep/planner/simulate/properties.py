"""Properties, native and user, with inheritance; and mounting, which depends on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from zrep.errors import DatasetBusy, ZfsError
from zrep.model.names import DatasetName, SnapshotName
from zrep.planner.simulate.pool import Node, Pool

_DEFAULTS = {
    "acltype": "off",
    "atime": "on",
    "canmount": "on",
    "checksum": "on",
    "compression": "on",
    "copies": "1",
    "dedup": "off",
    "devices": "on",
    "exec": "on",
    "logbias": "latency",
    "mountpoint": "",
    "quota": "0",
    "readonly": "off",
    "recordsize": "131072",
    "refquota": "0",
    "refreservation": "0",
    "relatime": "on",
    "reservation": "0",
    "setuid": "on",
    "snapdir": "hidden",
    "sync": "standard",
    "xattr": "sa",
}
_NOT_INHERITED = frozenset({"canmount", "quota", "refquota", "refreservation", "reservation"})
_UNMOUNTABLE = frozenset({"none", "legacy"})


def set_properties(
    pool: Pool, names: Sequence[DatasetName | SnapshotName], properties: Mapping[str, str]
) -> Pool:
    for name in names:
        pool = (
            _set_on_dataset(pool, name, properties)
            if isinstance(name, DatasetName)
            else _set_on_snapshot(pool, name, properties)
        )
    return pool.after()


def _set_on_dataset(pool: Pool, name: DatasetName, properties: Mapping[str, str]) -> Pool:
    check_native(properties)
    node = pool.node(name)
    changed = replace(node, properties={**node.properties, **properties})
    made = pool.having(name, changed)
    if node.mounted and why_unmountable(made, name):
        return made.having(name, replace(changed, mounted=False))
    return made


def _set_on_snapshot(pool: Pool, name: SnapshotName, properties: Mapping[str, str]) -> Pool:
    check_user_only(properties)
    found = pool.find(name)
    made = replace(found, properties={**found.properties, **properties})
    node = pool.nodes[name.dataset]
    snapshots = tuple(made if s == found else s for s in node.snapshots)
    return pool.having(name.dataset, replace(node, snapshots=snapshots))


def get(pool: Pool, name: DatasetName, names: Sequence[str]) -> Mapping[str, str]:
    """Values as `zfs get -p` prints them, inherited ones included; `-` for what is unset."""
    pool.node(name)
    for wanted in names:
        if ":" not in wanted and wanted not in _DEFAULTS and wanted not in _STATISTICS:
            raise ZfsError(f"cannot read {name}", why=f"bad property: {wanted}")
    return {wanted: value(pool, name, wanted) for wanted in names}


def value(pool: Pool, name: DatasetName, wanted: str) -> str:
    node = pool.nodes[name]
    if wanted in _STATISTICS:
        return _STATISTICS[wanted](pool, node)
    if wanted in node.properties:
        return node.properties[wanted]
    if wanted == "mountpoint":
        return _inherited_mountpoint(pool, name)
    if name.parent is None or wanted in _NOT_INHERITED:
        return _DEFAULTS.get(wanted, "-")
    return value(pool, name.parent, wanted)


def _inherited_mountpoint(pool: Pool, name: DatasetName) -> str:
    if name.parent is None:
        return f"/{name}"
    above = value(pool, name.parent, "mountpoint")
    return above if above in _UNMOUNTABLE else f"{above}/{name.relative_to(name.parent)}"


def mount(pool: Pool, name: DatasetName) -> Pool:
    why = why_unmountable(pool, name)
    if why is not None:
        raise ZfsError(f"cannot mount {name}", why=why)
    return pool.having(name, replace(pool.node(name), mounted=True))


def unmount(pool: Pool, name: DatasetName) -> Pool:
    """Takes along what is mounted below; when one of them is in use all stay."""
    pool.node(name)
    together = [n for n in pool.below(name) if pool.nodes[n].mounted]
    if not pool.nodes[name].mounted:
        return pool
    check_unused(pool, together)
    away = {n: replace(pool.nodes[n], mounted=False) for n in together}
    return replace(pool, nodes={**pool.nodes, **away})


def why_unmountable(pool: Pool, name: DatasetName) -> str | None:
    if pool.node(name).properties.get("canmount") == "off":
        return "'canmount' property is set to 'off'"
    mountpoint = value(pool, name, "mountpoint")
    return f"mountpoint is {mountpoint}" if mountpoint in _UNMOUNTABLE else None


def check_unused(pool: Pool, names: Sequence[DatasetName]) -> None:
    for name in names:
        if pool.nodes[name].in_use:
            raise DatasetBusy(f"cannot unmount {name}", why="pool or dataset is busy")


def check_native(properties: Mapping[str, str]) -> None:
    """Refuse names that are neither user properties nor native ones that can be set."""
    for name in properties:
        if ":" not in name and name not in _DEFAULTS:
            raise ZfsError("cannot set property", why=f"invalid property {name!r}")


def check_user_only(properties: Mapping[str, str]) -> None:
    """Snapshots take user properties only."""
    for name in properties:
        if ":" not in name:
            raise ZfsError("cannot set property", why=f"{name!r} cannot be set on a snapshot")


_STATISTICS: Mapping[str, Callable[[Pool, Node], str]] = {
    "type": lambda *_: "filesystem",
    "guid": lambda _, node: str(node.guid),
    "createtxg": lambda _, node: str(node.createtxg),
    "creation": lambda _, node: str(node.creation),
    "used": lambda _, node: str(node.size),
    "referenced": lambda _, node: str(node.size),
    "written": lambda _, node: str(node.written),
    "available": lambda pool, _: str(pool.capacity - pool.used),
    "mounted": lambda _, node: "yes" if node.mounted else "no",
    "origin": lambda _, node: str(node.origin or "-"),
    "receive_resume_token": lambda _, node: node.partial.token if node.partial else "-",
}
