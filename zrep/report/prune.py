"""A prune plan with its reasons, and what came of it, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from zrep.model.backup import Backup
from zrep.planner.prune import Judgement, PrunePlan
from zrep.planner.retention import Keep, Reason, Release
from zrep.report.backups import iso
from zrep.report.table import render_table, size

if TYPE_CHECKING:
    from zrep.engine.prune import PruneReport


def render_plan(plan: PrunePlan) -> str:
    """One line per backup, newest first: what becomes of it and why."""
    if not plan.judgements:
        return "no backups"
    rows = [
        (
            "keep" if j.keep else "destroy",
            str(j.backup.id),
            ",".join(j.backup.label.classes),
            "; ".join(reasons(j)),
        )
        for j in plan.judgements
    ]
    return render_table(("", "ID", "CLASSES", "WHY"), rows) + f"\n{summary(plan)}"


def summary(plan: PrunePlan) -> str:
    kept = len(plan.judgements) - len(plan.doomed)
    return (
        f"{kept} to keep, {len(plan.doomed)} to destroy ({len(plan.snapshots)} snapshots, "
        f"at least {size(reclaimable(plan))} free)"
    )


def reclaimable(plan: PrunePlan) -> int:
    """Bytes that only the doomed snapshots hold, each by itself: a lower bound."""
    return sum(_used(b) for b in plan.doomed)


def _used(backup: Backup) -> int:
    return sum(c.snapshot.used for c in backup.children)


def reasons(judgement: Judgement) -> list[str]:
    words = [str(p) for p in judgement.protections]
    return words + [_reason(r) for r in judgement.policy.reasons]


def _reason(reason: Reason) -> str:
    match reason:
        case Keep():
            return _kept(reason)
        case Release():
            since = f", too old since {iso(reason.since)}" if reason.since is not None else ""
            return f"{reason.snap_class}: number {reason.index} of {reason.count} wanted{since}"
        case _:
            assert_never(reason)


def _kept(reason: Keep) -> str:
    if reason.count is None:
        return f"{reason.snap_class}: kept for ever"
    if reason.among_newest:
        return f"{reason.snap_class}: number {reason.index} of {reason.count}"
    until = f" until {iso(reason.until)}" if reason.until is not None else ""
    return f"{reason.snap_class}: young{until}"


def plan_json(plan: PrunePlan) -> dict[str, object]:
    return {
        "reclaimable": reclaimable(plan),
        "backups": [
            {
                "id": str(j.backup.id),
                "set": j.backup.set_name or None,
                "classes": [c.value for c in j.backup.label.classes],
                "keep": j.keep,
                "reasons": reasons(j),
                "snapshots": [str(c.snapshot.name) for c in j.backup.children],
            }
            for j in plan.judgements
        ],
    }


def render_prune(report: PruneReport) -> str:
    lines = [f"destroyed {name}" for name in report.destroyed]
    lines += [f"could not destroy {name}: {why}" for name, why in report.failed.items()]
    kept = len(report.plan.judgements) - len(report.plan.doomed)
    lines.append(f"{len(report.destroyed)} snapshots destroyed, {kept} backups kept")
    return "\n".join(lines)


def prune_json(report: PruneReport) -> dict[str, object]:
    return {
        **plan_json(report.plan),
        "destroyed": [str(name) for name in report.destroyed],
        "failed": {str(name): why for name, why in report.failed.items()},
    }
