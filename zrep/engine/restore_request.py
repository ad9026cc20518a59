"""From words on the command line, or in a record, to the plan of a restore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from zrep.engine.observe import backups_at
from zrep.engine.requests import service_of, source_named
from zrep.engine.restore_record import Record
from zrep.engine.site import Site
from zrep.errors import UnknownName, UsageError
from zrep.model.backup import Backup
from zrep.model.names import BackupId
from zrep.model.restore import Mode, RestorePlan
from zrep.model.source import SourceKey
from zrep.planner.backups import resolve
from zrep.planner.check_restore import check_restore
from zrep.planner.locate import Location, locate
from zrep.planner.restore import Wish, configured, plan_restore


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked for, as written on the command line; `run` names the restore."""

    run: str
    backup: str
    sources: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    service: str | None = None
    mode: Mode | None = None

    @property
    def record(self) -> Record:
        return Record(
            id=self.run,
            backup=self.backup,
            sources=self.sources,
            paths=self.paths,
            service=self.service or "",
            mode=self.mode.value if self.mode else "",
        )


def new_run() -> str:
    """A restore is named by the second in which it was asked for, as a backup is."""
    return str(BackupId.at(datetime.now(UTC)))


def order_of(record: Record) -> Order:
    """What a recorded restore was asked for: it is planned anew from that."""
    return Order(
        run=record.id,
        backup=record.backup,
        sources=record.sources,
        paths=record.paths,
        service=record.service or None,
        mode=Mode(record.mode) if record.mode else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan that was checked, the backup it is of, and an order that names that one alone."""

    plan: RestorePlan
    backup: Backup
    order: Order


def plan_order(site: Site, order: Order) -> Planned:
    """Reads the target; every refusal that needs no host comes from here."""
    backups = backups_at(site.target, site.root)
    wish = _wish(site, backups, order)
    backup = resolve(backups, order.backup, having=_first(wish))
    plan = plan_restore(site.config, backup, wish, run=order.run)
    check_restore(plan, site.config, backup)
    named = Order(
        run=order.run,
        backup=str(backup.id),
        sources=tuple(map(str, wish.sources)),
        paths=tuple(map(str, wish.paths)),
        service=order.service,
        mode=order.mode,
    )
    return Planned(plan=plan, backup=backup, order=named)


def _wish(site: Site, backups: Sequence[Backup], order: Order) -> Wish:
    sources = tuple(source_named(text, backups) for text in order.sources)
    if order.paths and len(sources) > 1:
        raise UsageError("paths lie in one source", next_step="write them like HOST/SOURCE/PATH")
    keys = {key for backup in backups for key in backup.keys}
    known = tuple(configured(site.config).values())
    only = sources[0] if order.paths and sources else None
    paths = tuple(locate(text, keys, known, only=only) for text in order.paths)
    service = service_of(site, order.service)
    if service is not None and service.source not in keys:
        raise UnknownName(
            f"no backup holds {service.source}, on which service {service.name} lies",
            next_step="zrep list shows what there is",
        )
    return Wish(
        sources=() if order.paths else sources, paths=paths, service=service, mode=order.mode
    )


def _first(wish: Wish) -> SourceKey | None:
    places: tuple[Location, ...] = wish.paths
    keys = (*wish.sources, *(place.key for place in places))
    if wish.service is not None:
        keys = (*keys, wish.service.source)
    return keys[0] if keys else None
