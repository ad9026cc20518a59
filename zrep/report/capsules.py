"""What was installed on the machines, and what their gates refused, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zrep.capsule.audit import Finding

if TYPE_CHECKING:
    from zrep.capsule.bundle import Bundle
    from zrep.capsule.machines import Machine
    from zrep.engine.audit import MachineAudit
    from zrep.engine.deploy import Deployed


def render_plan(plan: Sequence[tuple[Machine, Bundle]]) -> str:
    return "\n".join(
        f"{', '.join(m.names)} ({m.address}): would carry {b.files} files, {b.digest[:12]}"
        for m, b in plan
    )


def plan_json(plan: Sequence[tuple[Machine, Bundle]]) -> list[dict[str, object]]:
    return [_bundle_json(machine, bundle) for machine, bundle in plan]


def _bundle_json(machine: Machine, bundle: Bundle) -> dict[str, object]:
    return {
        "names": list(machine.names),
        "address": str(machine.address),
        "files": bundle.files,
        "digest": bundle.digest,
    }


def render_deployed(done: Sequence[Deployed]) -> str:
    return "\n".join(line for d in done for line in _deployed_lines(d))


def _deployed_lines(done: Deployed) -> list[str]:
    name = done.machine.name
    lines = [f"{name}: {change}" for change in done.changes]
    if done.error:
        return [*lines, f"{name}: FAILED: {done.error}"]
    what = f"{len(done.changes)} changes" if done.changes else "nothing to change"
    return [*lines, f"{name}: {what}, verified, {done.bundle.digest[:12]}"]


def deployed_json(done: Sequence[Deployed]) -> list[dict[str, object]]:
    return [
        {
            **_bundle_json(d.machine, d.bundle),
            "changes": list(d.changes),
            "error": str(d.error) if d.error else None,
        }
        for d in done
    ]


def render_audit(audits: Sequence[MachineAudit]) -> str:
    return "\n".join(line for a in audits for line in _audit_lines(a))


def _audit_lines(audit: MachineAudit) -> list[str]:
    """Only what was not refused, line by line; then the counts."""
    name = audit.machine.name
    if audit.problem:
        return [f"{name}: could not be audited: {audit.problem}"]
    told = [
        f"{name}: {r.finding.value.upper()}: {r.trial.key} key: {r.trial.name}: {r.why}"
        for r in audit.results
        if r.finding is not Finding.REFUSED
    ]
    counts = ", ".join(f"{audit.count(f)} {f.value}" for f in Finding)
    return [*told, f"{name}: {len(audit.results)} trials: {counts}"]


def audit_json(audits: Sequence[MachineAudit]) -> list[dict[str, object]]:
    return [
        {
            "names": list(a.machine.names),
            "problem": a.problem or None,
            "trials": [
                {
                    "key": r.trial.key.value,
                    "trial": r.trial.name,
                    "finding": r.finding.value,
                    "why": r.why or None,
                }
                for r in a.results
            ],
        }
        for a in audits
    ]
