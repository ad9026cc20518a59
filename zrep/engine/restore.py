"""Bringing a backup back: mount it, look at the hosts, compare, stop what is affected, write,
verify, start.

Nothing is started again unless all that was written has been compared byte by byte. Whatever fails
leaves services stopped and a record; resuming looks at everything again and plans anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from functools import partial

from zrep.engine.journal import Journal
from zrep.engine.progress import Progress
from zrep.engine.restore_ready import not_ready, short_leases, unscrubbed
from zrep.engine.restore_record import Keeper
from zrep.engine.restore_scrub import check_programs, scrub
from zrep.engine.restore_session import Place, Session
from zrep.engine.site import Site
from zrep.engine.write import Writer, restore_shell
from zrep.errors import Refused, SourceFailed
from zrep.frozen import dataclass
from zrep.host.mux import Stop
from zrep.model.key import SourceKey
from zrep.model.restore import (
    STARTING,
    Change,
    Item,
    Kind,
    Mode,
    RestorePlan,
    Step,
)
from zrep.source.restore_capsules import HostLook, RestoreCapsules, Safety
from zrep.source.rsync_write import RsyncWrite
from zrep.source.together import together

ARM = "/usr/libexec/zrep/zrep-arm"
# From the first of these on nothing more is written.
PROVEN = (Kind.CLOSE, Kind.SCRUB, *STARTING)


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
        check_programs(self.plan)
        looks = together({name: partial(c.look) for name, c in self.hosts.items()})
        problems = [*not_ready(self.plan, looks), *self._no_manager(looks)]
        if problems:
            whose = f" --from {self.plan.origin}" if self.plan.origin else ""
            raise Refused(
                "the hosts are not ready for a restore",
                why="; ".join(problems),
                next_step=f"as root on each of those hosts: {ARM} NAME --for 2h{whose}",
            )
        return (*unscrubbed(self.plan), *short_leases(self.plan, looks))

    def _no_manager(self, looks: Mapping[str, HostLook]) -> Iterator[str]:
        self.manager = next((name for name, look in sorted(looks.items()) if look.manager), "")
        if self.plan.services and not self.manager:
            yield f"no manager of a swarm is among {', '.join(sorted(looks))}"

    def execute(self, keeper: Keeper, changes: Mapping[Item, Change]) -> RestoreReport:
        """Every step, recorded before it is taken; a plan that was verified before only starts."""
        self._find_manager()
        record, scrubs = keeper.record, self.plan.of(Kind.SCRUB)
        for step in remaining(self.plan, verified=record.verified, scrubbed=record.scrubbed):
            if step.kind in PROVEN and not keeper.record.verified:
                keeper.change(verified=True)
            if step.kind in STARTING and scrubs and not keeper.record.scrubbed:
                keeper.change(scrubbed=True)
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
            Kind.OPEN: lambda s: self._of(s).open(self.plan.run, _key(s).name, self.plan.origin),
            Kind.CLOSE: lambda s: self._of(s).close(self.plan.run, _key(s).name),
            Kind.SAFETY: self._keep,
            Kind.HALT: lambda s: self.hosts[s.subject].halt(self.plan.run),
            Kind.UNHALT: lambda s: self.hosts[s.subject].unhalt(self.plan.run),
            Kind.SERVICE_DOWN: lambda s: self._swarm().service_down(self.plan.run, s.subject),
            Kind.SERVICE_UP: lambda s: self._swarm().service_up(self.plan.run, s.subject),
            Kind.WRITE: lambda s: self._write(_item(s)),
            Kind.VERIFY: lambda s: self._verify(_item(s)),
            Kind.SCRUB: lambda s: scrub(s.subject, self.plan, self.site.config, self.progress),
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


def remaining(plan: RestorePlan, *, verified: bool, scrubbed: bool = False) -> tuple[Step, ...]:
    """All steps; of a restore that was verified only those that end it.

    What was started may be in use: nothing is scrubbed under it.
    """
    due = () if scrubbed else (Kind.SCRUB,)
    return plan.of(Kind.CLOSE, *due, *STARTING) if verified else plan.steps
