"""A policy plan, the difference of two, and months of a played history, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from zrep.model.policy import SCHEDULED
from zrep.planner.simulate_policy import PlanDiff, PolicyPlan
from zrep.planner.simulate_policy_history import MonthEnd, Played
from zrep.report.table import render_table

_CLASSES = tuple(reversed(SCHEDULED))


def simulate_json(plan: PolicyPlan) -> dict[str, object]:
    return {
        "take": [str(t) for t in plan.take],
        "prune": list(plan.prune),
        "errors": list(plan.errors),
    }


def render_simulate(plan: PolicyPlan) -> str:
    lines = [f"take     {t}{' with all children' if t.recursive else ''}" for t in plan.take]
    lines += [f"destroy  {name}" for name in plan.prune]
    lines.append(f"{len(plan.take)} to take, {len(plan.prune)} to destroy")
    return "\n".join(lines)


def diff_json(diff: PlanDiff) -> dict[str, object]:
    return {
        key: {"only_first": list(first), "only_second": list(second)}
        for key, (first, second) in (("take", diff.take), ("prune", diff.prune))
    }


def render_diff(diff: PlanDiff, first: str, second: str) -> str:
    lines = [
        f"{verb} only by {file}: {name}"
        for verb, both in (("taken", diff.take), ("destroyed", diff.prune))
        for file, names in zip((first, second), both, strict=True)
        for name in names
    ]
    if not lines:
        return f"{first} and {second} take and destroy the same"
    return "\n".join([*lines, *_counts(diff, first, second)])


def _counts(diff: PlanDiff, first: str, second: str) -> Iterable[str]:
    for place, file in enumerate((first, second)):
        yield f"{file}: takes {len(diff.take[place])} and destroys {len(diff.prune[place])} more"


def render_history(histories: Sequence[Played]) -> str:
    return "\n\n".join(_render_one(h) for h in histories) or "no dataset takes or prunes"


def _render_one(played: Played) -> str:
    shown = [c for c in _CLASSES if any(m.creations.get(c) for m in played.months)]
    head = ("MONTH", *(c.value.upper() for c in shown), "TOTAL", "OLDEST")
    rows = [
        (
            m.month,
            *(str(len(m.creations.get(c, ()))) for c in shown),
            str(m.total),
            _day(m.oldest),
        )
        for m in played.months
    ]
    table = render_table(head, rows, right=frozenset(head) - {"MONTH", "OLDEST"})
    return f"{_named(played.datasets)}\n{table}"


def _named(datasets: Sequence[str]) -> str:
    first = ", ".join(datasets[:3])
    return first if len(datasets) <= 3 else f"{first} and {len(datasets) - 3} more"


def _day(moment: int | None) -> str:
    return "-" if moment is None else f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"


def history_json(histories: Sequence[Played]) -> dict[str, object]:
    return {
        "histories": [
            {"datasets": list(h.datasets), "months": [_month_json(m) for m in h.months]}
            for h in histories
        ],
        "errors": [],
    }


def _month_json(month: MonthEnd) -> Mapping[str, object]:
    counts = {c.value: len(month.creations.get(c, ())) for c in _CLASSES}
    return {"month": month.month, "last_run": month.run, "oldest": month.oldest, **counts}
