"""The values: a pool, its filesystems, what an interrupted receive left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from hashlib import sha256

from zrep.errors import DatasetMissing
from zrep.frozen import dataclass
from zrep.model.inventory import Bookmark, Snapshot
from zrep.model.names import DatasetName, Guid, SnapshotName, Txg


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """What an interrupted receive left: `done` bytes of the stream that ends in `snapshot`.

    `fresh` when the dataset exists only for that receive.
    """

    snapshot: Snapshot
    base: Guid | None
    done: int
    fresh: bool

    @property
    def token(self) -> str:
        words = f"{self.snapshot.guid}:{self.base or 0}:{self.done}"
        return f"1-{words.encode().hex()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One filesystem. `properties` are those set on it, native and user; sizes in bytes.

    `written` counts since the newest snapshot; `in_use` means that a process is inside.
    """

    guid: Guid
    createtxg: Txg
    creation: int
    properties: Mapping[str, str] = field(default_factory=dict, hash=False)
    origin: SnapshotName | None = None
    size: int = 0
    written: int = 0
    mounted: bool = False
    in_use: bool = False
    snapshots: tuple[Snapshot, ...] = ()
    bookmarks: tuple[Bookmark, ...] = ()
    holds: Mapping[str, frozenset[str]] = field(default_factory=dict, hash=False)
    partial: Partial | None = None

    def snapshot(self, snap: str) -> Snapshot | None:
        return next((s for s in self.snapshots if s.name.snap == snap), None)

    def held(self, snap: str) -> frozenset[str]:
        return self.holds.get(snap, frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """All filesystems of one pool; `now` in epoch seconds dates what is created next."""

    name: str
    nodes: Mapping[DatasetName, Node] = field(hash=False)
    txg: int = 4
    serial: int = 1
    now: int = 1_700_000_000
    capacity: int = 1 << 40

    def node(self, name: DatasetName) -> Node:
        if name not in self.nodes:
            raise DatasetMissing(f"no dataset {name}", why="dataset does not exist")
        return self.nodes[name]

    def find(self, name: SnapshotName) -> Snapshot:
        node = self.nodes.get(name.dataset)
        found = node.snapshot(name.snap) if node else None
        if found is None:
            raise DatasetMissing(f"no snapshot {name}", why="dataset does not exist")
        return found

    def having(self, name: DatasetName, node: Node) -> Pool:
        return replace(self, nodes={**self.nodes, name: node})

    def at(self, now: int) -> Pool:
        return replace(self, now=now)

    @property
    def used(self) -> int:
        return sum(node.size for node in self.nodes.values())

    def new_guid(self, offset: int = 0) -> Guid:
        digest = sha256(f"{self.name}:{self.serial + offset}".encode()).digest()
        return Guid(int.from_bytes(digest[:8], "big"))

    def after(self, created: int = 0) -> Pool:
        """One transaction group later, `created` guids spent."""
        return replace(self, txg=self.txg + 1, serial=self.serial + created)

    def below(self, root: DatasetName) -> Iterator[DatasetName]:
        return (name for name in sorted(self.nodes) if name.is_below(root))

    def clones(self, snapshot: SnapshotName) -> tuple[DatasetName, ...]:
        return tuple(sorted(n for n, node in self.nodes.items() if node.origin == snapshot))


def new_pool(name: str, *, now: int = 1_700_000_000, capacity: int = 1 << 40) -> Pool:
    """An empty pool, its root mounted at `/name`."""
    root = DatasetName(name)
    if root.pool != name:
        raise ValueError(f"not a pool name: {name!r}")
    pool = Pool(name=name, nodes={}, now=now, capacity=capacity)
    node = Node(guid=pool.new_guid(), createtxg=Txg(1), creation=now, mounted=True)
    return pool.having(root, node).after(created=1)
