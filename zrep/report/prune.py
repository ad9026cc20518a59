"""A prune plan with its reasons, and what came of it, as text and as JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, assert_never

from zrep.model.moment import iso
from zrep.planner.prune import Judgement, PrunePlan
from zrep.planner.retention import Keep, Reason, Release
from zrep.report.table import render_table, size

if TYPE_CHECKING:
    from zrep.engine.destroy import Outcome
    from zrep.engine.prune import PruneReport


def render_plan(plan: PrunePlan) -> str:
    """One line per backup, newest first: what becomes of it and why."""
    if not plan.judgements:
        return "no backups"
    rows = [
        (
            fate(plan, j),
            str(j.backup.id),
            ",".join(j.backup.label.classes),
            "; ".join(reasons(j)),
        )
        for j in plan.judgements
    ]
    return render_table(("", "ID", "CLASSES", "WHY"), rows) + f"\n{summary(plan)}"


def fate(plan: PrunePlan, judgement: Judgement) -> str:
    """`keep`, `destroy`, and with a grace period before that `mark` and `wait`."""
    if judgement.keep:
        return "keep"
    names = {s.name for s in judgement.backup.snapshots}
    phases = {"mark": plan.phases.mark, "wait": plan.phases.wait}
    found = (what for what, some in phases.items() if names & {s.name for s in some})
    return next(found, "destroy")


def summary(plan: PrunePlan) -> str:
    fates = Counter(fate(plan, j) for j in plan.judgements)
    words = [f"{fates[f]} to {f}" for f in ("keep", "mark", "wait", "destroy") if fates[f]]
    count, free = len(plan.phases.destroy), size(reclaimable(plan))
    return f"{', '.join(words)} ({count} snapshots, at least {free} free)"


def reclaimable(plan: PrunePlan) -> int:
    """Bytes that only the snapshots to destroy hold, each by itself: a lower bound."""
    return sum(s.used for s in plan.phases.destroy)


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
                "fate": fate(plan, j),
                "reasons": reasons(j),
                "snapshots": [str(s.name) for s in j.backup.snapshots],
            }
            for j in plan.judgements
        ],
    }


def render_prune(report: PruneReport) -> str:
    lines = outcome_lines(report.outcome)
    kept = sum(fate(report.plan, j) != "destroy" for j in report.plan.judgements)
    lines.append(f"{len(report.outcome.destroyed)} snapshots destroyed, {kept} backups kept")
    return "\n".join(lines)


def prune_json(report: PruneReport) -> dict[str, object]:
    return {
        **plan_json(report.plan),
        **outcome_json(report.outcome),
    }


def outcome_lines(outcome: Outcome) -> list[str]:
    """A line for each snapshot that something was done about."""
    lines = [f"destroyed {name}" for name in outcome.destroyed]
    lines += [f"could not destroy {name}: {why}" for name, why in outcome.failed.items()]
    lines += [f"marked {name}" for name in outcome.marked]
    return lines + [f"unmarked {name}" for name in outcome.spared]


def outcome_json(outcome: Outcome) -> dict[str, object]:
    return {
        "destroyed": [str(name) for name in outcome.destroyed],
        "failed": {str(name): why for name, why in outcome.failed.items()},
        "marked": [str(name) for name in outcome.marked],
    }
