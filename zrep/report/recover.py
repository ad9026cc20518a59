"""What crashed runs left on the hosts, and what was done about it, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zrep.engine.recover import HostLeftovers, HostRecovery, RecoverReport

NOTHING = "nothing was left"


def render_report(report: RecoverReport) -> str:
    return "\n".join(f"{h.host}: {line}" for h in report.hosts for line in _lines(h))


def _lines(host: HostRecovery) -> Iterator[str]:
    for thawed in host.thawed:
        length = f"{thawed.milliseconds / 1000:.1f} s"
        yield f"thawed {thawed.containers} containers of run {thawed.run}, paused for {length}"
    yield from (f"removed {what}" for what in host.removed)
    for error in (host.thaw_error, host.release_error):
        if error is not None:
            yield f"FAILED: {error}"
    if not (host.thawed or host.removed or host.error):
        yield NOTHING


def report_json(report: RecoverReport) -> dict[str, object]:
    return {"hosts": {h.host: _host_json(h) for h in report.hosts}}


def _host_json(host: HostRecovery) -> dict[str, object]:
    return {
        "thawed": [
            {"set": t.set_name, "run": t.run, "containers": t.containers, "ms": t.milliseconds}
            for t in host.thawed
        ],
        "removed": list(host.removed),
        "errors": [str(e) for e in (host.thaw_error, host.release_error) if e is not None],
    }


def render_leftovers(found: Sequence[HostLeftovers]) -> str:
    return "\n".join(f"{left.host}: {line}" for left in found for line in _left(left) or [NOTHING])


def _left(left: HostLeftovers) -> list[str]:
    holds = [f"would thaw {h.containers} containers of run {h.run}" for h in left.holds]
    places = [f"would release {x.source} ({x.volume})" for x in left.leftovers]
    return [*holds, *places]


def leftovers_json(found: Sequence[HostLeftovers]) -> dict[str, object]:
    return {
        "hosts": {
            left.host: {
                "holds": [
                    {"set": h.set_name, "run": h.run, "containers": h.containers, "armed": h.armed}
                    for h in left.holds
                ],
                "leftovers": [
                    {"set": x.set_name, "source": x.source, "run": x.run, "volume": x.volume}
                    for x in left.leftovers
                ],
            }
            for left in found
        }
    }
