"""The Zfs port on a simulated pool. Trusted only because it passes the contract suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from zrep.errors import CommandFailed
from zrep.model.inventory import Inventory, Snapshot
from zrep.model.names import DatasetName, SnapshotName
from zrep.model.plan import SendSpec
from zrep.planner.simulate import datasets, streams
from zrep.planner.simulate import properties as props
from zrep.planner.simulate import snapshots as snaps
from zrep.planner.simulate.pool import Pool
from zrep.zfs import argv


class FakeZfs:
    """`pool` is the world: read it, replace it (`fake.pool = fake.pool.at(now)`), compare it."""

    def __init__(self, pool: Pool, *, name: str = "fake") -> None:
        self.pool = pool
        self.name = name

    def inventory(
        self, root: DatasetName, *, snapshots: bool = True, only: Sequence[str] | None = None
    ) -> Inventory:
        found = datasets.inventory(self.pool, root, snapshots=snapshots)
        return found if only is None else datasets.with_only(found, only)

    def look(self, names: Sequence[SnapshotName]) -> Mapping[SnapshotName, Snapshot]:
        there = self._snapshots()
        return {n: replace(there[n], properties={}) for n in names if n in there}

    def _snapshots(self) -> Mapping[SnapshotName, Snapshot]:
        everything = datasets.inventory(self.pool, DatasetName(self.pool.name))
        return {s.name: s for s in everything.snapshots()}

    def mounts(self, root: DatasetName) -> Mapping[DatasetName, str]:
        there = root in self.pool.nodes
        return datasets.inventory(self.pool, root, snapshots=False).mounts if there else {}

    def create(
        self, dataset: DatasetName, properties: Mapping[str, str], *, mount: bool = True
    ) -> None:
        self.pool = datasets.create(self.pool, dataset, properties, mount=mount)

    def snapshot(self, names: Sequence[SnapshotName], properties: Mapping[str, str]) -> None:
        self.pool = snaps.snapshot(self.pool, names, properties)

    def destroy_snapshots(self, names: Sequence[SnapshotName]) -> Mapping[SnapshotName, str]:
        self.pool, refused = snaps.destroy_snapshots(self.pool, names)
        return refused

    def holds(self, names: Sequence[SnapshotName]) -> Mapping[SnapshotName, frozenset[str]]:
        return snaps.holds(self.pool, names)

    def hold(self, names: Sequence[SnapshotName], tag: str) -> None:
        self.pool = snaps.hold(self.pool, names, tag)

    def release(self, names: Sequence[SnapshotName], tag: str) -> None:
        self.pool = snaps.release(self.pool, names, tag)

    def bookmark(self, snapshot: SnapshotName, mark: str) -> None:
        self.pool = snaps.bookmark(self.pool, snapshot, mark)

    def destroy_bookmark(self, dataset: DatasetName, mark: str) -> None:
        self.pool = snaps.destroy_bookmark(self.pool, dataset, mark)

    def clone(
        self, snapshot: SnapshotName, dataset: DatasetName, properties: Mapping[str, str]
    ) -> None:
        self.pool = datasets.clone(self.pool, snapshot, dataset, properties)

    def destroy(self, dataset: DatasetName) -> None:
        self.pool = datasets.destroy(self.pool, dataset)

    def set_properties(
        self, names: Sequence[DatasetName | SnapshotName], properties: Mapping[str, str]
    ) -> None:
        self.pool = props.set_properties(self.pool, names, properties)

    def get(self, dataset: DatasetName, names: Sequence[str]) -> Mapping[str, str]:
        return props.get(self.pool, dataset, names)

    def mount(self, dataset: DatasetName) -> None:
        self.pool = props.mount(self.pool, dataset)

    def unmount(self, dataset: DatasetName) -> None:
        self.pool = props.unmount(self.pool, dataset)

    def send_size(self, spec: SendSpec) -> int:
        return streams.send(self.pool, spec).size

    def send_argv(self, spec: SendSpec) -> tuple[str, ...]:
        """What the real one would run; `transfer` does what running it would."""
        return argv.send_argv(spec)

    def receive_argv(self, dataset: DatasetName) -> tuple[str, ...]:
        return argv.receive_argv(dataset)

    def abort_receive(self, dataset: DatasetName) -> None:
        self.pool = streams.abort_receive(self.pool, dataset)


def transfer(
    source: FakeZfs,
    spec: SendSpec,
    destination: FakeZfs,
    dataset: DatasetName,
    *,
    upto: int | None = None,
) -> int:
    """The pipe from send to receive; returns the bytes that went through it.

    With `upto` it breaks after so many bytes, as CommandFailed, leaving what a real one leaves.
    """
    stream = streams.send(source.pool, spec)
    destination.pool = streams.receive(destination.pool, dataset, stream, upto=upto)
    if upto is not None and upto < stream.size:
        command = argv.receive_argv(dataset)
        raise CommandFailed(command, 1, "incomplete stream", where=destination.name)
    return stream.size
