"""A drill: a backup is mounted, compared with what was recorded of it and shown to the services'
checks; what came of it is kept as evidence, whatever came of it.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from zrep import __version__
from zrep.engine.contents import hash_again, open_top, read_contents
from zrep.engine.drill_evidence import Shelf, check_key, interrupted, shelf_in
from zrep.engine.drill_service import Exhibit, run_checks
from zrep.engine.lock import exclusive
from zrep.engine.mount import MountPlan, apply_mount, mountpoints, plan_mount, umount
from zrep.engine.progress import Progress
from zrep.engine.requests import Place, place_of, service_of
from zrep.engine.site import Site
from zrep.engine.tree import entry_at, read_content
from zrep.errors import Refused, UsageError, ZfsError
from zrep.frozen import dataclass
from zrep.model.backup import Backup
from zrep.model.contents import Contents, decode_contents
from zrep.model.evidence import Evidence, Finding
from zrep.model.key import SourceKey
from zrep.model.names import BackupId
from zrep.model.recovery import CONTENTS, RECOVERY
from zrep.model.session import Session
from zrep.model.source import Service
from zrep.planner.backups import resolve
from zrep.planner.drill import compare_hashes, compare_source, conclude, draw, services_in

# What a drill that was killed has left goes with the expired sessions, or with the next drill.
TTL = 86_400
PURPOSE = "drill "


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillWish:
    """As on the command line; without a backup and without `chance` the newest complete one.

    `sample`: of each source no more than so many of the hashed files; None for all of them.
    """

    owner: str
    backup: str = ""
    chance: bool = False
    service: str | None = None
    sample: int | None = None
    replica: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillPlan:
    """One backup, where it lies, and what is checked of it."""

    place: Place
    backup: Backup
    keys: tuple[SourceKey, ...]
    services: tuple[Service, ...]
    sample: int | None
    owner: str


def plan_drill(site: Site, wish: DrillWish) -> DrillPlan:
    """Reads the pool alone. Refused when it is on another machine."""
    if wish.backup and wish.chance:
        raise UsageError("name a backup, or leave it to chance", next_step="leave out --random")
    check_key(site.config.drilling.key)
    place = place_of(site, wish.replica)
    if place.address is not None:
        raise Refused(
            "files of backups can be read only on the machine with the pool",
            where=str(place.address),
            next_step="run zrep drill there, with a zrep.toml whose [target] is that dataset "
            "and names no host",
        )
    only = service_of(site, wish.service)
    backups = place.backups()
    having = only.source if only else None
    if wish.chance:
        holding = [b for b in backups if having is None or having in b.keys]
        backup = draw(holding, secrets.randbelow(1 << 32))
    else:
        backup = resolve(backups, wish.backup or "latest", having=having)
    return DrillPlan(
        place=place,
        backup=backup,
        keys=(only.source,) if only else tuple(sorted(backup.keys)),
        services=services_in(site.config, backup, only),
        sample=wish.sample,
        owner=wish.owner,
    )


def drill(site: Site, wish: DrillWish, progress: Progress) -> Evidence:
    """One locked drill; its evidence is on disk when this returns, and when it raises."""
    with exclusive(site.run_dir, "drill"):
        plan = plan_drill(site, wish)
        shelf = shelf_in(site.state_dir, site.config.drilling.key)
        for left in interrupted(shelf, shelf.all()):
            progress.warn(f"drill {left.id} was interrupted; it counts as failed")
        _drop_sessions(plan.place)
        return Drill(site, plan, shelf, progress).execute()


def _drop_sessions(place: Place) -> None:
    """Umount what an interrupted drill has left: no other one runs now."""
    for left in place.sessions():
        if left.purpose.startswith(PURPOSE):
            umount(place.zfs, left)


class Drill:
    """The steps of one drill; holds what they share."""

    def __init__(self, site: Site, plan: DrillPlan, shelf: Shelf, progress: Progress) -> None:
        self.plan = plan
        self.shelf = shelf
        self.progress = progress
        self.clock = time.monotonic()
        self.findings: list[Finding] = []
        self.begun = begin_evidence(site, plan)

    def execute(self) -> Evidence:
        """Anything that ends it early is a failed drill, and is raised when it is no error."""
        self.shelf.begin(self.begun)
        try:
            with self.mounted() as tops:
                self.look(tops)
        except BaseException as error:
            self.finish(error=str(error) or type(error).__name__)
            raise
        return self.finish()

    def finish(self, error: str = "") -> Evidence:
        seconds = time.monotonic() - self.clock
        evidence = conclude(self.begun, self.findings, seconds=seconds, error=error)
        self.shelf.end(evidence)
        return evidence

    @contextmanager
    def mounted(self) -> Iterator[Mapping[SourceKey, str]]:
        """Where the sources and the papers beside them lie; nothing of it is left afterwards."""
        zfs = self.plan.place.zfs
        wanted = mount_for(self.plan, self.begun.id)
        self.progress.step(f"mount: backup {self.plan.backup.id}")
        session = apply_mount(zfs, wanted)
        try:
            seconds = round(time.monotonic() - self.clock, 1)
            self.begun = replace(self.begun, mount_seconds=seconds)
            yield mountpoints(session)
        finally:
            umount(zfs, session)

    def look(self, tops: Mapping[SourceKey, str]) -> None:
        recorded = read_record(tops, self.plan.backup)
        for key in self.plan.keys:
            self.note(self.compare(key, tops[key], recorded.get(str(key))))
        for service in self.plan.services:
            self.progress.step(f"check: service {service.name}")
            exhibit = Exhibit(
                drill=self.begun.id,
                backup=self.plan.backup,
                service=service,
                top=tops[service.source],
            )
            self.note(run_checks(exhibit))

    def note(self, findings: Iterator[Finding]) -> None:
        self.findings.extend(findings)

    def compare(self, key: SourceKey, folder: str, recorded: Contents | None) -> Iterator[Finding]:
        self.progress.step(f"compare: {key}")
        begun = time.monotonic()
        child = self.plan.backup.child(key)
        record = child.record if child else None
        total = record.size if record else None
        sampled = recorded.sample[: self.plan.sample] if recorded else ()
        with open_top(folder) as top:
            found = read_contents(
                top,
                run=str(self.plan.backup.id),
                sample=0,
                on_size=lambda size: self.progress.moved(str(key), size, total),
            )
            hashes = {one.path: hash_again(top, one) for one in sampled}
        yield from compare_source(key, found, recorded=recorded, record=record)
        seconds = round(time.monotonic() - begun, 1)
        yield replace(compare_hashes(key, sampled, hashes), seconds=seconds)


def begin_evidence(site: Site, plan: DrillPlan) -> Evidence:
    now = int(time.time())
    return Evidence(
        id=str(BackupId.at(datetime.fromtimestamp(now, UTC))),
        backup=str(plan.backup.id),
        set_name=plan.backup.set_name,
        owner=plan.owner,
        host=os.uname().nodename,
        version=__version__,
        config=site.config.digest,
        started=now,
        place=plan.place.replica or "",
        snapshots={str(s.name): str(s.guid) for s in plan.backup.snapshots},
    )


def mount_for(plan: DrillPlan, run: str) -> MountPlan:
    """A session of the sources, and of the papers beside them when the backup has any."""
    name = f"{plan.backup.id}-{secrets.token_hex(2)}"
    session = Session(
        name=name,
        dataset=plan.place.sessions_root / name,
        backup=plan.backup.id,
        owner=plan.owner,
        purpose=f"{PURPOSE}{run}",
        expires=int(time.time()) + TTL,
        writable=bool(plan.services),
    )
    wanted = plan_mount(plan.backup, session, only=plan.keys)
    if plan.backup.sheet is None:
        return wanted
    papers = _papers(plan.backup)
    at = session.dataset / str(papers)
    return replace(
        wanted,
        containers=(*wanted.containers, session.dataset / RECOVERY),
        clones=(*wanted.clones, (papers, plan.backup.sheet.name, at)),
    )


def _papers(backup: Backup) -> SourceKey:
    return SourceKey(RECOVERY, backup.set_name)


def read_record(tops: Mapping[SourceKey, str], backup: Backup) -> Mapping[str, Contents]:
    """What was noted of the contents; nothing for a backup without papers. ZfsError when torn."""
    folder = tops.get(_papers(backup))
    if folder is None:
        return {}
    with open_top(folder) as top:
        if entry_at(top, (CONTENTS,)) is None:
            return {}
        text = b"".join(read_content(top, (CONTENTS,))).decode("utf-8", "replace")
    try:
        return decode_contents(text)
    except ValueError as error:
        raise ZfsError("cannot be read", where=f"{folder}/{CONTENTS}", why=str(error)) from error


def drills_of(site: Site) -> Sequence[Evidence]:
    """All that there were, newest first."""
    return shelf_in(site.state_dir, site.config.drilling.key).all()
