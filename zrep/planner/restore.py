"""What a restore does, in which order and why; and what it refuses to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from zrep.errors import Refused, UnknownName, UsageError
from zrep.frozen import dataclass
from zrep.model.backup import Backup, State
from zrep.model.key import SourceKey
from zrep.model.restore import Item, Kind, Mode, RestorePlan, Step, exclude_inside
from zrep.model.source import Config, Service, Source
from zrep.planner.elsewhere import check_topology
from zrep.planner.locate import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to come back; everything without sources, paths and service.

    `mode` None means the usual one: side-by-side for paths, mirror for all else.
    """

    sources: tuple[SourceKey, ...] = ()
    paths: tuple[Location, ...] = ()
    service: Service | None = None
    mode: Mode | None = None

    @property
    def everything(self) -> bool:
        return not (self.sources or self.paths or self.service)


def plan_restore(config: Config, backup: Backup, wish: Wish, *, run: str) -> RestorePlan:
    """Refused, UsageError or UnknownName for what cannot or must not be done."""
    known = configured(config)
    if config.origin:
        check_topology(config, backup, _held(backup, wish), clusters=_mode(wish).disturbs)
    items = tuple(_items(backup, wish, known, run))
    _check_items(items)
    stopped = [] if wish.everything else stopped_for(config.services.values(), items)
    steps = _steps(_everyone(config) if wish.everything else (), stopped, items, config)
    asked = _everyone(config) if wish.everything or stopped else {i.key.host for i in items}
    return RestorePlan(
        run=run,
        backup=backup.id,
        items=items,
        services=tuple(service.name for service, _ in stopped),
        hosts=tuple(sorted(asked)),
        full=wish.everything,
        steps=tuple(steps),
        deployment=config.deployment,
        origin=config.origin,
    )


def configured(config: Config) -> Mapping[SourceKey, Source]:
    return {s.key: s for x in config.sets.values() for s in x.sources}


def _everyone(config: Config) -> tuple[str, ...]:
    """Every host whose containers could write to a source."""
    sets = config.sets.values()
    return tuple(sorted({h for s in sets for h in (*s.hosts, *s.paused_hosts)}))


def _held(backup: Backup, wish: Wish) -> tuple[SourceKey, ...]:
    """The sources that are wanted and are in the backup."""
    return tuple({key: None for key, _ in _wanted(backup, wish) if key in backup.keys})


def _items(
    backup: Backup, wish: Wish, known: Mapping[SourceKey, Source], run: str
) -> Iterator[Item]:
    mode = _mode(wish)
    for key, inside in _wanted(backup, wish):
        if key not in backup.keys:
            raise UnknownName(
                f"backup {backup.id} does not hold {key}",
                why=f"it holds {', '.join(map(str, sorted(backup.keys)))}",
                next_step="take another backup: zrep list",
            )
        if key not in known:
            raise Refused(
                f"{key} is no source of this configuration",
                why="nobody knows where it belongs now",
                next_step="name the sources to restore with --source, or look into it: zrep mount",
            )
        beside = mode is Mode.SIDE_BY_SIDE
        yield Item(
            key=key,
            inside=inside,
            to=f"{inside}.restored-{run}" if beside else inside,
            mode=mode,
            exclude=() if beside else _excluded(known[key], inside),
        )


def _excluded(source: Source, inside: str) -> tuple[str, ...]:
    """What was left out of the backup, as seen from the folder: it is left alone there too."""
    try:
        return exclude_inside(source.exclude, inside)
    except ValueError as error:
        raise Refused(
            str(error),
            where=f"{source.key}/{inside}",
            next_step="restore the whole source, or --mode side-by-side",
        ) from error


def _mode(wish: Wish) -> Mode:
    mode = wish.mode or (Mode.SIDE_BY_SIDE if wish.paths else Mode.MIRROR)
    whole = wish.everything or wish.sources or any(not place.parts for place in wish.paths)
    if wish.service:
        whole = "" in wish.service.paths
    if mode is Mode.SIDE_BY_SIDE and whole:
        raise Refused(
            "a whole source has no place beside it",
            next_step="name folders in it with --path, or take another --mode",
        )
    return mode


def _wanted(backup: Backup, wish: Wish) -> Iterator[tuple[SourceKey, str]]:
    if wish.service and (wish.sources or wish.paths):
        raise UsageError(
            "a service has its sources and paths in the configuration",
            next_step="leave out --source and --path, or leave out --service",
        )
    if wish.everything:
        _check_whole(backup)
        yield from ((key, "") for key in sorted(backup.keys))
    elif wish.service:
        yield from ((wish.service.source, path.strip("/")) for path in wish.service.paths)
    elif wish.paths:
        yield from ((place.key, "/".join(place.parts)) for place in wish.paths)
    else:
        yield from ((key, "") for key in wish.sources)


def _check_whole(backup: Backup) -> None:
    if backup.state is not State.COMPLETE:
        raise Refused(
            f"backup {backup.id} is {backup.state.value}: not everything would come back",
            next_step="take a complete one (zrep list), or name the sources with --source",
        )


def _check_items(items: Sequence[Item]) -> None:
    for one in items:
        for other in items:
            if one is not other and one.key == other.key and overlap(one.to, other.to):
                raise UsageError(
                    f"{one} and {other} lie in each other",
                    next_step="name only one of them, or restore them one after the other",
                )


def overlap(one: str, other: str) -> bool:
    """Whether one of two paths in a source is, or lies below, the other; "" is the top."""
    a, b = (f"{path.strip('/')}/".lstrip("/") for path in (one, other))
    return a.startswith(b) or b.startswith(a)


def stopped_for(services: Iterable[Service], items: Sequence[Item]) -> list[tuple[Service, str]]:
    """The services that must not run, each with the reason."""
    found = []
    for service in sorted(services, key=lambda s: s.name):
        touched = [
            item
            for item in items
            if item.mode.disturbs
            and item.key == service.source
            and any(overlap(item.to, path) for path in service.paths)
        ]
        if touched and service.swarm:
            found.append((service, f"its data lies in {touched[0]}"))
    return found


def _steps(
    halted: Sequence[str],
    stopped: Sequence[tuple[Service, str]],
    items: Sequence[Item],
    config: Config,
) -> Iterator[Step]:
    keys = sorted({item.key for item in items})
    yield from (_of_source(Kind.OPEN, key, "the host takes nothing before") for key in keys)
    for host in halted:
        yield Step(kind=Kind.HALT, subject=host, reason="its containers may write to any source")
    for service, reason in stopped:
        yield Step(kind=Kind.SERVICE_DOWN, subject=service.name, reason=reason)
    yield from _transfer(keys, items)
    yield from (_of_source(Kind.CLOSE, key, "nothing more is written") for key in keys)
    for program in config.scrub if config.origin else ():
        reason = f"what came of {config.origin} is made fit for {config.deployment}"
        yield Step(kind=Kind.SCRUB, subject=program, reason=reason)
    for service, _ in stopped:
        reason = "as many containers as before"
        yield Step(kind=Kind.SERVICE_UP, subject=service.name, reason=reason)
    for host in halted:
        yield Step(kind=Kind.UNHALT, subject=host, reason="docker runs again if it ran before")


def _transfer(keys: Sequence[SourceKey], items: Sequence[Item]) -> Iterator[Step]:
    for key in keys:
        if any(item.key == key and item.mode.replaces for item in items):
            yield _of_source(Kind.SAFETY, key, "what is there now can be had back")
    for item in items:
        yield _of_item(Kind.WRITE, item, f"{item.mode}, as {item.to or 'the whole source'}")
    for item in items:
        yield _of_item(Kind.VERIFY, item, "its content is compared byte by byte")


def _of_source(kind: Kind, key: SourceKey, reason: str) -> Step:
    return Step(kind=kind, subject=str(key), reason=reason, key=key)


def _of_item(kind: Kind, item: Item, reason: str) -> Step:
    return Step(kind=kind, subject=str(item), reason=reason, key=item.key, item=item)
