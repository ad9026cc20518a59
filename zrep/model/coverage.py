"""What containers write to on a host, as docker tells, and what of it no source covers."""

from __future__ import annotations

from dataclasses import dataclass


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


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Uncovered:
    """A path on a host that no source of any set contains; `users` are what writes to it."""

    host: str
    path: str
    users: tuple[str, ...]

    def __str__(self) -> str:
        users = f" ({', '.join(self.users)})" if self.users else ""
        return f"{self.host}:{self.path}{users}"
