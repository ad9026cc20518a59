"""A sync's plan and what it published, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zrep.model.backup import SourceRecord
from zrep.model.key import SourceKey
from zrep.report.pauses import pause_json, render_pause
from zrep.report.table import render_table, size

if TYPE_CHECKING:
    from zrep.engine.sync import SyncPlan, SyncReport


def render_plan(plan: SyncPlan) -> str:
    lines = [f"would publish {plan.label} of set {plan.set.name}"]
    lines += [f"create  {name}" for name in plan.create]
    lines += [f"pause   containers of {host}" for host in plan.set.paused_hosts]
    lines += [f"pull    {s.key} ({s.method.value} {s.path})" for s in plan.set.sources]
    lines += [_render_waiting(plan, key) for key in sorted(plan.guards.waiting)]
    return "\n".join(lines)


def _render_waiting(plan: SyncPlan, key: SourceKey) -> str:
    waiting = plan.guards.waiting[key]
    agreed = "agreed" if key in plan.guards.accepted else "needs consent: --accept-deletions"
    return f"waiting {key}: {waiting.deletes} files to delete since run {waiting.run}, {agreed}"


def plan_json(plan: SyncPlan) -> dict[str, object]:
    return {
        "set": plan.set.name,
        "id": str(plan.label.id),
        "classes": [c.value for c in plan.label.classes],
        "create": [str(name) for name in plan.create],
        "pause": list(plan.set.paused_hosts),
        "sources": [
            {"source": str(s.key), "method": s.method.value, "path": s.path}
            for s in plan.set.sources
        ],
        "waiting": [
            {
                "source": str(key),
                "run": waiting.run,
                "deletes": waiting.deletes,
                "accepted": key in plan.guards.accepted,
            }
            for key, waiting in sorted(plan.guards.waiting.items())
        ],
    }


def render_report(report: SyncReport) -> str:
    manifest = report.published.manifest
    head = ("SOURCE", "RESULT", "FILES", "SIZE", "SENT", "DELETED", "SECONDS")
    table = render_table(head, [_row(r) for r in manifest.sources], right=frozenset(head[2:]))
    pauses = [f"paused  {render_pause(p)}" for p in manifest.pauses]
    end = (
        f"backup {report.published.label.id} of set {manifest.set_name}: {manifest.state.value}, "
        f"{', '.join(report.published.label.classes)}, consistency {manifest.consistency.value}, "
        f"{report.seconds:.1f} s"
    )
    return "\n".join([table, *pauses, *(f"warning: {w}" for w in report.warnings), end])


def _row(record: SourceRecord) -> tuple[str, ...]:
    if not record.ok:
        return (str(record.key), "FAILED", "-", "-", "-", "-", "-")
    return (
        str(record.key),
        "ok",
        str(record.files),
        size(record.size),
        size(record.transferred),
        str(record.deleted),
        f"{record.seconds:.1f}",
    )


def report_json(report: SyncReport) -> dict[str, object]:
    manifest = report.published.manifest
    return {
        "id": str(report.published.label.id),
        "set": manifest.set_name,
        "classes": [c.value for c in report.published.label.classes],
        "state": manifest.state.value,
        "consistency": manifest.consistency.value,
        "snapshots": [str(name) for name in report.published.snapshots],
        "seconds": round(report.seconds, 1),
        "pauses": [pause_json(p) for p in manifest.pauses],
        "still_paused": str(report.still_paused) if report.still_paused else None,
        "warnings": list(report.warnings),
        "uncovered": [{"host": u.host, "path": u.path} for u in manifest.uncovered],
        "sources": [_record_json(r) for r in manifest.sources],
    }


def _record_json(record: SourceRecord) -> dict[str, object]:
    return {
        "source": str(record.key),
        "ok": record.ok,
        "why": record.why or None,
        "files": record.files,
        "size": record.size,
        "transferred": record.transferred,
        "deleted": record.deleted,
        "seconds": round(record.seconds, 1),
    }
