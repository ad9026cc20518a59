"""Drills as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zrep.model.evidence import Evidence, Finding, Outcome, State, encode_evidence
from zrep.model.moment import iso
from zrep.report.table import render_table

if TYPE_CHECKING:
    from zrep.engine.drill import DrillPlan

_MARK = {Outcome.PASSED: "ok", Outcome.FAILED: "FAILED", Outcome.SKIPPED: "-"}


def render_plan(plan: DrillPlan) -> str:
    where = f"replica {plan.place.replica}" if plan.place.replica else "the target"
    lines = [f"would mount backup {plan.backup.id} of {where}"]
    lines += [f"would compare {key} with what was recorded of it" for key in plan.keys]
    lines += [
        f"would run {program} on service {service.name}"
        for service in plan.services
        for program in service.checks
    ]
    return "\n".join(lines)


def plan_json(plan: DrillPlan) -> dict[str, object]:
    return {
        "backup": str(plan.backup.id),
        "set": plan.backup.set_name or None,
        "replica": plan.place.replica,
        "sources": [str(key) for key in plan.keys],
        "services": {s.name: list(s.checks) for s in plan.services},
        "sample": plan.sample,
    }


def render_drill(evidence: Evidence) -> str:
    rows = [(_MARK[f.outcome], f.check, f.subject, _one_line(f.says)) for f in evidence.findings]
    lines = [
        f"drill   {evidence.id}: {evidence.state}",
        f"backup  {evidence.backup} of set {evidence.set_name or '-'}"
        + (f", from replica {evidence.place}" if evidence.place else ""),
        f"took    {evidence.seconds:.1f} s, {evidence.mount_seconds:.1f} s of it until mounted",
    ]
    if evidence.error:
        lines.append(f"error   {_one_line(evidence.error)}")
    table = ["", render_table(("", "CHECK", "SUBJECT", "WHAT IT SAYS"), rows)] if rows else []
    return "\n".join((*lines, *table))


def why_failed(evidence: Evidence) -> str:
    """The checks that failed, or that there was nothing to compare with."""
    words = [f"{_name(f)}: {_one_line(f.says)}" for f in evidence.failed]
    return "; ".join(words) or "nothing could be checked"


def _name(finding: Finding) -> str:
    return f"{finding.check} of {finding.subject}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def render_drills(drills: Sequence[Evidence]) -> str:
    """Newest first."""
    if not drills:
        return "no drills yet"
    head = ("DRILL", "BACKUP", "SET", "RESULT", "CHECKS", "SECONDS", "BY")
    rows = [
        (
            d.id,
            d.backup,
            d.set_name or "-",
            d.state.value,
            _checks(d),
            f"{d.seconds:.1f}" if d.state is not State.RUNNING else "-",
            d.owner,
        )
        for d in drills
    ]
    return render_table(head, rows, right=frozenset({"SECONDS"}))


def _checks(drill: Evidence) -> str:
    passed = sum(f.outcome is Outcome.PASSED for f in drill.findings)
    return f"{passed} of {len(drill.findings)}"


def drill_json(evidence: Evidence) -> dict[str, Any]:
    """As it stands in its file, with its beginning in ISO 8601 UTC as well."""
    found: dict[str, Any] = json.loads(encode_evidence(evidence))
    return {**found, "time": iso(evidence.started)}


def drills_json(drills: Sequence[Evidence]) -> list[dict[str, Any]]:
    return [drill_json(d) for d in drills]
