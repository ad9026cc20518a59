"""Send and receive between simulated pools: a stream is a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from zrep.errors import DatasetBusy, DatasetExists, DatasetMissing, PoolFull, ZfsError
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
    # What snapshots destroyed in between had written is not known here; the stream has it.
    delta = sum(s.written for s in between)
    return Stream(snapshots=(replace(newest, written=delta),), base=base)


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

    With `upto` the stream breaks after so many bytes: what arrived whole stays, and a token for
    the rest of the snapshot that broke.
    """
    node = _receiver(pool, name, stream)
    room = stream.size if upto is None else upto
    for index, snapshot in enumerate(stream.snapshots):
        base = stream.snapshots[index - 1].guid if index else stream.base
        done = stream.done if index == 0 else 0
        if upto is not None and room < snapshot.written - done:
            broken = Partial(
                snapshot=snapshot, base=base, done=done + room, fresh=not node.snapshots
            )
            return pool.having(name, replace(node, partial=broken)).after(created=1)
        room -= snapshot.written - done
        node = _arrived(pool, name, node, snapshot)
        pool = pool.having(name, node).after(created=1)
    return pool


def _receiver(pool: Pool, name: DatasetName, stream: Stream) -> Node:
    node = pool.nodes.get(name)
    _check_partial(node, stream, name)
    if stream.base is None and stream.token is None:
        if node is not None:
            raise DatasetExists(f"cannot receive into {name}", why="destination exists")
        pool.node(name.parent or name)
    elif node is None:
        raise DatasetMissing(f"cannot receive into {name}", why="destination does not exist")
    elif stream.base is not None:
        _check_history(node, stream, name)
    if pool.used + stream.size > pool.capacity:
        raise PoolFull(f"cannot receive into {name}", why="out of space")
    return node or Node(guid=pool.new_guid(), createtxg=Txg(pool.txg), creation=pool.now)


def _check_partial(node: Node | None, stream: Stream, name: DatasetName) -> None:
    waiting = node.partial.token if node and node.partial else None
    if stream.token is None and waiting is not None:
        raise DatasetBusy(f"cannot receive into {name}", why="contains partially-complete state")
    if stream.token != waiting:
        raise ZfsError(f"cannot receive into {name}", why="no state that this stream resumes")


def _check_history(node: Node, stream: Stream, name: DatasetName) -> None:
    newest = node.snapshots[-1].guid if node.snapshots else None
    if newest != stream.base:
        why = "most recent snapshot does not match incremental source"
        raise ZfsError(f"cannot receive into {name}", why=why)
    if node.written:
        why = "destination has been modified since most recent snapshot"
        raise ZfsError(f"cannot receive into {name}", why=why)
    _check_names(node.snapshots, stream.snapshots, name)


def _check_names(
    present: Sequence[Snapshot], arriving: Sequence[Snapshot], name: DatasetName
) -> None:
    taken = {s.name.snap for s in present} & {s.name.snap for s in arriving}
    if taken:
        raise DatasetExists(f"cannot receive {name}@{min(taken)}", why="destination already exists")


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
