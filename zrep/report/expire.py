"""What becomes of plain datasets' snapshots, and what was done about it, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from zrep.model.inventory import Snapshot
from zrep.planner.expire import ExpiryPlan
from zrep.planner.simulate_policy import DatasetPlan
from zrep.report.explain import verdict_reasons
from zrep.report.prune import outcome_json, outcome_lines
from zrep.report.table import render_table, size

if TYPE_CHECKING:
    from zrep.engine.expire import ExpiryReport


def render_expiry(plan: ExpiryPlan) -> str:
    """One line per snapshot that goes or waits to go, with the reason, and a summary."""
    rows = list(_rows(plan))
    table = render_table(("", "SNAPSHOT", "FREES", "WHY"), rows) + "\n" if rows else ""
    return table + summary(plan)


def _rows(plan: ExpiryPlan) -> Iterator[tuple[str, ...]]:
    why = dict(_reasons(plan.plans))
    phases = {
        "destroy": plan.phases.destroy,
        "mark": plan.phases.mark,
        "wait": plan.phases.wait,
        "unmark": plan.phases.spared,
    }
    for what, snapshots in phases.items():
        for one in snapshots:
            yield what, str(one.name), size(one.used), why.get(str(one.name), "")


def _reasons(plans: Sequence[DatasetPlan]) -> Iterator[tuple[str, str]]:
    for plan in plans:
        for verdict in plan.verdicts:
            yield f"{plan.effective.path}@{verdict.name}", "; ".join(verdict_reasons(verdict))


def summary(plan: ExpiryPlan) -> str:
    phases = plan.phases
    kept = len(plan.owned) - len(phases.destroy)
    free = size(reclaimable(phases.destroy))
    words = [f"{kept} snapshots to keep, {len(phases.destroy)} to destroy (at least {free} free)"]
    if phases.mark or phases.wait:
        words.append(f"{len(phases.mark)} to mark, {len(phases.wait)} waiting for their time")
    if plan.stuck:
        words.append(f"{len(plan.stuck)} would go, but are held or cloned")
    return "; ".join(words)


def reclaimable(snapshots: Sequence[Snapshot]) -> int:
    """Bytes that only these hold, each by itself: a lower bound."""
    return sum(s.used for s in snapshots)


def expiry_json(plan: ExpiryPlan) -> dict[str, object]:
    return {
        "reclaimable": reclaimable(plan.phases.destroy),
        "destroy": _names(plan.phases.destroy),
        "mark": _names(plan.phases.mark),
        "wait": _names(plan.phases.wait),
        "unmark": _names(plan.phases.spared),
        "stuck": _names(plan.stuck),
    }


def _names(snapshots: Sequence[Snapshot]) -> list[str]:
    return [str(s.name) for s in snapshots]


def render_expired(report: ExpiryReport) -> str:
    outcome = report.outcome
    lines = outcome_lines(outcome)
    kept = len(report.plan.owned) - len(outcome.destroyed)
    lines.append(f"{len(outcome.destroyed)} snapshots of datasets destroyed, {kept} kept")
    if report.plan.stuck:
        lines.append(f"{len(report.plan.stuck)} would go, but are held or cloned")
    return "\n".join(lines)


def expired_json(report: ExpiryReport) -> dict[str, object]:
    return {
        **expiry_json(report.plan),
        **outcome_json(report.outcome),
    }
