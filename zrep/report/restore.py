"""A restore in words and as JSON: the plan, what it would change, what it did, what is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from zrep.engine.restore import RestoreReport, Summary
from zrep.engine.restore_record import Record
from zrep.model.restore import EXAMPLES, Change, Item, RestorePlan
from zrep.report.table import render_table, size


def render_plan(plan: RestorePlan) -> str:
    head = f"restore {plan.run} of backup {plan.backup}{_across(plan)}"
    width = max(len(str(step)) for step in plan.steps)
    return "\n".join((head, *(f"  {step!s:<{width}}  {step.reason}" for step in plan.steps)))


def _across(plan: RestorePlan) -> str:
    return f" of {plan.origin} into {plan.deployment}" if plan.origin else ""


def render_receive(replica: str, bytes_left: int) -> str:
    """What a dry run says of a backup that is not in this pool yet."""
    return (
        f"first {size(bytes_left)} would be received from {replica}; "
        "what would change can be compared only then"
    )


def render_summary(summary: Summary) -> str:
    lines = [f"{item} ({item.mode}{_beside(item)}): {_words(c)}" for item, c in _rows(summary)]
    examples = [f"    {text}" for text in summary.total.examples]
    if examples and len(examples) < _count(summary.total):
        examples.append("    ...")
    return "\n".join((*lines, *examples))


def _rows(summary: Summary) -> Iterator[tuple[Item, Change]]:
    yield from sorted(summary.changes.items())


def _beside(item: Item) -> str:
    return f" as {item.to}" if item.to != item.inside else ""


def _words(change: Change) -> str:
    return (
        f"{change.new} new, {change.changed} changed, {change.deleted} deleted, "
        f"{change.attributes} with other attributes; {size(change.size)}"
    )


def _count(change: Change) -> int:
    return change.new + change.changed + change.deleted + change.attributes


def render_report(report: RestoreReport) -> str:
    plan = report.plan
    where = f" in {plan.deployment}" if plan.origin else ""
    lines = [
        f"restored {item}{_beside(item)}{where} from backup {plan.backup}" for item in plan.items
    ]
    kept = [f"what was there is kept: {s.kept} ({s.kind})" for s in report.safety.values()]
    if kept:
        kept.append(f"when it is no longer wanted: zrep restore --discard-safety {plan.run}")
    return "\n".join((*lines, *kept))


def plan_json(plan: RestorePlan, summary: Summary | None = None) -> dict[str, Any]:
    changes = summary.changes if summary else {}
    return {
        "restore": plan.run,
        "backup": str(plan.backup),
        "to": plan.deployment,
        "from": plan.origin or plan.deployment,
        "services": list(plan.services),
        "hosts": list(plan.hosts),
        "full": plan.full,
        "items": [_item_json(item, changes.get(item)) for item in plan.items],
        "steps": [
            {"step": step.kind.value, "subject": step.subject, "reason": step.reason}
            for step in plan.steps
        ],
        "warnings": list(summary.warnings) if summary else [],
    }


def report_json(report: RestoreReport) -> dict[str, Any]:
    kept = {key: {"kind": s.kind, "kept": s.kept} for key, s in report.safety.items()}
    summary = Summary(changes=report.changes)
    return {**plan_json(report.plan, summary), "safety": kept}


def _item_json(item: Item, change: Change | None) -> dict[str, Any]:
    words: dict[str, Any] = {
        "source": str(item.key),
        "path": item.inside,
        "to": item.to,
        "mode": item.mode.value,
    }
    if change is not None:
        words |= {
            "new": change.new,
            "changed": change.changed,
            "deleted": change.deleted,
            "attributes": change.attributes,
            "bytes": change.size,
            "examples": list(change.examples[:EXAMPLES]),
        }
    return words


def render_records(records: Sequence[Record]) -> str:
    if not records:
        return "nothing was ever restored"
    rows = [
        (r.id, r.backup, r.state.value, _what(r), r.step or r.error.partition("\n")[0], _kept(r))
        for r in records
    ]
    return render_table(("RESTORE", "BACKUP", "STATE", "WHAT", "AT", "KEPT"), rows)


def _what(record: Record) -> str:
    words = (*record.sources, *record.paths)
    what = f"service {record.service}" if record.service else ", ".join(words) or "everything"
    via = f" by way of {record.replica}" if record.replica else ""
    return (
        f"{what} of {record.origin} into {record.deployment}{via}" if record.origin else what + via
    )


def _kept(record: Record) -> str:
    if record.discarded:
        return "discarded"
    return ", ".join(record.safety.values()) or "-"


def record_json(record: Record) -> dict[str, Any]:
    return {
        "restore": record.id,
        "backup": record.backup,
        "to": record.deployment,
        "from": record.origin or record.deployment,
        "replica": record.replica,
        "state": record.state.value,
        "sources": list(record.sources),
        "paths": list(record.paths),
        "service": record.service,
        "mode": record.mode,
        "step": record.step,
        "verified": record.verified,
        "scrubbed": record.scrubbed,
        "safety": dict(record.safety),
        "discarded": record.discarded,
        "error": record.error,
    }
