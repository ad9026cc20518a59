"""Bringing a backup back: mount it, look at the hosts, compare, stop what is affected, write,
verify, start.

Nothing is started again unless all that was written has been compared byte by byte. Whatever fails
leaves services stopped and a record; resuming looks at everything again and plans anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

from zrep.engine.journal import Journal
from zrep.engine.lock import exclusive
from zrep.engine.progress import Progress
from zrep.engine.restore_record import Keeper
from zrep.engine.restore_session import Place, Session, drop_sessions, items_in, opened_session
from zrep.engine.site import Site
from zrep.engine.write import Writer, restore_shell
from zrep.errors import Refused, SourceFailed
from zrep.host.mux import Stop
from zrep.model.backup import Backup
from zrep.model.restore import (
    STARTING,
    Change,
    Item,
    Kind,
    Mode,
    RestorePlan,
    Step,
)
from zrep.model.source import SourceKey
from zrep.source.restore_capsules import HostLook, RestoreCapsules, Safety
from zrep.source.rsync_write import RsyncWrite
from zrep.source.together import together

ARM = "/usr/libexec/zrep/zrep-arm"
# Below this a lease may end before the restore does.
SHORT_LEASE = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What each item would change, and what is known of the hosts before anything is stopped."""

    changes: Mapping[Item, Change]
    warnings: tuple[str, ...] = ()

    @property
    def total(self) -> Change:
        return sum(self.changes.values(), Change())


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """What was restored; `safety` is what keeps the earlier state, by source."""

    plan: RestorePlan
    changes: Mapping[Item, Change]
    safety: Mapping[str, Safety] = field(hash=False)


@dataclass(slots=True, kw_only=True)
class Restore:
    """One restore under way, with all that its steps share."""

    site: Site
    plan: RestorePlan
    session: Session | None
    journal: Journal
    progress: Progress
    lock: int
    stop: Stop = field(default_factory=Stop)
    safety: dict[str, Safety] = field(default_factory=dict)
    manager: str = ""

    @property
    def hosts(self) -> Mapping[str, RestoreCapsules]:
        return {h: RestoreCapsules(self.site.source_host(h)) for h in self.plan.hosts}

    def compare(self, warnings: tuple[str, ...]) -> Summary:
        """Opens what is to be written, and compares by size and time; changes nothing."""
        changes = {}
        for step in self.plan.of(Kind.OPEN):
            self._do(step)
        for item in self.plan.items:
            self.progress.step(f"compare: {item}")
            changes[item] = self._compare(item)
        return Summary(changes=changes, warnings=warnings)

    def look(self) -> tuple[str, ...]:
        """Refused unless every host is ready; warnings."""
        looks = together({name: partial(c.look) for name, c in self.hosts.items()})
        problems = [*_not_ready(self.plan, looks), *self._no_manager(looks)]
        if problems:
            raise Refused(
                "the hosts are not ready for a restore",
                why="; ".join(problems),
                next_step=f"as root on each of those hosts: {ARM} NAME --for 2h",
            )
        return tuple(_short_leases(self.plan, looks))

    def _no_manager(self, looks: Mapping[str, HostLook]) -> Iterator[str]:
        self.manager = next((name for name, look in sorted(looks.items()) if look.manager), "")
        if self.plan.services and not self.manager:
            yield f"no manager of a swarm is among {', '.join(sorted(looks))}"

    def execute(self, keeper: Keeper, changes: Mapping[Item, Change]) -> RestoreReport:
        """Every step, recorded before it is taken; a plan that was verified before only starts."""
        self._find_manager()
        for step in remaining(self.plan, verified=keeper.record.verified):
            if step.kind in (*STARTING, Kind.CLOSE) and not keeper.record.verified:
                keeper.change(verified=True)
            keeper.change(step=str(step))
            with self.journal.step(step.kind, subject=step.subject):
                self.progress.step(f"{step.kind}: {step.subject}")
                self._do(step)
            if step.kind is Kind.SAFETY:
                kept = self.safety[step.subject]
                keeper.keep(step.subject, f"{kept.kind} {kept.kept}")
        return RestoreReport(plan=self.plan, changes=changes, safety=dict(self.safety))

    def _find_manager(self) -> None:
        if self.plan.services and not self.manager:
            looks = together({name: partial(c.look) for name, c in self.hosts.items()})
            if problems := list(self._no_manager(looks)):
                raise Refused("services cannot be started", why=problems[0])

    def close(self) -> None:
        """Take back what comparing has opened; nothing was written."""
        for step in self.plan.of(Kind.CLOSE):
            self._do(step)

    def _do(self, step: Step) -> None:
        actions: Mapping[Kind, Callable[[Step], object]] = {
            Kind.OPEN: lambda s: self._of(s).open(self.plan.run, _key(s).name),
            Kind.CLOSE: lambda s: self._of(s).close(self.plan.run, _key(s).name),
            Kind.SAFETY: self._keep,
            Kind.HALT: lambda s: self.hosts[s.subject].halt(self.plan.run),
            Kind.UNHALT: lambda s: self.hosts[s.subject].unhalt(self.plan.run),
            Kind.SERVICE_DOWN: lambda s: self._swarm().service_down(self.plan.run, s.subject),
            Kind.SERVICE_UP: lambda s: self._swarm().service_up(self.plan.run, s.subject),
            Kind.WRITE: lambda s: self._write(_item(s)),
            Kind.VERIFY: lambda s: self._verify(_item(s)),
        }
        actions[step.kind](step)

    def _of(self, step: Step) -> RestoreCapsules:
        return self.hosts[_key(step).host]

    def _swarm(self) -> RestoreCapsules:
        return self.hosts[self.manager]

    def _keep(self, step: Step) -> None:
        kept = self._of(step).safety(self.plan.run, _key(step).name)
        self.safety[step.subject] = kept
        if kept.reason:
            self.progress.warn(f"{step.subject}: no snapshot is kept ({kept.reason}); {kept.kept}")

    def _write(self, item: Item) -> None:
        self._writer.transfer(str(item), self._spec(item))

    def _compare(self, item: Item, *, checksum: bool = False) -> Change:
        return self._writer.transfer(str(item), self._spec(item, compare=True, checksum=checksum))

    def _verify(self, item: Item) -> None:
        left = self._compare(item, checksum=True)
        wrong = left.new if item.mode is Mode.MISSING_ONLY else not left.nothing
        if wrong:
            raise SourceFailed(
                "what was written is not what the backup holds",
                where=str(item),
                why=f"{left.new} missing, {left.changed} of other content, {left.attributes} of "
                f"other attributes, {left.deleted} too many: {', '.join(left.examples[:5])}",
                next_step="see who else writes there; then: zrep restore --resume",
            )

    @property
    def _writer(self) -> Writer:
        return Writer(
            target=self.site.target_host, progress=self.progress, lock=self.lock, stop=self.stop
        )

    def _spec(self, item: Item, *, compare: bool = False, checksum: bool = False) -> RsyncWrite:
        if self.session is None:
            raise Refused(f"backup {self.plan.backup} is not mounted")
        place = self.session.places[item]
        kept = self.safety.get(str(item.key))
        address = self.site.config.hosts[item.key.host]
        return RsyncWrite(
            host=address.host,
            module=f"{item.key.module}.{self.plan.run}",
            source=place.path,
            folder=place.folder,
            inside=item.to,
            shell=restore_shell(address, self.site.config.ssh),
            delete=item.mode is Mode.MIRROR and place.folder,
            missing_only=item.mode is Mode.MISSING_ONLY,
            keep_in=_kept_in(kept.folder, item, place) if kept and item.mode.replaces else "",
            exclude=item.exclude,
            compare=compare,
            checksum=checksum,
        )


def _key(step: Step) -> SourceKey:
    assert step.key is not None  # noqa: S101 - tells the type checker
    return step.key


def _item(step: Step) -> Item:
    assert step.item is not None  # noqa: S101 - tells the type checker
    return step.item


def _kept_in(folder: str, item: Item, place: Place) -> str:
    """What is replaced lies in the safety folder as it lay in the source."""
    way = item.to if place.folder else item.to.rpartition("/")[0]
    return "/".join(filter(None, (folder, way))) if folder else ""


def remaining(plan: RestorePlan, *, verified: bool) -> tuple[Step, ...]:
    """All steps; of a restore that was verified only those that end it."""
    return plan.of(Kind.CLOSE, *STARTING) if verified else plan.steps


def _not_ready(plan: RestorePlan, looks: Mapping[str, HostLook]) -> Iterator[str]:
    for key in plan.keys:
        found = looks[key.host].destinations.get(key.name)
        if found is None:
            yield f"{key}: its host does not know it"
        elif found.problem is not None:
            yield f"{key}: {found.problem.why}"
    for name, look in sorted(looks.items()):
        if look.halted not in ("", plan.run):
            yield f"{name}: docker is halted by restore {look.halted}"


def _short_leases(plan: RestorePlan, looks: Mapping[str, HostLook]) -> Iterator[str]:
    for key in plan.keys:
        left = looks[key.host].destinations[key.name].left
        if left < SHORT_LEASE:
            yield f"{key}: its lease ends in {left} s"


@contextmanager
def locked(site: Site) -> Iterator[int]:
    """No backup, and no other restore, while one writes; the restore's lock."""
    with ExitStack() as locks:
        lock = locks.enter_context(exclusive(site.run_dir, "restore"))
        for name in sorted(site.config.sets):
            locks.enter_context(exclusive(site.run_dir, f"set-{name}"))
        yield lock


@contextmanager
def begun(
    site: Site, plan: RestorePlan, backup: Backup, progress: Progress, *, owner: str, mounted: bool
) -> Iterator[Restore]:
    """A restore with its locks, its journal and, if it is to write, the mounted backup."""
    if site.config.target.address is not None:
        raise Refused(
            "the backups are on another machine",
            why=f"zrep restores from where they are: {site.config.target.address}",
            next_step="run zrep restore on the target, with a configuration that says so",
        )
    with ExitStack() as stack:
        lock = stack.enter_context(locked(site))
        journal = stack.enter_context(Journal(site.state_dir, "restore", plan.run))
        session = None
        drop_sessions(site, plan)
        if mounted:
            progress.step(f"mount backup {backup.id}")
            opened = opened_session(site, plan, backup, owner=owner)
            session = items_in(stack.enter_context(opened), plan)
        yield Restore(
            site=site, plan=plan, session=session, journal=journal, progress=progress, lock=lock
        )
