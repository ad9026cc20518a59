"""A replication's plan and outcome, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, assert_never

from zrep.model.plan import Diverged, Follow, ReplicaStep, Transfer, UpToDate
from zrep.report.table import size

if TYPE_CHECKING:
    from zrep.engine.replicate import ReplicaReport


def render_steps(steps: Sequence[ReplicaStep]) -> str:
    return "\n".join(line for step in steps for line in _step_lines(step)) or "nothing to replicate"


def _step_lines(step: ReplicaStep) -> Iterator[str]:
    match step:
        case UpToDate():
            yield f"up to date  {step.source} (newest {step.newest.name.snap})"
        case Diverged():
            yield _conflict_line(step)
        case Follow():
            for parent in step.parents:
                yield f"create      {parent}"
            for transfer in step.transfers:
                yield f"send        {_transfer_text(transfer)}"
        case _:
            assert_never(step)


def _conflict_line(step: Diverged) -> str:
    return f"conflict    {step.source} -> {step.destination}: {step.evidence}"


def _transfer_text(transfer: Transfer) -> str:
    spec = transfer.spec
    if spec.token:
        return f"{spec.snapshot.dataset} -> {transfer.destination}, resuming"
    base = f"since {spec.base}" if spec.base else "full"
    count = len(transfer.snapshots)
    many = f" ({count} snapshots)" if count > 1 else ""
    return f"{spec.snapshot}{many} -> {transfer.destination}, {base}"


def steps_json(steps: Sequence[ReplicaStep]) -> list[dict[str, object]]:
    return [_step_json(step) for step in steps]


def _step_json(step: ReplicaStep) -> dict[str, object]:
    match step:
        case UpToDate():
            return {
                "action": "none",
                "source": str(step.source),
                "newest": str(step.newest.name),
            }
        case Diverged():
            return _diverged_json(step)
        case Follow():
            return {
                "action": "send",
                "source": str(step.source),
                "destination": str(step.destination),
                "create": [str(p) for p in step.parents],
                "transfers": [_transfer_json(t) for t in step.transfers],
            }
        case _:
            assert_never(step)


def _diverged_json(step: Diverged) -> dict[str, object]:
    return {
        "action": "conflict",
        "source": str(step.source),
        "destination": str(step.destination),
        "evidence": step.evidence,
    }


def _transfer_json(transfer: Transfer) -> dict[str, object]:
    return {
        "snapshot": str(transfer.spec.snapshot),
        "base": transfer.spec.base,
        "resume": transfer.spec.token is not None,
        "destination": str(transfer.destination),
        "snapshots": [str(s.name) for s in transfer.snapshots],
    }


def render_report(report: ReplicaReport) -> str:
    lines = [f"sent        {_transfer_text(s.transfer)}: {size(s.size)}" for s in report.sent]
    lines += [f"up to date  {name}" for name in report.up_to_date]
    lines += [_conflict_line(d) for d in report.diverged]
    lines += [f"failed      {f.source}: {f.error}" for f in report.failed]
    total = sum(s.size for s in report.sent)
    lines.append(f"replica {report.replica}: {len(report.sent)} streams, {size(total)}")
    return "\n".join(lines)


def report_json(report: ReplicaReport) -> dict[str, object]:
    return {
        "replica": report.replica,
        "bytes": sum(s.size for s in report.sent),
        "sent": [{**_transfer_json(s.transfer), "bytes": s.size} for s in report.sent],
        "up_to_date": [str(name) for name in report.up_to_date],
        "conflicts": [_diverged_json(d) for d in report.diverged],
        "failed": [
            {"source": str(f.source), "error": f.error.id, "why": str(f.error)}
            for f in report.failed
        ],
    }
