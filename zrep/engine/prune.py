"""Pruning the target: observe, judge, check, destroy; every name is re-read just before."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from zrep.engine.journal import Journal
from zrep.engine.lock import exclusive
from zrep.engine.observe import observe_target
from zrep.engine.site import Site
from zrep.errors import Conflict
from zrep.model.inventory import Inventory
from zrep.model.names import BackupId, DatasetName, SnapshotName
from zrep.planner.backups import find_backups
from zrep.planner.prune import PrunePlan, check_prune, plan_prune
from zrep.zfs.port import Zfs


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneReport:
    """What was destroyed, and why the rest of the plan was not (name -> reason)."""

    plan: PrunePlan
    destroyed: tuple[SnapshotName, ...]
    failed: Mapping[SnapshotName, str]


def observe_prune(site: Site) -> PrunePlan:
    """The plan for the target as it is now."""
    inventory = observe_target(site.target, site.root)
    return _plan(site, inventory)


def _plan(site: Site, inventory: Inventory) -> PrunePlan:
    held = [s.name for s in inventory.snapshots() if s.userrefs and s.label]
    return plan_prune(
        find_backups(inventory, site.root),
        site.config.target.policy,
        holds=site.target.holds(held) if held else {},
        now=int(time.time()),
    )


def prune(site: Site) -> PruneReport:
    """One locked and journalled run."""
    run = str(BackupId.at(datetime.now(UTC)))
    with (
        exclusive(site.run_dir, "prune"),
        Journal(site.state_dir, "prune", run) as journal,
    ):
        plan = observe_prune(site)
        check_prune(plan)
        if not plan.snapshots:
            return PruneReport(plan=plan, destroyed=(), failed={})
        confirm_identity(site.target, site.root, plan)
        with journal.step("destroy", snapshots=list(plan.snapshots)):
            failed = site.target.destroy_snapshots(plan.snapshots)
        return PruneReport(
            plan=plan,
            destroyed=tuple(n for n in plan.snapshots if n not in failed),
            failed=failed,
        )


def confirm_identity(zfs: Zfs, root: DatasetName, plan: PrunePlan) -> None:
    """Read again: every doomed name must still be the snapshot that was judged, and still free."""
    current = zfs.inventory(root)
    for backup in plan.doomed:
        for child in backup.children:
            now = current.snapshot(child.snapshot.name)
            if now and (now.guid != child.snapshot.guid or now.userrefs or now.clones):
                raise Conflict(
                    f"{now.name} changed while the plan was made",
                    why="another guid, a hold or a clone appeared",
                    next_step="run zrep prune again",
                )
