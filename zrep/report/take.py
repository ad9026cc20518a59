"""What is due, and what was taken, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zrep.planner.take import TakePlan

if TYPE_CHECKING:
    from zrep.engine.take import TakeReport


def render_plan(plan: TakePlan) -> str:
    lines = [f"take {name}" for order in plan.orders for name in order.names]
    lines += [f"cannot take {dataset}: there is no such dataset" for dataset in plan.missing]
    return "\n".join(lines) or "nothing is due"


def plan_json(plan: TakePlan) -> dict[str, object]:
    names = sorted(str(name) for order in plan.orders for name in order.names)
    return {"take": names, "missing": list(plan.missing)}


def render_take(report: TakeReport) -> str:
    lines = [f"took {name}" for name in report.taken]
    lines += [f"failed {dataset}: {why}" for dataset, why in report.failed.items()]
    return "\n".join(lines) or "nothing is due"


def take_json(report: TakeReport) -> dict[str, object]:
    return {"taken": sorted(map(str, report.taken)), "failed": dict(report.failed)}
