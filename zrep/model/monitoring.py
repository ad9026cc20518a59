"""What those who watch are told: where figures and signs of life go, and how old a run may be."""

from __future__ import annotations

from zrep.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Of one set or replica: `ping` is the URL that hears of each run, empty for none.

    `max_age` in seconds: a last good run that is older warns, one of twice that age is critical.
    """

    ping: str = ""
    max_age: int = 26 * 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring:
    """`metrics_dir` is where node_exporter reads, empty for nowhere; `ping_timeout` in seconds."""

    metrics_dir: str = ""
    ping_timeout: float = 5.0
