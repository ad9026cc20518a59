"""A second pair of eyes on the plan of a restore, written apart from the planner. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from zrep.errors import InvariantBroken
from zrep.model.backup import Backup
from zrep.model.restore import STARTING, STOPPING, Item, Kind, Mode, RestorePlan, Step
from zrep.model.source import Config


def check_restore(plan: RestorePlan, config: Config, backup: Backup) -> None:
    """InvariantBroken, naming everything that is wrong; nothing was changed then."""
    problems = [
        *_order(plan),
        *_pairs(plan),
        *_places(plan, config, backup),
        *_stops(plan, config),
        *_elsewhere(plan, config),
    ]
    if problems:
        raise InvariantBroken(
            "the plan of the restore is not safe",
            why="; ".join(problems),
            next_step="report this: it is a mistake in zrep",
        )


def _order(plan: RestorePlan) -> Iterator[str]:
    writes = _at(plan, Kind.WRITE)
    if not writes:
        yield "nothing is written"
        return
    if any(n > writes[0] for n in (*_at(plan, *STOPPING), *_at(plan, Kind.OPEN, Kind.SAFETY))):
        yield "something is stopped, opened or kept only after the first write"
    if any(n < writes[-1] for n in _at(plan, Kind.VERIFY, Kind.CLOSE)):
        yield "something is verified or closed before the last write"
    proofs = (*_at(plan, Kind.VERIFY), *_at(plan, Kind.CLOSE))
    if any(n < max(proofs) for n in _at(plan, *STARTING, Kind.SCRUB)):
        yield "something is started or scrubbed before all is verified and closed"
    if any(n < max(_at(plan, Kind.SCRUB), default=0) for n in _at(plan, *STARTING)):
        yield "something is started before all is scrubbed"


def _at(plan: RestorePlan, *kinds: Kind) -> list[int]:
    return [n for n, step in enumerate(plan.steps) if step.kind in kinds]


def _pairs(plan: RestorePlan) -> Iterator[str]:
    """What is opened is closed, what is written is verified, what is stopped is started."""
    pairs = {
        Kind.OPEN: Kind.CLOSE,
        Kind.WRITE: Kind.VERIFY,
        Kind.SERVICE_DOWN: Kind.SERVICE_UP,
        Kind.HALT: Kind.UNHALT,
    }
    for first, last in pairs.items():
        if _subjects(plan, first) != _subjects(plan, last):
            yield f"{first} and {last} do not match"
    for step in plan.of(Kind.WRITE):
        if _host_and_name(step) not in _subjects(plan, Kind.OPEN):
            yield f"{step.subject} is written without being opened"
        replaces = step.item is None or step.item.mode in (Mode.MIRROR, Mode.OVERWRITE)
        if replaces and _host_and_name(step) not in _subjects(plan, Kind.SAFETY):
            yield f"{step.subject} is replaced, and nothing of it is kept"


def _subjects(plan: RestorePlan, kind: Kind) -> list[str]:
    return sorted(step.subject for step in plan.steps if step.kind is kind)


def _host_and_name(step: Step) -> str:
    return "/".join(step.subject.split("/")[:2])


def _places(plan: RestorePlan, config: Config, backup: Backup) -> Iterator[str]:
    sources = {str(s.key) for x in config.sets.values() for s in x.sources}
    held = {str(key) for key in backup.keys}
    for item in plan.items:
        if str(item.key) not in sources & held:
            yield f"{item.key} is not both configured and in the backup"
        if any(part in {"", ".", ".."} for part in item.to.split("/") if item.to):
            yield f"{item.to!r} is no place inside {item.key}"
        if (item.to == item.inside) == (item.mode is Mode.SIDE_BY_SIDE):
            yield f"{item} goes to {item.to!r} in mode {item.mode}"
    if plan.backup != backup.id:
        yield f"the plan is for backup {plan.backup}, not for {backup.id}"


def _stops(plan: RestorePlan, config: Config) -> Iterator[str]:
    """No service works with what is changed under it, unless docker is halted everywhere."""
    halted = set(_subjects(plan, Kind.HALT))
    if halted:
        left = {s.key.host for x in config.sets.values() for s in x.sources} - halted
        if left:
            yield f"docker runs on {', '.join(sorted(left))}"
        return
    down = set(_subjects(plan, Kind.SERVICE_DOWN))
    for service in config.services.values():
        if not service.swarm or service.name in down:
            continue
        if any(_touches(item, str(service.source), service.paths) for item in plan.items):
            yield f"service {service.name} runs on what is restored"


def _elsewhere(plan: RestorePlan, config: Config) -> Iterator[str]:
    """Only hosts of the deployment that is written to, and all its programs if it is another."""
    if (plan.deployment, plan.origin) != (config.deployment, config.origin):
        yield f"the plan is for deployment {plan.deployment}, not for {config.deployment}"
    strangers = {*plan.hosts, *(item.key.host for item in plan.items)} - config.hosts.keys()
    if strangers:
        yield f"{', '.join(sorted(strangers))} is no host of {config.deployment}"
    due = list(config.scrub) if config.origin and config.origin != config.deployment else []
    if [step.subject for step in plan.of(Kind.SCRUB)] != due:
        yield "not all that scrubs foreign data runs, or it runs on the platform's own"


def _touches(item: Item, source: str, paths: tuple[str, ...]) -> bool:
    if item.mode is Mode.SIDE_BY_SIDE or str(item.key) != source:
        return False
    own = tuple(filter(None, item.to.split("/")))
    for path in paths:
        theirs = tuple(filter(None, path.split("/")))
        if own[: len(theirs)] == theirs or theirs[: len(own)] == own:
            return True
    return False
