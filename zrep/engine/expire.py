"""Pruning plain datasets: observe, judge, brake, check, then mark or destroy."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from zrep.engine.destroy import Outcome, confirm, mark, unmark
from zrep.engine.hooks import Script
from zrep.engine.journal import Journal
from zrep.engine.lock import exclusive
from zrep.engine.pools import Pools
from zrep.engine.progress import Progress
from zrep.frozen import dataclass
from zrep.model.inventory import Snapshot
from zrep.model.names import BackupId, SnapshotName
from zrep.planner.expire import ExpiryPlan, check_expiry, plan_expiry
from zrep.planner.hooks import Hooks, after_pruning, before_pruning
from zrep.planner.phases import check_brake


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryReport:
    plan: ExpiryPlan
    outcome: Outcome


def observe_expiry(pools: Pools, now: int) -> ExpiryPlan:
    """What the sections let go of the pools as they are."""
    found = pools.observe()
    plans = found.plans(now, pools.timezone)
    return plan_expiry(plans, found.inventory, now=now, grace=pools.keeping.grace)


def expire(pools: Pools, progress: Progress) -> ExpiryReport:
    """One locked run, journalled when there is something to do. The brake raises Refused."""
    with exclusive(pools.run_dir, "prune-datasets"):
        now = int(time.time())
        plan = observe_expiry(pools, now)
        check_expiry(plan)
        check_brake(plan.phases, plan.owned, pools.keeping.brake, now=now)
        phases = plan.phases
        if not (phases.destroy or phases.mark or phases.spared):
            return ExpiryReport(plan=plan, outcome=Outcome())
        run = str(BackupId.at(datetime.fromtimestamp(now, UTC)))
        with Journal(pools.state_dir, "prune-datasets", run) as journal:
            unmark(pools.zfs, phases.spared)
            mark(pools.zfs, phases.mark, now)
            outcome = _Expiring(pools, plan, journal, progress).execute()
        return ExpiryReport(plan=plan, outcome=outcome)


class _Expiring:
    def __init__(
        self, pools: Pools, plan: ExpiryPlan, journal: Journal, progress: Progress
    ) -> None:
        self.pools = pools
        self.plan = plan
        self.journal = journal
        self.progress = progress
        self.gone: list[SnapshotName] = []
        self.failed: dict[SnapshotName, str] = {}

    def execute(self) -> Outcome:
        doomed = self.plan.phases.destroy
        if doomed:
            confirm(self.pools.zfs.look([s.name for s in doomed]), doomed)
            self.destroy([s.name for s in doomed if str(s.name.dataset) not in self.plan.hooks])
            for snapshot, hooks in _with_hooks(doomed, self.plan.hooks):
                self.between_scripts(snapshot.name, hooks)
        return Outcome(
            destroyed=tuple(self.gone),
            failed=self.failed,
            marked=tuple(s.name for s in self.plan.phases.mark),
            spared=tuple(s.name for s in self.plan.phases.spared),
        )

    def destroy(self, names: Sequence[SnapshotName]) -> bool:
        """True when all of them are gone."""
        if not names:
            return True
        with self.journal.step("destroy", snapshots=list(names)):
            refused = self.pools.zfs.destroy_snapshots(names)
        self.gone += [name for name in names if name not in refused]
        self.failed |= refused
        return not refused

    def between_scripts(self, name: SnapshotName, hooks: Hooks) -> None:
        dataset, snap = str(name.dataset), name.snap
        before = Script(what="pre_pruning_script", command=hooks.pre_pruning, timeout=hooks.timeout)
        if not before.ran_well(before_pruning(dataset, snap), self.progress):
            self.failed[name] = "not destroyed, for pre_pruning_script failed"
        elif self.destroy([name]):
            after = Script(what="pruning_script", command=hooks.pruning, timeout=hooks.timeout)
            after.ran_well(after_pruning(dataset, snap), self.progress)


def _with_hooks(
    doomed: Sequence[Snapshot], hooks: Mapping[str, Hooks]
) -> Iterator[tuple[Snapshot, Hooks]]:
    for snapshot in doomed:
        found = hooks.get(str(snapshot.name.dataset))
        if found is not None:
            yield snapshot, found
