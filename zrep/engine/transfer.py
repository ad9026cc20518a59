"""All transfers of one run: so many at once as the set says, each ending as a record."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from zrep.engine.guarded_pull import Excess, guarded_pull
from zrep.engine.journal import Journal
from zrep.engine.progress import Progress
from zrep.engine.pull import Pull, Pulled
from zrep.engine.site import Site
from zrep.engine.source_hosts import SourceHosts, Teller
from zrep.errors import SourceFailed, UnknownName, UsageError, ZrepError
from zrep.frozen import dataclass
from zrep.host.mux import Stop
from zrep.model.backup import Backup, SourceRecord
from zrep.model.inventory import Inventory
from zrep.model.key import SourceKey
from zrep.model.names import DatasetName
from zrep.model.source import BackupSet, Source
from zrep.model.waiting import GUARD, NOTHING_WAITS, Waiting, decode_waiting, encode_waiting
from zrep.source.guard import Guard
from zrep.zfs.port import Zfs

Mounts = Mapping[DatasetName, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What the target knows of a set's sources: their last good backup, and what waits there.

    `accepted` are those of which a person has agreed to what waits.
    """

    last: Mapping[SourceKey, SourceRecord]
    waiting: Mapping[SourceKey, Waiting]
    accepted: frozenset[SourceKey] = frozenset()

    def of(self, source: Source) -> Guard:
        agreed = self.waiting.get(source.key) if source.key in self.accepted else None
        return Guard(allowance=source.allowance, last=self.last.get(source.key), accepted=agreed)


def find_guards(
    backup_set: BackupSet,
    root: DatasetName,
    inventory: Inventory,
    backups: Sequence[Backup],
    *,
    accept: Sequence[str] = (),
) -> Guards:
    """From the target as it is. UnknownName and UsageError for what `accept` cannot mean.

    `backups` are newest first, of all sets: whichever captured a source last, and still has that
    snapshot, tells of it. In those that were imported nobody has counted.
    """
    keys = {s.key for s in backup_set.sources}
    last: dict[SourceKey, SourceRecord] = {}
    for backup in reversed(backups):
        records = (child.record for child in backup.children)
        last |= {r.key: r for r in records if r and r.ok and r.key in keys and not r.folder}
    states = {k: inventory.get(root / str(k)) for k in keys}
    found = {k: decode_waiting(d.properties) for k, d in states.items() if d}
    waiting = {k: w for k, w in found.items() if w}
    names = {str(k): k for k in keys}
    return Guards(
        last=last, waiting=waiting, accepted=frozenset(_agreed(n, names, waiting) for n in accept)
    )


def _agreed(
    name: str, known: Mapping[str, SourceKey], waiting: Mapping[SourceKey, Waiting]
) -> SourceKey:
    if name not in known:
        raise UnknownName(
            f"no source {name!r} in this set", why=f"it has: {', '.join(sorted(known))}"
        )
    if known[name] not in waiting:
        raise UsageError(
            f"{name}: nothing waits for consent",
            why=f"waiting: {', '.join(sorted(map(str, waiting))) or 'none'}",
            next_step="run zrep sync without --accept-deletions; it says when it needs consent",
        )
    return known[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfers:
    """What all transfers of one run share."""

    site: Site
    set: BackupSet
    id: str
    guards: Guards
    hosts: SourceHosts
    journal: Journal
    progress: Progress
    teller: Teller
    lock: int
    stop: Stop

    def dataset(self, key: SourceKey) -> DatasetName:
        return self.site.root / str(key)


def transfer_all(run: Transfers) -> tuple[SourceRecord, ...]:
    """Every source's record, in the set's order; whatever ends this ends all rsyncs."""
    mounts = run.site.target.mounts(run.site.root)
    sources = run.set.sources
    with ThreadPoolExecutor(max_workers=run.set.parallel) as pool:
        try:
            return tuple(pool.map(lambda s: _transfer_one(run, s, mounts), sources))
        except BaseException:
            run.stop.request()
            pool.shutdown(cancel_futures=True)
            raise


def _transfer_one(run: Transfers, source: Source, mounts: Mounts) -> SourceRecord:
    record = _record(run, source, mounts)
    run.hosts.releases.read(source.key)
    return record


def _record(run: Transfers, source: Source, mounts: Mounts) -> SourceRecord:
    """A source that fails is told of and leaves the others alone."""
    absent = run.hosts.absent.get(source.key)
    if absent is not None:
        return _failed(source, absent)
    begun = time.monotonic()
    try:
        with run.journal.step("pull", source=source.key):
            pulled = _pull(run, source, mounts)
        with run.journal.step("check", source=source.key):
            run.hosts.check(source.key)
    except ZrepError as error:
        run.teller.warn(f"{source.key}: {error}")
        return _failed(source, error)
    if pulled.warning:
        run.teller.warn(f"{source.key}: {pulled.warning}")
    stats = pulled.stats
    run.progress.step(f"got: {source.key}, {stats.files} files, {stats.deleted} deleted")
    return SourceRecord(
        key=source.key,
        ok=True,
        files=stats.files,
        size=stats.total_size,
        transferred=stats.received,
        deleted=stats.deleted,
        seconds=time.monotonic() - begun,
        method=source.method.value,
    )


def _failed(source: Source, error: ZrepError) -> SourceRecord:
    return SourceRecord(key=source.key, ok=False, why=str(error), method=source.method.value)


def _pull(run: Transfers, source: Source, mounts: Mounts) -> Pulled:
    request = Pull(
        source=source,
        run=run.id,
        destination=_mountpoint(run.site.target, mounts, run.dataset(source.key)),
        address=run.site.config.hosts[source.key.host],
        ssh=run.site.config.ssh,
        bwlimit=run.set.bwlimit_each,
    )
    outcome = guarded_pull(
        request,
        run.guards.of(source),
        run.site.target_host,
        run.progress,
        lock=run.lock,
        stop=run.stop,
    )
    if isinstance(outcome, Excess):
        with run.journal.step("guard", source=source.key, why=outcome.why):
            waits = {GUARD: encode_waiting(outcome.waiting)}
            run.site.target.set_properties([run.dataset(source.key)], waits)
        raise outcome.error(request)
    return outcome


def settle(run: Transfers, records: Sequence[SourceRecord]) -> None:
    """Once published: what waited at a source that is good again waits no more.

    A failure is only told: the backup is there, and the next run does this again.
    """
    good = {r.key for r in records if r.ok}
    done = sorted(good & set(run.guards.waiting))
    if not done:
        return
    try:
        with run.journal.step("settle", sources=done):
            names = [run.dataset(key) for key in done]
            run.site.target.set_properties(names, {GUARD: NOTHING_WAITS})
    except ZrepError as error:
        run.teller.warn(f"cannot note that nothing waits for consent any more: {error}")


def _mountpoint(zfs: Zfs, mounts: Mounts, name: DatasetName) -> str:
    """Where the child dataset is really mounted: never a bare folder of its parent."""
    if name not in mounts:
        zfs.mount(name)
        mounts = zfs.mounts(name)
    if name not in mounts:
        raise SourceFailed(
            f"{name} is not mounted on the target",
            where=str(name),
            next_step=f"zfs get mountpoint,canmount,mounted {name}",
        )
    return mounts[name]
