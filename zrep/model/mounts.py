"""What containers write to on a host, as docker tells."""

from __future__ import annotations

from zrep.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mount of one running container: `kind` is docker's (bind, volume, ...)."""

    container: str
    kind: str
    path: str
    writable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HostMounts:
    """All mounts of a host; `root` is docker's own folder, `swarm` whether it is part of a swarm.

    `known` false: docker did not tell, so nothing can be said.
    """

    mounts: tuple[Mount, ...] = ()
    root: str = ""
    swarm: bool = False
    known: bool = False
