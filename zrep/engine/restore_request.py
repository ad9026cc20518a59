"""From words on the command line, or in a record, to the plan of a restore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from zrep.engine.requests import place_of, service_of, source_named
from zrep.engine.restore_record import Record, Records
from zrep.engine.site import Site
from zrep.errors import Refused, UnknownName, UsageError
from zrep.frozen import dataclass
from zrep.model.backup import Backup
from zrep.model.key import SourceKey
from zrep.model.names import BackupId
from zrep.model.restore import Mode, RestorePlan
from zrep.model.source import Config
from zrep.planner.backups import check_one_set, resolve
from zrep.planner.check_restore import check_restore
from zrep.planner.elsewhere import destination_of
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
    replica: str | None = None

    @property
    def record(self) -> Record:
        return Record(
            id=self.run,
            backup=self.backup,
            sources=self.sources,
            paths=self.paths,
            service=self.service or "",
            mode=self.mode.value if self.mode else "",
            replica=self.replica or "",
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
        replica=record.replica or None,
    )


def into(config: Config, to: str | None) -> Config:
    """The configuration of the deployment that is written to; Refused when it takes nothing."""
    return destination_of(config, config.deployment if to is None else to)


def recorded(config: Config, name: str | None, *, unfinished: bool) -> Config:
    """That of the deployment to which a recorded restore went, which must still be what it was."""
    records = Records(Path(config.keeping.state_dir))
    record = records.unfinished(name) if unfinished else records.read(name or "")
    origin = record.origin or record.deployment
    if origin and origin != config.deployment:
        raise Refused(
            f"restore {record.id} is of deployment {origin}",
            why=f"this configuration backs up {config.deployment}",
            next_step="name the configuration with which it was begun: zrep --config FILE restore",
        )
    return into(config, record.deployment if record.origin else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan that was checked, the backup it is of, and an order that names that one alone."""

    plan: RestorePlan
    backup: Backup
    order: Order

    @property
    def record(self) -> Record:
        """A new one, of a restore that was not begun."""
        return replace(self.order.record, origin=self.plan.origin, deployment=self.plan.deployment)


def plan_order(site: Site, order: Order) -> Planned:
    """Reads the target or the replica; every refusal that needs no host comes from here."""
    backups = place_of(site, order.replica).backups()
    wish = _wish(site, backups, order)
    having = _first(wish)
    if having is None:
        check_one_set(backups, order.backup)
    backup = resolve(backups, order.backup, having=having)
    plan = plan_restore(site.config, backup, wish, run=order.run)
    check_restore(plan, site.config, backup)
    named = replace(
        order,
        backup=str(backup.id),
        sources=tuple(map(str, wish.sources)),
        paths=tuple(map(str, wish.paths)),
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
