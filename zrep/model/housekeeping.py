"""How carefully snapshots are destroyed, and where runs leave their traces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from zrep.frozen import dataclass

# Set on a snapshot that the policy no longer keeps: since when (epoch seconds) it waits.
DOOMED = "io.zrep:doomed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brake:
    """The most that one run may destroy: so many snapshots, and that many per cent; None is all."""

    count: int | None = None
    percent: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Housekeeping:
    """`grace`: so many seconds a snapshot is marked before it is destroyed; 0 for not at all."""

    state_dir: str = "/var/lib/zrep"
    run_dir: str = "/run/zrep"
    grace: int = 0
    brake: Brake = field(default_factory=Brake)


def doomed_since(properties: Mapping[str, str]) -> int | None:
    """When a snapshot with these user properties was marked; None when it is not, or not by us."""
    text = properties.get(DOOMED, "")
    return int(text) if text.isascii() and text.isdigit() else None
