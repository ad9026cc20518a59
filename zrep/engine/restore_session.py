"""The backup as a restore reads it: a session of its own, and where each item lies in it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field

from zrep.engine.mount import apply_mount, list_sessions, mountpoints, plan_mount, umount
from zrep.engine.site import Site
from zrep.engine.tree import entry_at
from zrep.errors import UnknownName
from zrep.frozen import dataclass
from zrep.model.backup import Backup
from zrep.model.key import SourceKey
from zrep.model.restore import Item, RestorePlan
from zrep.model.session import Session as Mounted
from zrep.model.tree import Kind

# What a restore that died has left goes with the expired sessions.
TTL = 7 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an item lies in the mounted backup, and whether it is a folder."""

    path: str
    folder: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    places: Mapping[Item, Place] = field(hash=False)


def drop_sessions(site: Site, plan: RestorePlan) -> None:
    """Umount what an earlier attempt of this restore has left."""
    for left in list_sessions(site.target, site.sessions_root):
        if left.purpose == _purpose(plan):
            umount(site.target, left)


def _purpose(plan: RestorePlan) -> str:
    return f"restore {plan.run}"


@contextmanager
def opened_session(
    site: Site, plan: RestorePlan, backup: Backup, *, owner: str
) -> Iterator[Mapping[SourceKey, str]]:
    """Where the sources are mounted, read-only."""
    name = f"{backup.id}-{os.urandom(2).hex()}"
    wanted = Mounted(
        name=name,
        dataset=site.sessions_root / name,
        backup=backup.id,
        owner=owner,
        purpose=_purpose(plan),
        expires=int(time.time()) + TTL,
    )
    session = apply_mount(site.target, plan_mount(backup, wanted, only=plan.keys))
    try:
        yield mountpoints(session)
    finally:
        umount(site.target, session)


def items_in(tops: Mapping[SourceKey, str], plan: RestorePlan) -> Session:
    """UnknownName for an item that the backup does not have; Refused for a link on the way."""
    return Session(places={item: _place(tops[item.key], item, plan) for item in plan.items})


def _place(top: str, item: Item, plan: RestorePlan) -> Place:
    parts = tuple(item.inside.split("/")) if item.inside else ()
    descriptor = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        entry = entry_at(descriptor, parts)
    finally:
        os.close(descriptor)
    if entry is None:
        raise UnknownName(
            f"{item} is not in backup {plan.backup}", next_step=f"see where it is: zrep find {item}"
        )
    return Place(path="/".join((top, *parts)), folder=entry.kind is Kind.FOLDER)
