"""Which snapshots of plain datasets go: the sections' verdicts, and a second look at the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from zrep.errors import InvariantBroken
from zrep.frozen import dataclass
from zrep.model.autosnap import autosnap_class
from zrep.model.inventory import Inventory, Snapshot
from zrep.model.names import SnapClass, SnapshotName
from zrep.planner.hooks import Hooks, hooks_of
from zrep.planner.phases import Phases, plan_phases
from zrep.planner.simulate_policy import DatasetPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryPlan:
    """What becomes of the snapshots of all datasets with sections.

    `owned` are all that count; `stuck` the ones among them that would go were they not held or
    cloned; `hooks` the pruning scripts by dataset, where there are any.
    """

    plans: tuple[DatasetPlan, ...]
    owned: tuple[Snapshot, ...]
    phases: Phases
    stuck: tuple[Snapshot, ...]
    hooks: dict[str, Hooks]


def plan_expiry(
    plans: Sequence[DatasetPlan], inventory: Inventory, *, now: int, grace: int
) -> ExpiryPlan:
    """Datasets in name order, of each by class and oldest first, as sanoid goes about it."""
    mine = sorted((p for p in plans if p.effective.prunes), key=lambda p: p.effective.path)
    released = _found(inventory, (f"{p.effective.path}@{s}" for p in mine for s in p.released))
    owned = _found(inventory, (f"{p.effective.path}@{v}" for p in mine for v in _names(p)))
    return ExpiryPlan(
        plans=tuple(mine),
        owned=owned,
        phases=plan_phases([(s,) for s in released], owned, now=now, grace=grace),
        stuck=_found(inventory, (name for p in mine for name in _stuck(p))),
        hooks={p.effective.path: h for p in mine if (h := _pruning_hooks(p)) is not None},
    )


def _names(plan: DatasetPlan) -> Iterator[str]:
    return (plan.verdicts.name_of(i) for i in range(len(plan.verdicts)))


def _stuck(plan: DatasetPlan) -> Iterator[str]:
    for position in plan.verdicts.pinned:
        verdict = plan.verdicts[position]
        if verdict.unwanted:
            yield f"{plan.effective.path}@{verdict.name}"


def _pruning_hooks(plan: DatasetPlan) -> Hooks | None:
    hooks = hooks_of(plan.effective)
    return hooks if hooks.pre_pruning or hooks.pruning else None


def _found(inventory: Inventory, names: Iterator[str]) -> tuple[Snapshot, ...]:
    """Each once, although two sections may name one dataset."""
    distinct = dict.fromkeys(names)
    found = (inventory.snapshot(SnapshotName.parse(name)) for name in distinct)
    return tuple(snapshot for snapshot in found if snapshot is not None)


def check_expiry(plan: ExpiryPlan) -> None:
    """A second pair of eyes, before anything is destroyed; raises InvariantBroken.

    Said again from the plan alone: only snapshots with sanoid's names, nothing held or cloned,
    and no class left with fewer than the section that wants fewest of it, or than there were.
    """
    for snapshot in (*plan.phases.destroy, *plan.phases.mark):
        if autosnap_class(snapshot.name.snap) is None:
            raise _broken(f"{snapshot.name} is not ours by its name")
        if snapshot.userrefs or snapshot.clones:
            raise _broken(f"{snapshot.name} is held or cloned")
    there, going = _counts(plan.owned), _counts(plan.phases.destroy)
    wanted = _wanted(plan.plans)
    for (dataset, snap_class), count in going.items():
        left = there[dataset, snap_class] - count
        if left < min(wanted.get((dataset, snap_class), 0), there[dataset, snap_class]):
            raise _broken(f"{dataset} would be left with {left} {snap_class} snapshots")


_Key = tuple[str, SnapClass | None]


def _counts(snapshots: Sequence[Snapshot]) -> Counter[_Key]:
    return Counter((str(s.name.dataset), autosnap_class(s.name.snap)) for s in snapshots)


def _wanted(plans: Sequence[DatasetPlan]) -> dict[_Key, int]:
    """The strictest of the sections of one dataset counts: any of them may let one go."""
    found: dict[_Key, int] = {}
    for plan in plans:
        for snap_class, count in plan.policy.keep.items():
            key = (plan.effective.path, snap_class)
            found[key] = min(count, found.get(key, count))
    return found


def _broken(why: str) -> InvariantBroken:
    return InvariantBroken(
        "the prune plan is wrong and was not carried out",
        why=why,
        next_step="report this with the output of: zrep prune --dry-run --json",
    )
