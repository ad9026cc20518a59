"""Docker on the hosts, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zrep.report.table import render_table

if TYPE_CHECKING:
    from zrep.engine.docker import HostDocker


def render_done(hosts: Sequence[HostDocker]) -> str:
    return "\n".join(f"{h.host}: {f'FAILED: {h.error}' if h.error else h.done}" for h in hosts)


def render_status(hosts: Sequence[HostDocker]) -> str:
    """A table; then the paused containers by name, and what failed."""
    head = ("HOST", "DOCKER", "RUNNING", "PAUSED", "OURS", "TIMER")
    table = render_table(head, [_row(h) for h in hosts], right=frozenset(head[2:5]))
    return "\n".join([table, *(line for h in hosts for line in _details(h))])


def _row(host: HostDocker) -> tuple[str, ...]:
    status = host.status
    if status is None:
        return (host.host, "unknown", "-", "-", "-", "-")
    ours = sum(c.ours for c in status.paused)
    armed = all(h.armed for h in status.holds)
    timer = ("armed" if armed else "NOT ARMED") if status.holds else "-"
    counts = (status.running, len(status.paused), ours)
    return (host.host, status.engine.value, *map(str, counts), timer)


def _details(host: HostDocker) -> list[str]:
    if host.error:
        return [f"{host.host}: FAILED: {host.error}"]
    paused = host.status.paused if host.status else ()
    return [
        f"{host.host}: {c.name} is paused, {'by zrep' if c.ours else 'not by zrep'}" for c in paused
    ]


def docker_json(hosts: Sequence[HostDocker]) -> list[dict[str, object]]:
    return [
        {
            "host": h.host,
            "done": h.done or None,
            "error": str(h.error) if h.error else None,
            **(_status_json(h) if h.status else {}),
        }
        for h in hosts
    ]


def _status_json(host: HostDocker) -> dict[str, object]:
    assert host.status is not None  # noqa: S101 - tells the type checker
    return {
        "docker": host.status.engine.value,
        "running": host.status.running,
        "paused": [{"name": c.name, "ours": c.ours} for c in host.status.paused],
        "holds": [
            {"set": h.set_name, "run": h.run, "containers": h.containers, "armed": h.armed}
            for h in host.status.holds
        ],
    }
