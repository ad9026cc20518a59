"""Receiving a backup back from a replica, for the day on which the target's own pool is gone.

It goes to a place of its own, `<pool>/restored/<id>`, where nothing else is ever received: so it
never meets a history that it does not fit, and what is there already need not come again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from zrep.engine.journal import Journal
from zrep.engine.observe import observe_replica
from zrep.engine.progress import Progress
from zrep.engine.replicate import PARENT, Mover, Sides, pipe, send
from zrep.engine.site import Site
from zrep.errors import Conflict, DatasetMissing, Refused, ZfsError
from zrep.frozen import dataclass
from zrep.model.backup import PREFIX, Backup, Child
from zrep.model.inventory import Inventory, Snapshot
from zrep.model.key import SourceKey
from zrep.model.layout import HISTORY
from zrep.model.names import DatasetName, SnapshotName
from zrep.model.plan import Diverged, Follow, Transfer
from zrep.model.source import Replica
from zrep.planner.replicate import plan_replica
from zrep.zfs.port import Zfs


@dataclass(frozen=True, slots=True, kw_only=True)
class Returning:
    """The snapshots of `keys` of a backup on its way from a replica to `root` on the target.

    `backup` is as it is found on the replica. Its recovery sheet comes too: what is received is
    what later backups and replications go on from, and they bring a sheet each.
    """

    source: Zfs
    destination: Zfs
    replica: Replica
    backup: Backup
    keys: tuple[SourceKey, ...]
    root: DatasetName
    compression: str = "gzip-7"
    move: Mover = pipe

    @property
    def children(self) -> tuple[Child, ...]:
        return tuple(c for c in self.backup.children if c.key in self.keys)

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """All that is to be here, as it is on the replica."""
        sheet = self.backup.sheet
        return (*(c.snapshot for c in self.children), *((sheet,) if sheet else ()))

    @property
    def sides(self) -> Sides:
        here = replace(self.replica, dataset=self.root)
        return Sides(
            source=self.source,
            destination=self.destination,
            root=self.replica.dataset,
            replica=here,
            move=self.move,
        )

    def plan(self) -> tuple[Follow, ...]:
        """What is still to be received; Conflict when something else is in its place."""
        tree = observe_replica(self.source, self.replica.dataset)
        wanted = {s.name for s in self.snapshots}
        steps = plan_replica(
            _just(tree, wanted), self._here(), root=self.replica.dataset, to=self.root
        )
        for step in steps:
            if isinstance(step, Diverged):
                raise Conflict(
                    f"{step.destination} is in the way",
                    why=step.evidence,
                    next_step=f"look at it; then: zfs destroy -r {step.destination}",
                )
        return tuple(step for step in steps if isinstance(step, Follow))

    def size(self) -> int:
        """About so many bytes are still to come."""
        transfers = [t for step in self.plan() for t in step.transfers]
        return sum(self._sent(t) for t in transfers)

    def _sent(self, transfer: Transfer) -> int:
        """What a token resumes may be gone: then it starts over."""
        try:
            return self.source.send_size(transfer.spec)
        except DatasetMissing:
            if transfer.spec.token is None:
                raise
            return self.source.send_size(replace(transfer.spec, token=None))
        except ZfsError as error:
            raise self._explained(error) from error

    def _here(self) -> Inventory:
        try:
            return self.destination.inventory(self.root)
        except DatasetMissing:
            return Inventory(())

    def receive(self, journal: Journal, progress: Progress) -> Backup:
        """The backup with the target's snapshots, all of them received; resumes what broke off.

        Refused when the replica gives nothing out: then nothing is made here.
        """
        self.size()
        while steps := self.plan():
            self._make_root()
            for step in steps:
                for parent in step.parents:
                    self.destination.create(parent, PARENT, mount=False)
                for transfer in step.transfers:
                    self._receive_one(transfer, journal, progress)
        self._label()
        return self._as_here()

    def _receive_one(self, transfer: Transfer, journal: Journal, progress: Progress) -> None:
        """What a token resumes may be gone: then it starts over."""
        try:
            send(self.sides, transfer, journal, progress)
        except DatasetMissing as error:
            if transfer.spec.token is None:
                raise
            progress.warn(f"{transfer.destination}: starting over: {error}")
            self.destination.abort_receive(transfer.destination)
        except ZfsError as error:
            raise self._explained(error) from error

    def _explained(self, error: ZfsError) -> ZfsError | Refused:
        if "send_back" not in error.why and "send is not for this role" not in error.why:
            return error
        return Refused(
            f"replica {self.replica.name} gives nothing out",
            why=error.why,
            next_step=f"say send_back = true in [replica.{self.replica.name}], then: "
            f"zrep capsule deploy {self.replica.name}",
        )

    def _make_root(self) -> None:
        """Received blocks stay as they are; what comes later is compressed as on the target."""
        for name in (self.root.parent, self.root):
            if name is not None and not _exists(self.destination, name):
                made = {**PARENT, "compression": self.compression}
                self.destination.create(name, made, mount=False)

    def _label(self) -> None:
        """A stream carries no properties: the manifest comes by itself."""
        here = self._here()
        for there in self.snapshots:
            ours = here.snapshot(self._place(there.name))
            said = _manifest(there.properties)
            if ours is not None and _manifest(ours.properties) != said:
                self.destination.set_properties([ours.name], said)

    def _as_here(self) -> Backup:
        here, sheet = self._here(), self.backup.sheet
        return replace(
            self.backup,
            children=tuple(
                replace(c, snapshot=self._ours(here, c.snapshot)) for c in self.children
            ),
            sheet=self._ours(here, sheet) if sheet else None,
        )

    def _ours(self, here: Inventory, there: Snapshot) -> Snapshot:
        name = self._place(there.name)
        ours = here.snapshot(name)
        if ours is None or ours.guid != there.guid:
            raise ZfsError(f"{name} is not what the replica has")
        return ours

    def _place(self, name: SnapshotName) -> SnapshotName:
        if name.dataset == self.replica.dataset:  # imported: the root here was made, not received
            return (self.root / HISTORY).at(name.snap)
        return name.dataset.rebase(self.replica.dataset, self.root).at(name.snap)


def _just(tree: Inventory, wanted: set[SnapshotName]) -> Inventory:
    """The tree as if it held nothing but these snapshots."""
    found = (
        replace(d, snapshots=tuple(s for s in d.snapshots if s.name in wanted), bookmarks=())
        for d in tree
    )
    return Inventory(tuple(d for d in found if d.snapshots))


def _manifest(properties: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in properties.items() if key.startswith(PREFIX)}


def _exists(zfs: Zfs, name: DatasetName) -> bool:
    try:
        zfs.inventory(name, snapshots=False)
    except DatasetMissing:
        return False
    return True


def returning(site: Site, name: str, backup: Backup, keys: Sequence[SourceKey]) -> Returning:
    """The way back from the replica of that name."""
    replica = site.replica(name)
    return Returning(
        source=site.replica_zfs(replica),
        destination=site.target,
        replica=replica,
        backup=backup,
        keys=tuple(keys),
        root=site.config.target.restored / str(backup.id),
        compression=site.config.target.compression,
    )


def drop_returned(zfs: Zfs, root: DatasetName) -> tuple[DatasetName, ...]:
    """Destroy what was received at `root`, and nothing else; names what is gone.

    DatasetBusy when it is in use or held.
    """
    if not _exists(zfs, root):
        return ()
    tree = zfs.inventory(root)
    refused = zfs.destroy_snapshots([s.name for s in tree.snapshots()])
    if refused:
        name, why = next(iter(refused.items()))
        raise ZfsError(f"{name} stays", why=why, next_step="see: zrep sessions")
    gone = sorted((d.name for d in tree), key=lambda n: (-n.text.count("/"), n.text))
    for name_of in gone:
        zfs.destroy(name_of)
    return tuple(sorted(gone))
