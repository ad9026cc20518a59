"""From words on the command line to a plan: the clock, randomness and time spans meet here."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress

from zrep.engine.mount import MountPlan, list_sessions, plan_mount
from zrep.engine.observe import observe_replica, observe_target
from zrep.engine.site import Site, pick
from zrep.errors import BackupNotFound, Refused, UnknownName, UsageError
from zrep.frozen import dataclass
from zrep.model.backup import GLANCE, Backup, State
from zrep.model.inventory import Inventory
from zrep.model.key import SourceKey
from zrep.model.names import DatasetName
from zrep.model.session import Session, replica_sessions
from zrep.model.source import Address, Service
from zrep.planner.backups import find_backups, glance_backups, resolve
from zrep.zfs.port import Zfs

_SPAN = r"(\d{1,9})([smhd])"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_span(text: str, *, option: str) -> int:
    """Seconds in `30s`, `15m`, `4h` or `7d`."""
    match = re.fullmatch(_SPAN, text)
    if match is None:
        raise UsageError(
            f"{option}: not a time span: {text!r}", next_step="write it like 30m, 4h or 7d"
        )
    return int(match[1]) * _SECONDS[match[2]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A tree of backups and where its sessions live; `address` None means this machine."""

    zfs: Zfs
    root: DatasetName
    sessions_root: DatasetName
    address: Address | None
    replica: str | None = None

    def backups(self) -> Sequence[Backup]:
        """Newest first."""
        return find_backups(self._observe(), self.root)

    def glance(self) -> Sequence[Backup]:
        """The same by one listing, which may say less: see `glance_backups`."""
        return glance_backups(self._observe(only=GLANCE), self.root)

    def _observe(self, *, only: Sequence[str] | None = None) -> Inventory:
        look = observe_target if self.replica is None else observe_replica
        return look(self.zfs, self.root, only=only)

    def sessions(self) -> Sequence[Session]:
        """Oldest first."""
        return list_sessions(self.zfs, self.sessions_root)


def place_of(site: Site, replica: str | None) -> Place:
    """The target, or the replica of that name."""
    if replica is None:
        return Place(
            zfs=site.target,
            root=site.root,
            sessions_root=site.sessions_root,
            address=site.config.target.address,
        )
    found = site.replica(replica)
    return Place(
        zfs=site.replica_zfs(found),
        root=found.dataset,
        sessions_root=replica_sessions(found.dataset),
        address=found.address,
        replica=found.name,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MountWish:
    """What is asked for; `backup`, `ttl`, `sources` as written on the command line.

    Without sources and without a service everything is mounted.
    """

    backup: str
    owner: str
    purpose: str = ""
    ttl: str = "24h"
    sources: tuple[str, ...] = ()
    service: Service | None = None
    writable: bool = False


def service_of(site: Site, name: str | None) -> Service | None:
    return None if name is None else pick(site.config.services, name, what="service")


def mount_request(place: Place, wish: MountWish) -> MountPlan:
    """The plan for a new session of the backup that the wish names."""
    seconds = parse_span(wish.ttl, option="--ttl")
    if wish.writable and place.replica is not None:
        raise Refused(
            "a session on a replica is read-only",
            where=place.replica,
            next_step="leave out --rw, or mount on the target",
        )
    found, only = _chosen(place, wish)
    name = f"{found.id}-{os.urandom(2).hex()}"
    session = Session(
        name=name,
        dataset=place.sessions_root / name,
        backup=found.id,
        owner=wish.owner,
        purpose=wish.purpose or (f"service {wish.service.name}" if wish.service else ""),
        expires=int(time.time()) + seconds,
        writable=wish.writable,
    )
    return plan_mount(found, session, only=only or None)


def _chosen(place: Place, wish: MountWish) -> tuple[Backup, tuple[SourceKey, ...]]:
    """By a glance, unless that leaves open what one is that may be meant: then all is read."""
    seen = place.glance()
    if seen:
        with suppress(BackupNotFound):
            found, only = _resolved(seen, wish)
            if all(b.state is not State.UNVERIFIED for b in seen[: seen.index(found) + 1]):
                return found, only
    return _resolved(place.backups(), wish)


def _resolved(backups: Sequence[Backup], wish: MountWish) -> tuple[Backup, tuple[SourceKey, ...]]:
    only = _wanted(backups, wish)
    return resolve(backups, wish.backup, having=only[0] if only else None), only


def _wanted(backups: Sequence[Backup], wish: MountWish) -> tuple[SourceKey, ...]:
    named = tuple(source_named(text, backups) for text in wish.sources)
    if wish.service is None:
        return named
    if named and wish.service.source not in named:
        raise UsageError(
            f"service {wish.service.name} lies on {wish.service.source}, not on what --source says",
            next_step="leave out --source",
        )
    return (wish.service.source,)


def source_named(text: str, backups: Sequence[Backup]) -> SourceKey:
    """The source that some backup holds under exactly that name."""
    known = {str(key): key for backup in backups for key in backup.keys}
    if text in known:
        return known[text]
    raise UnknownName(
        f"no backup holds a source {text!r}",
        why=f"there are {', '.join(sorted(known))}" if known else "there are no backups yet",
        next_step="write it like manager-1/docker",
    )
