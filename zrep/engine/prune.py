"""Pruning the target: observe, judge, brake, check, then mark or destroy whole backups."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from zrep.engine.destroy import Outcome, confirm, mark, unmark
from zrep.engine.journal import Journal
from zrep.engine.lock import exclusive
from zrep.engine.mount import list_sessions
from zrep.engine.observe import observe_target
from zrep.engine.outwards import Outwards
from zrep.engine.progress import Progress
from zrep.engine.site import Site
from zrep.errors import PartialResult, ZrepError
from zrep.frozen import dataclass
from zrep.model.housekeeping import Brake
from zrep.model.names import BackupId, SnapshotName
from zrep.model.run_record import Job, Verb
from zrep.model.session import session_of_tag
from zrep.planner.backups import find_backups
from zrep.planner.phases import Phases, check_brake
from zrep.planner.prune import PrunePlan, check_prune, plan_prune


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneReport:
    """The plan, and what came of it."""

    plan: PrunePlan
    outcome: Outcome

    @property
    def trouble(self) -> ZrepError | None:
        """What decides the exit status."""
        failed = self.outcome.failed
        if not failed:
            return None
        name, why = next(iter(failed.items()))
        return PartialResult(
            f"{len(failed)} snapshots could not be destroyed", where=str(name), why=why
        )


def observe_prune(site: Site, now: int) -> PrunePlan:
    """The plan for the target as it is."""
    inventory = observe_target(site.target, site.root)
    held = [s.name for s in inventory.snapshots() if s.userrefs and s.label]
    holds = site.target.holds(held) if held else {}
    mounted = any(session_of_tag(tag) for tags in holds.values() for tag in tags)
    return plan_prune(
        find_backups(inventory, site.root),
        site.config.target.policy,
        holds=holds,
        now=now,
        grace=site.config.keeping.grace,
        sessions=list_sessions(site.target, site.sessions_root) if mounted else (),
    )


def prune(site: Site, brake: Brake, progress: Progress) -> PruneReport:
    """One locked run, journalled when there is something to do. The brake raises Refused."""
    job = Job(verb=Verb.PRUNE)
    with exclusive(site.run_dir, "prune"):
        now = int(time.time())
        with Outwards(site, job, progress) as outwards:
            outwards.run = BackupId.at(datetime.fromtimestamp(now, UTC))
            report = _prune(site, brake, outwards.run, now)
            outwards.trouble = report.trouble
            return report


def _prune(site: Site, brake: Brake, run: BackupId, now: int) -> PruneReport:
    plan = observe_prune(site, now)
    check_prune(plan)
    check_brake(plan.phases, plan.owned, brake, now=now)
    if not (plan.phases.destroy or plan.phases.mark or plan.phases.spared):
        return PruneReport(plan=plan, outcome=Outcome())
    with Journal(site.state_dir, "prune", str(run)) as journal:
        return PruneReport(plan=plan, outcome=_carry_out(site, plan.phases, journal, now))


def _carry_out(site: Site, phases: Phases, journal: Journal, now: int) -> Outcome:
    unmark(site.target, phases.spared)
    mark(site.target, phases.mark, now)
    doomed = [s.name for s in phases.destroy]
    failed: Mapping[SnapshotName, str] = {}
    if doomed:
        current = site.target.inventory(site.root)
        confirm({s.name: s for s in current.snapshots()}, phases.destroy)
        with journal.step("destroy", snapshots=doomed):
            failed = site.target.destroy_snapshots(doomed)
    return Outcome(
        destroyed=tuple(n for n in doomed if n not in failed),
        failed=failed,
        marked=tuple(s.name for s in phases.mark),
        spared=tuple(s.name for s in phases.spared),
    )
