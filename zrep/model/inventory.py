"""What exists in a pool, as read once: datasets, snapshots and bookmarks.

guid is identity, createtxg is order, the name is for people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from functools import cached_property

from zrep.frozen import dataclass
from zrep.model.layout import label_of
from zrep.model.names import BackupLabel, DatasetName, Guid, SnapshotName, Txg

# Why a snapshot could not be destroyed.
HELD = "it is held, or being sent"
CLONED = "it has clones"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One snapshot. `creation` in epoch seconds; `used` and `written` in bytes."""

    name: SnapshotName
    guid: Guid
    createtxg: Txg
    creation: int
    userrefs: int = 0
    used: int = 0
    written: int = 0
    referenced: int = 0
    clones: tuple[DatasetName, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def label(self) -> BackupLabel | None:
        return label_of(self.name.snap, self.properties)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """One bookmark: `dataset#name`, standing for the snapshot of the same guid."""

    dataset: DatasetName
    mark: str
    guid: Guid
    createtxg: Txg
    creation: int

    def __str__(self) -> str:
        return f"{self.dataset}#{self.mark}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A filesystem or volume, its snapshots and bookmarks in createtxg order.

    `properties` holds only user properties (names with a colon) set on the dataset itself.
    """

    name: DatasetName
    guid: Guid
    kind: str = "filesystem"
    used: int = 0
    available: int = 0
    referenced: int = 0
    mountpoint: str | None = None
    mounted: bool = False
    origin: SnapshotName | None = None
    resume_token: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict, hash=False)
    snapshots: tuple[Snapshot, ...] = ()
    bookmarks: tuple[Bookmark, ...] = ()

    @property
    def owned(self) -> tuple[Snapshot, ...]:
        """The snapshots that zrep owns by name, or has adopted, oldest first."""
        return tuple(s for s in self.snapshots if s.label is not None)


@dataclass(frozen=True)
class Inventory:
    """All datasets at and below one root, sorted by name."""

    datasets: tuple[Dataset, ...]

    def __iter__(self) -> Iterator[Dataset]:
        return iter(self.datasets)

    @cached_property
    def _by_name(self) -> dict[DatasetName, Dataset]:
        return {d.name: d for d in self.datasets}

    @cached_property
    def _snapshots(self) -> dict[SnapshotName, Snapshot]:
        return {s.name: s for s in self.snapshots()}

    def get(self, name: DatasetName) -> Dataset | None:
        return self._by_name.get(name)

    def snapshot(self, name: SnapshotName) -> Snapshot | None:
        return self._snapshots.get(name)

    @property
    def mounts(self) -> dict[DatasetName, str]:
        """Where each that is mounted is."""
        return {d.name: d.mountpoint for d in self if d.mounted and d.mountpoint}

    def snapshots(self) -> Iterator[Snapshot]:
        for dataset in self.datasets:
            yield from dataset.snapshots
