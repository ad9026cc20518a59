"""What crashed runs left on the hosts, and what was done about it, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zrep.engine.recover import HostRecovery, RecoverReport
    from zrep.source.capsule_json import ProbeReport, Thawed

NOTHING = "nothing was left"


def render_report(report: RecoverReport) -> str:
    return "\n".join(f"{h.host}: {line}" for h in report.hosts for line in _lines(h))


def _lines(host: HostRecovery) -> Iterator[str]:
    yield from (f"thawed {_thawed(t)}" for t in host.thawed)
    yield from (f"removed {what}" for what in host.removed)
    for error in (host.thaw_error, host.release_error):
        if error is not None:
            yield f"FAILED: {error}"
    if not (host.thawed or host.removed or host.error):
        yield NOTHING


def _thawed(thawed: Thawed) -> str:
    length = f"{thawed.milliseconds / 1000:.1f} s"
    return f"{thawed.containers} containers of run {thawed.run}, paused for {length}"


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


def render_leftovers(reports: Mapping[str, ProbeReport]) -> str:
    return "\n".join(
        f"{host}: {line}" for host, r in sorted(reports.items()) for line in _left(r) or [NOTHING]
    )


def _left(report: ProbeReport) -> list[str]:
    holds = [f"would thaw {h.containers} containers of run {h.run}" for h in report.holds]
    places = [f"would release {x.source} ({x.volume})" for x in report.leftovers]
    return [*holds, *places]


def leftovers_json(reports: Mapping[str, ProbeReport]) -> dict[str, object]:
    return {
        "hosts": {
            host: {
                "holds": [
                    {"set": h.set_name, "run": h.run, "containers": h.containers, "armed": h.armed}
                    for h in r.holds
                ],
                "leftovers": [
                    {"set": x.set_name, "source": x.source, "run": x.run, "volume": x.volume}
                    for x in r.leftovers
                ],
            }
            for host, r in sorted(reports.items())
        }
    }
