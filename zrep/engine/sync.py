"""One backup: probe, pause, snapshot every source, thaw, pull each into its child dataset, verify,
publish.

Nothing is published before barrier 2 (every host acknowledged its snapshots); a source that
fails later leaves its child out. The one step that makes a backup exist is a single atomic ZFS
snapshot; dying anywhere before it leaves none.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from zrep import __version__
from zrep.engine.journal import Journal
from zrep.engine.lock import exclusive
from zrep.engine.observe import LOCKED_DOWN, STORAGE, observe_target
from zrep.engine.outwards import Outwards
from zrep.engine.progress import Progress
from zrep.engine.pull import UNCONFINED, is_confined
from zrep.engine.recovery import Papers, lay_papers
from zrep.engine.site import Site
from zrep.engine.source_hosts import SourceHosts, begin_probes
from zrep.engine.transfer import Guards, Transfers, find_guards, settle, transfer_all
from zrep.engine.verify_sources import verify_sources
from zrep.errors import DatasetExists, PartialResult, StillPaused, ZrepError
from zrep.frozen import dataclass
from zrep.host.mux import Stop
from zrep.model.backup import GLANCE, Backup, Pause, SourceRecord, State, source_property
from zrep.model.coverage import Uncovered
from zrep.model.inventory import Inventory
from zrep.model.names import BackupId, BackupLabel, DatasetName, make_label
from zrep.model.run_record import Job, Verb
from zrep.model.source import BackupSet, Source
from zrep.model.waiting import GUARD
from zrep.planner.backups import find_backups, glance_backups
from zrep.planner.coverage import find_uncovered
from zrep.planner.publish import Facts, Publish, check_order, classes_due, plan_publish, with_sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPlan:
    """What a run is going to do, as far as it can be known before the sources answer.

    `backups` are those there are, newest first.
    """

    set: BackupSet
    label: BackupLabel
    backups: Sequence[Backup]
    create: tuple[DatasetName, ...]
    guards: Guards


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """What a run published, and what went wrong without stopping it.

    `still_paused` is worse than any of it: the run must not be taken for a success.
    """

    published: Publish
    seconds: float
    warnings: tuple[str, ...]
    still_paused: StillPaused | None = None

    @property
    def trouble(self) -> ZrepError | None:
        """What decides the exit status although there is a backup."""
        manifest = self.published.manifest
        if self.still_paused is not None or manifest.state is State.COMPLETE:
            return self.still_paused
        return PartialResult(
            "the backup is partial",
            where=str(self.published.label.id),
            why="; ".join(f"{r.key}: {r.why}" for r in manifest.sources if not r.ok),
        )


def plan_sync(
    site: Site, backup_set: BackupSet, *, now: datetime, accept: Sequence[str] = ()
) -> SyncPlan:
    """Reads the target; refuses an id that would not be the newest, and consent to nothing."""
    inventory, backups = _observe(site, backup_set)
    new = BackupId.at(now)
    check_order(backups, new)
    classes = classes_due(
        site.config.target.policy, backups, backup_set.name, now=int(now.timestamp())
    )
    return SyncPlan(
        set=backup_set,
        label=make_label(new, classes),
        backups=backups,
        create=tuple(_missing_children(inventory, site.root, backup_set.sources)),
        guards=find_guards(backup_set, site.root, inventory, backups, accept=accept),
    )


def _observe(site: Site, backup_set: BackupSet) -> tuple[Inventory, Sequence[Backup]]:
    """By one listing of short properties, unless those leave open what some backup is."""
    records = (source_property(s.key) for s in backup_set.sources)
    seen = _read(site, (*GLANCE, GUARD, *records))
    backups = glance_backups(seen, site.root)
    if backups and all(b.state is not State.UNVERIFIED for b in backups):
        return seen, backups
    whole = _read(site)
    return whole, find_backups(whole, site.root)


def _read(site: Site, only: Sequence[str] | None = None) -> Inventory:
    compression = site.config.target.compression
    return observe_target(site.target, site.root, compression=compression, only=only)


def _missing_children(
    inventory: Inventory, root: DatasetName, sources: Sequence[Source]
) -> Iterator[DatasetName]:
    wanted = {root / s.key.host for s in sources} | {root / str(s.key) for s in sources}
    yield from sorted(name for name in wanted if inventory.get(name) is None)


def sync(
    site: Site,
    name: str | None,
    progress: Progress,
    *,
    accept: Sequence[str] = (),
    papers: Papers | None = None,
) -> SyncReport:
    """One locked and journalled run of a set; `accept` names sources with what waits there.

    `papers` make the recovery sheet; without them the backup has none.
    """
    backup_set = site.backup_set(name)
    job = Job(verb=Verb.SYNC, name=backup_set.name)
    keys = tuple(str(s.key) for s in backup_set.sources)
    with (
        exclusive(site.run_dir, f"set-{backup_set.name}") as lock,
        Outwards(site, job, progress, watch=backup_set.watch, keys=keys) as outwards,
    ):
        probing = begin_probes(site, backup_set)
        plan = plan_sync(site, backup_set, now=datetime.now(UTC), accept=accept)
        outwards.run = plan.label.id
        run_id = str(plan.label.id)
        with Journal(site.state_dir, job.stem, run_id) as journal:
            hosts = SourceHosts(site, plan.set, run_id, journal, progress, probing=probing)
            run = Run(site, plan, hosts, lock, papers)
            try:
                report = run.execute()
            finally:
                if run.published is not None:
                    outwards.published = (run.published.manifest, len(run.warnings))
        outwards.trouble = report.trouble
        return report


class Run:
    """The steps of one sync, in order; holds what they share."""

    def __init__(
        self,
        site: Site,
        plan: SyncPlan,
        hosts: SourceHosts,
        lock: int,
        papers: Papers | None = None,
    ) -> None:
        self.site = site
        self.plan = plan
        self.hosts = hosts
        self.journal = hosts.journal
        self.progress = hosts.progress
        self.lock = lock
        self.papers = papers
        self.started = time.monotonic()
        self.warnings: list[str] = []
        self.published: Publish | None = None
        self.uncovered: tuple[Uncovered, ...] = ()

    @property
    def run_id(self) -> str:
        return str(self.plan.label.id)

    def execute(self) -> SyncReport:
        self.progress.step(f"backup {self.run_id} of set {self.plan.set.name}")
        reports = self.hosts.probe()
        verify_sources(self.site.config, reports, self.site.target_host)
        if not is_confined(self.site.target_host):
            self.warn(UNCONFINED)
        self.uncovered = find_uncovered(
            self.site.config, {host: report.docker for host, report in reports.items()}
        )
        self.tell_uncovered()
        self.create_children()
        with self.hosts.captured(self) as outcome:
            transfers = self.transfers()
            records = transfer_all(transfers)
            published = self.publish(records, outcome.pauses)
            settle(transfers, records)
        return SyncReport(
            published=published,
            seconds=time.monotonic() - self.started,
            warnings=tuple(self.warnings),
            still_paused=outcome.still_paused(),
        )

    def tell_uncovered(self) -> None:
        """One line for all: it is the same in every run until somebody mends it."""
        if self.uncovered:
            first = ", ".join(map(str, self.uncovered[:3]))
            more = f" and {len(self.uncovered) - 3} more" if self.uncovered[3:] else ""
            self.warn(f"no source covers {first}{more}; see: zrep coverage")

    def create_children(self) -> None:
        for dataset in self.plan.create:
            is_container = dataset.parent == self.site.root
            with self.journal.step("create", dataset=dataset):
                _create(self.site, dataset, container=is_container)

    def warn(self, text: str) -> None:
        self.warnings.append(text)
        self.progress.warn(text)

    def transfers(self) -> Transfers:
        return Transfers(
            site=self.site,
            set=self.plan.set,
            id=self.run_id,
            guards=self.plan.guards,
            hosts=self.hosts,
            journal=self.journal,
            progress=self.progress,
            teller=self,
            lock=self.lock,
            stop=Stop(),
        )

    def publish(self, records: Sequence[SourceRecord], pauses: tuple[Pause, ...]) -> Publish:
        plan = plan_publish(
            self.plan.set,
            self.site.root,
            records,
            label=self.plan.label,
            facts=Facts(
                version=__version__,
                config=self.site.config.digest,
                seconds=time.monotonic() - self.started,
                pauses=pauses,
                uncovered=self.uncovered,
            ),
        )
        plan = self.with_papers(plan)
        with self.journal.step("publish", label=plan.label, snapshots=list(plan.snapshots)):
            self.site.target.snapshot(plan.snapshots, plan.properties)
            self.published = plan
        self.progress.step(f"published {plan.label} ({plan.manifest.state.value})")
        return plan

    def with_papers(self, plan: Publish) -> Publish:
        """A sheet that cannot be written is told of: it must not cost the backup."""
        if self.papers is None:
            return plan
        known = self.plan.backups
        try:
            with self.journal.step("sheet"):
                laid = lay_papers(self.site, plan, self.papers, self.progress, backups=known)
                return with_sheet(plan, laid)
        except ZrepError as error:
            self.warn(f"this backup has no recovery sheet: {error}")
            return plan


CONTAINER = {"canmount": "off", **LOCKED_DOWN, **STORAGE}


def _create(site: Site, dataset: DatasetName, *, container: bool) -> None:
    """Settings live on the host's container and are inherited by its sources."""
    compression = {"compression": site.config.target.compression}
    properties = {**CONTAINER, **compression} if container else {}
    try:
        site.target.create(dataset, properties, mount=not container)
    except DatasetExists:
        return  # another set's run made the shared container in the meantime
