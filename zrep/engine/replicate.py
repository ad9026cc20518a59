"""Following a replica: observe both sides, plan, stream, settle holds, bookmarks and manifests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from zrep.engine.journal import Journal
from zrep.engine.lock import exclusive
from zrep.engine.observe import LOCKED_DOWN, STORAGE, observe_replica, observe_target
from zrep.engine.outwards import Outwards
from zrep.engine.progress import Progress
from zrep.engine.site import Site
from zrep.errors import CommandFailed, Conflict, DatasetMissing, PartialResult, ZrepError
from zrep.frozen import dataclass
from zrep.host.pipeline import run_pipeline
from zrep.host.ssh_failure import SSH_FAILED, explain_ssh_failure
from zrep.model.inventory import Inventory
from zrep.model.names import BackupId, DatasetName, SnapshotName
from zrep.model.plan import Diverged, Follow, ReplicaStep, Transfer, UpToDate
from zrep.model.run_record import Job, Verb
from zrep.model.source import Replica
from zrep.planner.replicate import plan_replica
from zrep.planner.settle import Settlement, hold_tag, pairs, plan_settlement
from zrep.zfs.port import Zfs
from zrep.zfs.wording import error_from_text

PARENT = {"canmount": "off", "readonly": "on", **LOCKED_DOWN, **STORAGE}

# zfs may look for a long time before its first byte, and write for a long time after the last.
SILENCE_SECONDS = 3600.0

Mover = Callable[[Zfs, Zfs, Transfer, Callable[[int], None]], int]


def pipe(source: Zfs, destination: Zfs, transfer: Transfer, on_bytes: Callable[[int], None]) -> int:
    """Send and receive as two local programs with a pipe between them; returns the bytes moved."""
    stages = (source.send_argv(transfer.spec), destination.receive_argv(transfer.destination))
    try:
        return run_pipeline(stages, on_bytes=on_bytes, timeout_idle=SILENCE_SECONDS).moved
    except CommandFailed as error:
        where = f"{transfer.spec.snapshot} -> {transfer.destination}"
        ssh = (
            explain_ssh_failure(error.stderr, where=where)
            if error.returncode == SSH_FAILED
            else None
        )
        raise ssh or error_from_text(
            error.stderr, what="zfs send | receive", where=where
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The two ends: the target's tree at `root` and the replica's at `replica.dataset`."""

    source: Zfs
    destination: Zfs
    root: DatasetName
    replica: Replica
    move: Mover = pipe

    def observe(self) -> tuple[Inventory, Inventory]:
        return (
            observe_target(self.source, self.root),
            observe_replica(self.destination, self.replica.dataset),
        )

    def plan(self) -> tuple[ReplicaStep, ...]:
        return self.plan_for(*self.observe())

    def plan_for(self, source: Inventory, replica: Inventory) -> tuple[ReplicaStep, ...]:
        return plan_replica(source, replica, root=self.root, to=self.replica.dataset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One stream that arrived; `size` in bytes as counted on its way."""

    transfer: Transfer
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A dataset whose replica could not be brought forward, and why."""

    source: DatasetName
    error: ZrepError


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaReport:
    """What a run did and what it could not do."""

    replica: str
    sent: tuple[Sent, ...]
    up_to_date: tuple[DatasetName, ...]
    diverged: tuple[Diverged, ...]
    failed: tuple[Failed, ...]

    @property
    def trouble(self) -> ZrepError | None:
        """What decides the exit status: a conflict before all, then what did not arrive."""
        if self.diverged:
            odd = self.diverged[0]
            text = f"{len(self.diverged)} datasets have another history on the replica"
            return Conflict(text, where=str(odd.source), why=odd.evidence)
        if not self.failed:
            return None
        first = self.failed[0]
        if not self.sent and not self.up_to_date:
            return first.error
        text = f"{len(self.failed)} datasets did not arrive"
        return PartialResult(text, where=str(first.source), why=str(first.error))


def replicate(sides: Sides, journal: Journal, progress: Progress) -> ReplicaReport:
    """Bring every dataset forward; one that fails does not keep the others from arriving."""
    sent: list[Sent] = []
    failed: list[Failed] = []
    diverged: list[Diverged] = []
    current: list[DatasetName] = []
    seen = sides.observe()
    for step in sides.plan_for(*seen):
        match step:
            case UpToDate():
                current.append(step.source)
            case Diverged():
                diverged.append(step)
            case Follow():
                try:
                    sent.extend(_follow(sides, step, journal, progress))
                except ZrepError as error:
                    progress.warn(f"{step.source}: {error}")
                    failed.append(Failed(source=step.source, error=error))
    settle(sides, sides.observe() if sent or failed else seen, journal)
    return ReplicaReport(
        replica=sides.replica.name,
        sent=tuple(sent),
        up_to_date=tuple(current),
        diverged=tuple(diverged),
        failed=tuple(failed),
    )


def _follow(sides: Sides, step: Follow, journal: Journal, progress: Progress) -> Iterable[Sent]:
    for parent in step.parents:
        sides.destination.create(parent, PARENT, mount=False)
    resumed = step.transfers[0].spec.token is not None
    for transfer in step.transfers:
        try:
            yield send(sides, transfer, journal, progress)
        except DatasetMissing as error:
            if not resumed:
                raise
            progress.warn(
                f"{step.destination}: starting over, its partial receive is of no use: {error}"
            )
            sides.destination.abort_receive(step.destination)
    if resumed:
        yield from _after_resume(sides, step, journal, progress)


def send(sides: Sides, transfer: Transfer, journal: Journal, progress: Progress) -> Sent:
    """One stream, journalled, with its progress told."""
    spec = transfer.spec
    what = f"{spec.snapshot} -> {transfer.destination}"
    total = sides.source.send_size(spec)
    with journal.step("send", snapshot=spec.snapshot, base=spec.base, to=transfer.destination):
        progress.step(f"{what} ({_kind(transfer)})")
        moved = sides.move(
            sides.source,
            sides.destination,
            transfer,
            lambda done: progress.moved(what, done, total),
        )
    return Sent(transfer=transfer, size=moved)


def _kind(transfer: Transfer) -> str:
    if transfer.spec.token:
        return "resuming"
    return f"since {transfer.spec.base}" if transfer.spec.base else "full"


def _after_resume(
    sides: Sides, done: Follow, journal: Journal, progress: Progress
) -> Iterable[Sent]:
    """A resumed stream ends somewhere in the history: plan the rest from what is there now."""
    for step in sides.plan():
        if isinstance(step, Follow) and step.source == done.source:
            yield from _follow(sides, step, journal, progress)


def settle(sides: Sides, seen: tuple[Inventory, Inventory], journal: Journal) -> None:
    """Hold and bookmark the common bases, let go of older ones, copy manifests over."""
    source, replica = seen
    found = tuple(pairs(source, replica, root=sides.root, to=sides.replica.dataset))
    plan = plan_settlement(
        found,
        name=sides.replica.name,
        ours=sides.source.holds(_held(source)),
        theirs=sides.destination.holds(_held(replica)),
    )
    with journal.step("settle", replica=sides.replica.name):
        _apply(sides, plan)


def _held(inventory: Inventory) -> Sequence[SnapshotName]:
    return [s.name for s in inventory.snapshots() if s.userrefs]


def _apply(sides: Sides, plan: Settlement) -> None:
    """New holds come before old ones go, so that a base is held at every moment."""
    tag = hold_tag(sides.replica.name)
    sides.source.hold(plan.source.add, tag)
    sides.destination.hold(plan.replica.add, tag)
    for snapshot, mark in plan.marks_to_add:
        sides.source.bookmark(snapshot, mark)
    for group in plan.manifests:
        sides.destination.set_properties(group.snapshots, group.properties)
    sides.source.release(plan.source.drop, tag)
    sides.destination.release(plan.replica.drop, tag)
    for bookmark in plan.marks_to_drop:
        sides.source.destroy_bookmark(bookmark.dataset, bookmark.mark)


def sides_of(site: Site, name: str | None) -> Sides:
    """Both ends of the replica `name`; the only one there is when no name is given."""
    replica = site.replica(name)
    return Sides(
        source=site.target,
        destination=site.replica_zfs(replica),
        root=site.root,
        replica=replica,
    )


def run_replicate(site: Site, name: str | None, progress: Progress) -> ReplicaReport:
    """One locked and journalled run."""
    sides = sides_of(site, name)
    job = Job(verb=Verb.REPLICATE, name=sides.replica.name)
    run = BackupId.at(datetime.now(UTC))
    with (
        exclusive(site.run_dir, f"replica-{sides.replica.name}"),
        Outwards(site, job, progress, watch=sides.replica.watch) as outwards,
    ):
        outwards.run = run
        with Journal(site.state_dir, job.stem, str(run)) as journal:
            report = replicate(sides, journal, progress)
        outwards.trouble = report.trouble
        return report
