"""Send and receive between simulated pools: a stream is a value."""

from __future__ import annotations

from dataclasses import replace

from zrep.errors import DatasetBusy, DatasetExists, DatasetMissing, PoolFull, ZfsError
from zrep.frozen import dataclass
from zrep.model.inventory import Snapshot
from zrep.model.names import DatasetName, Guid, Txg
from zrep.model.plan import SendSpec
from zrep.planner.simulate.pool import Node, Partial, Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """`snapshots`, oldest first, each with the bytes it adds as `written`, on top of `base`.

    `done` bytes of the first are at the receiver already when `token` resumes them.
    """

    snapshots: tuple[Snapshot, ...]
    base: Guid | None = None
    token: str | None = None
    done: int = 0

    @property
    def size(self) -> int:
        return sum(s.written for s in self.snapshots) - self.done


def send(pool: Pool, spec: SendSpec) -> Stream:
    if spec.token is not None:
        return _resumed(pool, spec.token)
    newest = pool.find(spec.snapshot)
    node = pool.nodes[spec.snapshot.dataset]
    if spec.base is None:
        return Stream(snapshots=(replace(newest, written=newest.referenced),))
    base, txg = _base(node, spec)
    if txg >= newest.createtxg:
        raise ZfsError(f"cannot send {newest.name}", why="not an earlier snapshot")
    between = [s for s in node.snapshots if txg < s.createtxg <= newest.createtxg]
    if spec.intermediates:
        return Stream(snapshots=tuple(between), base=base)
    return Stream(snapshots=(replace(newest, written=sum(s.written for s in between)),), base=base)


def _base(node: Node, spec: SendSpec) -> tuple[Guid, Txg]:
    word = spec.base or ""
    if word.startswith("@"):
        for snapshot in node.snapshots:
            if snapshot.name.snap == word[1:]:
                return snapshot.guid, snapshot.createtxg
    elif not spec.intermediates:
        for mark in node.bookmarks:
            if mark.mark == word[1:]:
                return mark.guid, mark.createtxg
    raise DatasetMissing(f"cannot send from {word}", why="incremental source does not exist")


def _resumed(pool: Pool, token: str) -> Stream:
    guid, base, done = (int(word) for word in bytes.fromhex(token[2:]).decode().split(":"))
    for node in pool.nodes.values():
        for snapshot in node.snapshots:
            if snapshot.guid == guid:
                size = _size_since(node, snapshot, base)
                sent = replace(snapshot, written=size)
                return Stream(
                    snapshots=(sent,), base=Guid(base) if base else None, token=token, done=done
                )
    raise DatasetMissing("cannot resume send", why="the snapshot is no longer there")


def _size_since(node: Node, newest: Snapshot, base: int) -> int:
    if not base:
        return newest.referenced
    starts = [s.createtxg for s in node.snapshots if s.guid == base]
    starts += [b.createtxg for b in node.bookmarks if b.guid == base]
    if not starts:
        raise DatasetMissing("cannot resume send", why="incremental source no longer exists")
    return sum(s.written for s in node.snapshots if starts[0] < s.createtxg <= newest.createtxg)


def receive(pool: Pool, name: DatasetName, stream: Stream, *, upto: int | None = None) -> Pool:
    """Without force: a receiver that does not fit is refused and stays as it was.

    Snapshots that are there already are skipped. With `upto` the stream breaks after so many
    bytes: what arrived whole stays, and a token for the rest of the snapshot that broke.
    """
    node = _receiver(pool, name, stream)
    room = stream.size if upto is None else upto
    base = stream.base
    for index, snapshot in enumerate(stream.snapshots):
        done = stream.done if index == 0 else 0
        size = snapshot.written - done
        if _is_there(node, snapshot):
            pass
        elif room < size:
            broken = Partial(
                snapshot=snapshot, base=base, done=done + room, fresh=not node.snapshots
            )
            return pool.having(name, replace(node, partial=broken)).after(created=1)
        else:
            _check_fit(node, snapshot, base, name)
            node = _arrived(pool, name, node, snapshot)
            pool = pool.having(name, node).after(created=1)
        room -= size
        base = snapshot.guid
    return pool


def _receiver(pool: Pool, name: DatasetName, stream: Stream) -> Node:
    node = pool.nodes.get(name)
    if stream.base is None and stream.token is None:
        if node is not None:
            raise DatasetExists(f"cannot receive into {name}", why="destination exists")
        pool.node(name.parent or name)
    elif node is None:
        raise DatasetMissing(f"cannot receive into {name}", why="destination does not exist")
    _check_partial(node, stream, name)
    if pool.used + stream.size > pool.capacity:
        raise PoolFull(f"cannot receive into {name}", why="out of space")
    made = node or Node(guid=pool.new_guid(), createtxg=Txg(pool.txg), creation=pool.now)
    if not _is_there(made, stream.snapshots[0]):
        _check_fit(made, stream.snapshots[0], stream.base, name)
    return made


def _check_partial(node: Node | None, stream: Stream, name: DatasetName) -> None:
    waiting = node.partial.token if node and node.partial else None
    if stream.token is None and waiting is not None:
        raise DatasetBusy(f"cannot receive into {name}", why="contains partially-complete state")
    if stream.token != waiting:
        raise ZfsError(f"cannot receive into {name}", why="no state that this stream resumes")


def _is_there(node: Node, snapshot: Snapshot) -> bool:
    return any(present.guid == snapshot.guid for present in node.snapshots)


def _check_fit(node: Node, snapshot: Snapshot, base: Guid | None, name: DatasetName) -> None:
    """The base is there and no data changed since; snapshots without new data do not matter."""
    if node.snapshot(snapshot.name.snap) is not None:
        why = "destination already exists"
        raise DatasetExists(f"cannot receive {name}@{snapshot.name.snap}", why=why)
    if base is None:
        return
    guids = [present.guid for present in node.snapshots]
    if base not in guids:
        why = "most recent snapshot does not match incremental source"
        raise ZfsError(f"cannot receive into {name}", why=why)
    if node.written or any(s.written for s in node.snapshots[guids.index(base) + 1 :]):
        why = "destination has been modified since most recent snapshot"
        raise ZfsError(f"cannot receive into {name}", why=why)


def _arrived(pool: Pool, name: DatasetName, node: Node, snapshot: Snapshot) -> Node:
    """guid and creation travel, createtxg is of this pool, user properties stay behind."""
    made = Snapshot(
        name=name.at(snapshot.name.snap),
        guid=snapshot.guid,
        createtxg=Txg(pool.txg),
        creation=snapshot.creation,
        written=snapshot.written,
        referenced=snapshot.referenced,
    )
    return replace(
        node, snapshots=(*node.snapshots, made), size=snapshot.referenced, written=0, partial=None
    )


def abort_receive(pool: Pool, name: DatasetName) -> Pool:
    """Drop what an interrupted receive left, and the dataset if it was there for that alone."""
    node = pool.nodes.get(name)
    if node is None or node.partial is None:
        return pool
    if node.partial.fresh:
        return replace(pool, nodes={n: d for n, d in pool.nodes.items() if n != name}).after()
    return pool.having(name, replace(node, partial=None)).after()
