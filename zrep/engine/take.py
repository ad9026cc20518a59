"""Taking what is due: all datasets without scripts in one transaction group of each pool.

A dataset with scripts is taken by itself, between them: what they stop stays stopped no longer
than its own snapshot takes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from zrep.engine.hooks import Script
from zrep.engine.journal import Journal
from zrep.engine.lock import exclusive
from zrep.engine.pools import Pools
from zrep.engine.progress import Progress
from zrep.errors import ZfsError
from zrep.frozen import dataclass
from zrep.model.names import BackupId, SnapshotName
from zrep.planner.hooks import after_snapshot, before_snapshot
from zrep.planner.take import Order, TakePlan, plan_take, together
from zrep.zfs.port import Zfs


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeReport:
    """Full names of what was taken, and by dataset why the rest was not."""

    taken: tuple[SnapshotName, ...] = ()
    failed: Mapping[str, str]


def observe_take(pools: Pools, now: int) -> TakePlan:
    """What is due of the pools as they are."""
    found = pools.observe()
    return plan_take(found.plans(now, pools.timezone), found.view, now)


def take(pools: Pools, progress: Progress) -> TakeReport:
    """One locked run; it is journalled when something is due."""
    with exclusive(pools.run_dir, "snapshot"):
        now = int(time.time())
        plan = observe_take(pools, now)
        missing = dict.fromkeys(plan.missing, "there is no such dataset")
        if not plan.orders:
            return TakeReport(failed=missing)
        run = str(BackupId.at(datetime.fromtimestamp(now, UTC)))
        with Journal(pools.state_dir, "snapshot", run) as journal:
            return _Taking(pools.zfs, journal, progress, missing).execute(plan.orders)


class _Taking:
    def __init__(
        self, zfs: Zfs, journal: Journal, progress: Progress, failed: Mapping[str, str]
    ) -> None:
        self.zfs = zfs
        self.journal = journal
        self.progress = progress
        self.taken: list[SnapshotName] = []
        self.failed = dict(failed)

    def execute(self, orders: Sequence[Order]) -> TakeReport:
        plain = [order for order in orders if not order.has_hooks]
        self.together(plain)
        for order in orders:
            if order.has_hooks:
                self.between_scripts(order)
        return TakeReport(taken=tuple(self.taken), failed=self.failed)

    def together(self, orders: Sequence[Order]) -> None:
        """A group that fails is taken again dataset by dataset: one must not stop the others."""
        for names in together(orders):
            try:
                self.snapshot(names)
            except ZfsError as error:
                self.one_by_one(orders, names, error)

    def one_by_one(
        self, orders: Sequence[Order], names: Iterable[SnapshotName], error: ZfsError
    ) -> None:
        group = frozenset(names)
        wanted = [tuple(n for n in order.names if n in group) for order in orders]
        parts = [part for part in wanted if part]
        if len(parts) == 1:
            self.fail(str(parts[0][0].dataset), str(error))
            return
        for part in parts:
            self.try_snapshot(part)

    def try_snapshot(self, names: Sequence[SnapshotName]) -> None:
        try:
            self.snapshot(names)
        except ZfsError as error:
            self.fail(str(names[0].dataset), str(error))

    def snapshot(self, names: Sequence[SnapshotName]) -> None:
        with self.journal.step("snapshot", snapshots=list(names)):
            self.zfs.snapshot(names, {})
        self.taken += names

    def between_scripts(self, order: Order) -> None:
        hooks, dataset = order.hooks, order.dataset
        before = Script(
            what="pre_snapshot_script", command=hooks.pre_snapshot, timeout=hooks.timeout
        )
        after = Script(
            what="post_snapshot_script", command=hooks.post_snapshot, timeout=hooks.timeout
        )
        ready = before.ran_well(before_snapshot(dataset, order.snaps), self.progress)
        if not ready and hooks.needs_pre:
            self.fail(dataset, "no snapshot, for pre_snapshot_script failed")
            return
        try:
            for names in together([order]):
                self.try_snapshot(names)
        finally:
            if ready or hooks.always_post:
                told = after_snapshot(dataset, order.snaps, failed=not ready)
                after.ran_well(told, self.progress)

    def fail(self, dataset: str, why: str) -> None:
        self.failed[dataset] = why
        self.progress.warn(f"{dataset}: {why}")
