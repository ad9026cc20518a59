"""The Zfs port: the few operations zrep needs, with all-or-nothing semantics spelled out.

Errors are zrep.errors.ZfsError subclasses. Reads are one or two processes per call, however
many datasets there are; writes take lists and are atomic where it says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from zrep.model.inventory import Inventory, Snapshot
from zrep.model.names import DatasetName, SnapshotName

if TYPE_CHECKING:
    from zrep.model.plan import SendSpec

__all__ = ["SendSpec", "Zfs"]


class Zfs(Protocol):
    """ZFS on one host."""

    def inventory(
        self, root: DatasetName, *, snapshots: bool = True, only: Sequence[str] | None = None
    ) -> Inventory:
        """Everything at and below `root`; DatasetMissing when root does not exist.

        With snapshots=False only datasets (no snapshots, no bookmarks), which is cheaper. With
        `only`, of all user properties only those of these names, which halves the reading of many
        and more; a value that the dataset above has too is not seen, and what `root` inherits
        counts as its own. A gate lets through names of ours alone.
        """
        ...

    def look(self, names: Sequence[SnapshotName]) -> Mapping[SnapshotName, Snapshot]:
        """These snapshots as they are now, without user properties; missing ones are left out."""
        ...

    def mounts(self, root: DatasetName) -> Mapping[DatasetName, str]:
        """Where each filesystem at and below `root` is mounted; what is not is left out.

        Empty when root does not exist. On this machine it costs no process.
        """
        ...

    def create(
        self, dataset: DatasetName, properties: Mapping[str, str], *, mount: bool = True
    ) -> None:
        """Create one filesystem; its parent must exist. DatasetExists when it is there already."""
        ...

    def snapshot(self, names: Sequence[SnapshotName], properties: Mapping[str, str]) -> None:
        """All snapshots in one transaction group of one pool, with these properties, or none."""
        ...

    def destroy_snapshots(self, names: Sequence[SnapshotName]) -> Mapping[SnapshotName, str]:
        """Destroy each that can be; returns name -> reason for those that could not.

        A snapshot that is gone already counts as destroyed. Holds and clones are reasons.
        """
        ...

    def holds(self, names: Sequence[SnapshotName]) -> Mapping[SnapshotName, frozenset[str]]:
        """The hold tags of each snapshot (empty set when none)."""
        ...

    def hold(self, names: Sequence[SnapshotName], tag: str) -> None:
        """Put a hold on each; one that has the tag already is fine. All or none."""
        ...

    def release(self, names: Sequence[SnapshotName], tag: str) -> None:
        """Take the hold off each; a missing hold or snapshot is fine."""
        ...

    def bookmark(self, snapshot: SnapshotName, mark: str) -> None:
        """Create `dataset#mark`; one of the same guid is fine, of another guid DatasetExists."""
        ...

    def destroy_bookmark(self, dataset: DatasetName, mark: str) -> None:
        """Remove a bookmark; a missing one is fine."""
        ...

    def clone(
        self, snapshot: SnapshotName, dataset: DatasetName, properties: Mapping[str, str]
    ) -> None:
        """Clone and, unless canmount says otherwise, mount it."""
        ...

    def destroy(self, dataset: DatasetName) -> None:
        """Unmount and destroy one dataset that has no children and no snapshots.

        DatasetBusy when it is in use or has dependents; DatasetMissing when it is not there.
        """
        ...

    def set_properties(
        self, names: Sequence[DatasetName | SnapshotName], properties: Mapping[str, str]
    ) -> None:
        """Set the same properties on all."""
        ...

    def get(self, dataset: DatasetName, names: Sequence[str]) -> Mapping[str, str]:
        """Native property values as zfs prints them with -p; unset ones are `-`."""
        ...

    def mount(self, dataset: DatasetName) -> None:
        """Mount it; mounted already is fine."""
        ...

    def unmount(self, dataset: DatasetName) -> None:
        """Unmount it; not mounted is fine; DatasetBusy when in use."""
        ...

    def send_size(self, spec: SendSpec) -> int:
        """Estimated bytes of the stream."""
        ...

    def send_argv(self, spec: SendSpec) -> tuple[str, ...]:
        """Local argv that writes the stream to stdout (large blocks, embedded, compressed)."""
        ...

    def receive_argv(self, dataset: DatasetName) -> tuple[str, ...]:
        """Local argv that receives stdin into `dataset`: resumable, unmounted, never forced."""
        ...

    def abort_receive(self, dataset: DatasetName) -> None:
        """Throw away a partial receive state; none there is fine."""
        ...
