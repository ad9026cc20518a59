"""What no source covers, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zrep.report.table import render_table

if TYPE_CHECKING:
    from zrep.engine.coverage import Coverage


def render_coverage(found: Coverage) -> str:
    rows = [(u.host, u.path, ", ".join(u.users)) for u in found.uncovered]
    lines = [render_table(("HOST", "NOT COVERED", "USED BY"), rows)] if rows else []
    lines += [f"{host}: {error}" for host, error in sorted(found.errors.items())]
    lines += [
        f"{host}: docker is not there, or does not answer"
        for host, report in sorted(found.mounts.items())
        if not report.known
    ]
    count = sum(len(report.mounts) for report in found.mounts.values())
    lines.append(f"{count} mounts on {len(found.mounts)} hosts, {len(rows)} paths not covered")
    return "\n".join(lines)


def coverage_json(found: Coverage) -> dict[str, object]:
    return {
        "uncovered": [
            {"host": u.host, "path": u.path, "users": list(u.users)} for u in found.uncovered
        ],
        "hosts": {
            host: {"docker": report.known, "mounts": len(report.mounts)}
            for host, report in sorted(found.mounts.items())
        },
        "errors": {host: str(error) for host, error in sorted(found.errors.items())},
    }
