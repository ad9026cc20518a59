"""Why each snapshot of a dataset is there and when it goes, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import assert_never

from zrep.frozen import dataclass
from zrep.model.pool_view import Taken
from zrep.planner.retention import Keep, Reason, Release, Verdict
from zrep.planner.simulate_policy import DatasetPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One snapshot; `verdict` None when it is not sanoid's by name.

    `stuck_by` names its holds and clones, where they are known.
    """

    dataset: str
    taken: Taken
    verdict: Verdict | None
    waits: bool
    stuck_by: tuple[str, ...] = ()


def explain(
    plan: DatasetPlan,
    taken: Sequence[Taken],
    snap: str = "",
    *,
    stuck_by: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> list[Explained]:
    """All snapshots of the dataset, or the one called `snap`, newest first.

    `stuck_by` names, by full snapshot name, what holds it.
    """
    verdicts = {v.name: v for v in plan.verdicts}
    return [
        Explained(
            dataset=plan.effective.path,
            taken=one,
            verdict=verdicts.get(one.snap),
            waits=plan.waits,
            stuck_by=stuck_by.get(f"{plan.effective.path}@{one.snap}", ()),
        )
        for one in reversed(taken)
        if snap in {"", one.snap}
    ]


def render_explained(plan: DatasetPlan, explained: Sequence[Explained]) -> str:
    lines = [_settings(plan)]
    for one in explained:
        lines.append(f"{one.dataset}@{one.taken.snap}: {'stays' if stays(one) else 'goes'}")
        lines += [f"  {why}" for why in reasons(one)]
    return "\n".join(lines)


def _settings(plan: DatasetPlan) -> str:
    counts = ", ".join(f"{c} {n}" for c, n in plan.policy.keep.items() if n) or "nothing"
    due = ", ".join(sorted(plan.due)) or "nothing"
    return f"{plan.effective.path}: section [{plan.effective.by}] keeps {counts}; due: {due}"


def stays(one: Explained) -> bool:
    return one.verdict is None or one.verdict.keep or one.waits


def reasons(one: Explained) -> Iterator[str]:
    if one.verdict is None:
        yield "not sanoid's by its name: never counted and never destroyed"
        return
    if one.verdict.pinned:
        yield _stuck(one)
    if one.waits and not one.verdict.keep:
        yield "the pool has room enough (prune_defer): it goes when the pool is fuller"
    yield from verdict_reasons(one.verdict)


def verdict_reasons(verdict: Verdict) -> Iterator[str]:
    """What each class says of one snapshot."""
    return map(_why, verdict.reasons)


def _stuck(one: Explained) -> str:
    by = ", ".join(one.stuck_by) or "held or cloned"
    return f"{by}: it cannot be destroyed, and is one of those that stay"


def _why(reason: Reason) -> str:
    match reason:
        case Keep():
            return f"{reason.snap_class}: {_kept(reason)}"
        case Release():
            since = f", and too old since {_time(reason.since)}" if reason.since is not None else ""
            return f"{reason.snap_class}: number {reason.index} where {reason.count} stay{since}"
        case _:
            assert_never(reason)


def _kept(reason: Keep) -> str:
    if reason.count is None:
        return "nothing is ever pruned here"
    number = f"number {reason.index} where {reason.count} stay"
    until = _time(reason.until) if reason.until is not None else ""
    if reason.among_newest and reason.young:
        return f"{number}; goes when {reason.count} newer ones are there, not before {until}"
    if reason.among_newest:
        return f"{number}; goes when {reason.count} newer ones are there"
    return f"{number}, but young; goes after {until}"


def _time(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S}Z"


def explain_json(plan: DatasetPlan, explained: Sequence[Explained]) -> dict[str, object]:
    return {
        "dataset": plan.effective.path,
        "section": plan.effective.by,
        "due": sorted(plan.due),
        "snapshots": [_one_json(one) for one in explained],
    }


def _one_json(one: Explained) -> dict[str, object]:
    found = one.verdict.reasons if one.verdict else ()
    return {
        "name": f"{one.dataset}@{one.taken.snap}",
        "creation": one.taken.creation,
        "keep": stays(one),
        "held": bool(one.verdict and one.verdict.pinned),
        "held_by": list(one.stuck_by),
        "classes": [_reason_json(reason) for reason in found],
        "reasons": list(reasons(one)),
    }


def _reason_json(reason: Reason) -> dict[str, object]:
    keeps = isinstance(reason, Keep)
    return {
        "class": reason.snap_class.value,
        "keeps": keeps,
        "index": reason.index,
        "count": reason.count,
        "age_limit": reason.until if isinstance(reason, Keep) else reason.since,
    }
