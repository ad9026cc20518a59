"""Typed reading of what capsules print: one JSON object per line, from hosts we do not trust. Pure.

Every error says which line and which field was bad; text keeps printable characters only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import field

from zrep.frozen import dataclass
from zrep.model.mounts import HostMounts, Mount

MAX_OUTPUT = 1024 * 1024
MAX_TEXT = 500


class BadReply(ValueError):
    """A capsule printed what it should not."""


@dataclass(frozen=True, slots=True)
class Fields:
    """One JSON object with the place where it stands, for error messages."""

    place: str
    values: Mapping[str, object] = field(hash=False)

    def text(self, key: str, default: str | None = None) -> str:
        value = self._get(key, default)
        if not isinstance(value, str):
            raise self._bad(key, "not a text")
        return "".join(c if c.isprintable() else " " for c in value)[:MAX_TEXT]

    def number(self, key: str, default: float | None = None) -> float:
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._bad(key, "not a number")
        return value

    def flag(self, key: str) -> bool:
        value = self._get(key, None)
        if not isinstance(value, bool):
            raise self._bad(key, "neither true nor false")
        return value

    def inner(self, key: str) -> Fields:
        value = self._get(key, None)
        if not isinstance(value, dict):
            raise self._bad(key, "not an object")
        return Fields(f"{self.place}.{key}", value)

    def _get(self, key: str, default: object) -> object:
        value = self.values.get(key)
        if value is None:
            value = default
        if value is None:
            raise self._bad(key, "missing")
        return value

    def _bad(self, key: str, why: str) -> BadReply:
        return BadReply(f"{self.place}.{key}: {why}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a source cannot be captured or can no longer be believed; `source` may be empty."""

    source: str
    code: str
    why: str
    next_step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """What a probe says of one source."""

    set_name: str
    source: str
    problem: Problem | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A snapshot or mount that an earlier run left; `run`, `set_name` are empty when not known."""

    set_name: str
    source: str
    run: str
    volume: str
    intact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Containers that a run holds paused; `armed`: the host will let them go by itself."""

    set_name: str
    run: str
    containers: int
    armed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """A source host as it is now. `clock` in epoch seconds, digests of capsules and source.conf.

    `quiesce` are the reasons why a set's containers could not be paused, by set.
    """

    capsules: str
    config: str
    rsync: str
    clock: int
    sources: tuple[SourceState, ...]
    leftovers: tuple[Leftover, ...]
    quiesce: Mapping[str, Problem] = field(default_factory=dict, hash=False)
    holds: tuple[Hold, ...] = ()
    docker: HostMounts = field(default_factory=HostMounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One source's snapshot, mounted, readable as an rsync module; `created` in epoch seconds."""

    source: str
    kind: str
    module: str
    device: str
    created: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Whether a snapshot still holds what was captured; `fill` of its COW area in percent."""

    source: str
    problem: Problem | None
    fill: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiesced:
    """A host's containers held still; `docker` false: it has none, so nothing was paused.

    `exempt` were left running on purpose. Instants in milliseconds, on the host's monotonic clock
    (`began`, `held`) and since the epoch by its own clock (`began_at`, `held_at`); `pause` and
    `timer` in seconds, as installed there.
    """

    docker: bool
    containers: int
    exempt: int
    pause: int
    timer: int
    began: int
    held: int
    began_at: int
    held_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Thawed:
    """What a run's pause was on one host, once nothing of it is paused any more.

    `expired`: not the run ended it, but the timer or somebody else. `escaped` containers ran again
    before it ended, or were gone.
    """

    set_name: str
    run: str
    containers: int
    escaped: int
    milliseconds: int
    expired: bool


def parse_events(text: str) -> tuple[Fields, ...]:
    """The objects of a capsule's stdout, in order."""
    if len(text) > MAX_OUTPUT:
        raise BadReply(f"more than {MAX_OUTPUT} characters")
    return tuple(_event(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip())


def _event(number: int, line: str) -> Fields:
    place = f"line {number}"
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadReply(f"{place}: not JSON: {line[:80]!r}") from error
    if not isinstance(value, dict):
        raise BadReply(f"{place}: not an object")
    return Fields(place, value)


def of_kind(events: Sequence[Fields], kind: str) -> tuple[Fields, ...]:
    return tuple(e for e in events if e.text("event") == kind)


def is_finished(events: Sequence[Fields], verb: str) -> bool:
    """The last line says so: output that was cut off is not mistaken for all of it."""
    return bool(events) and events[-1].text("event") == "done" and events[-1].text("verb") == verb


def parse_problems(events: Sequence[Fields]) -> tuple[Problem, ...]:
    return tuple(parse_problem(e) for e in of_kind(events, "error"))


def parse_problem(event: Fields) -> Problem:
    return Problem(
        source=event.text("source", ""),
        code=event.text("code"),
        why=event.text("why"),
        next_step=event.text("next", ""),
    )


def parse_probe(events: Sequence[Fields]) -> ProbeReport:
    hosts = of_kind(events, "host")
    if len(hosts) != 1:
        raise BadReply(f"{len(hosts)} host lines instead of one")
    (host,) = hosts
    return ProbeReport(
        capsules=host.text("capsules"),
        config=host.text("config"),
        rsync=host.text("rsync", ""),
        clock=int(host.number("clock")),
        sources=tuple(_source_state(e) for e in of_kind(events, "source")),
        leftovers=tuple(_leftover(e) for e in of_kind(events, "leftover")),
        quiesce={
            e.text("set"): parse_problem(e) for e in of_kind(events, "quiesce") if not e.flag("ok")
        },
        holds=parse_holds(events),
        docker=_mounts(events),
    )


_MOUNT = ("container", "kind", "path")


def _mounts(events: Sequence[Fields]) -> HostMounts:
    engines = of_kind(events, "engine")
    if not engines:
        return HostMounts()
    return HostMounts(
        mounts=tuple(
            Mount(**{k: e.text(k, "") for k in _MOUNT}, writable=e.flag("writable"))
            for e in of_kind(events, "mount")
        ),
        root=engines[0].text("root"),
        swarm=engines[0].text("swarm") == "active",
        known=True,
    )


def parse_holds(events: Sequence[Fields]) -> tuple[Hold, ...]:
    return tuple(_hold(e) for e in of_kind(events, "held"))


def _hold(event: Fields) -> Hold:
    return Hold(
        set_name=event.text("set"),
        run=event.text("run"),
        containers=int(event.number("containers")),
        armed=event.flag("armed"),
    )


def _source_state(event: Fields) -> SourceState:
    return SourceState(
        set_name=event.text("set"),
        source=event.text("source"),
        problem=None if event.flag("ok") else parse_problem(event),
    )


def _leftover(event: Fields) -> Leftover:
    return Leftover(
        set_name=event.text("set", ""),
        source=event.text("source"),
        run=event.text("run", ""),
        volume=event.text("volume", ""),
        intact=event.flag("intact"),
    )


def parse_prepared(events: Sequence[Fields]) -> tuple[Prepared, ...]:
    return tuple(
        Prepared(
            source=e.text("source"),
            kind=e.text("kind"),
            module=e.text("module"),
            device=e.text("device"),
            created=int(e.number("created")),
        )
        for e in of_kind(events, "prepared")
    )


def parse_captured(events: Sequence[Fields]) -> Mapping[str, int]:
    """When each source was captured, whether it can be read already or not; epoch seconds."""
    found = (*of_kind(events, "captured"), *of_kind(events, "prepared"))
    return {e.text("source"): int(e.number("created")) for e in found}


def parse_checked(events: Sequence[Fields]) -> tuple[Checked, ...]:
    return tuple(
        Checked(
            source=e.text("source"),
            problem=None if e.flag("ok") else parse_problem(e),
            fill=_fill(e),
        )
        for e in of_kind(events, "check")
    )


def _fill(event: Fields) -> float | None:
    facts = event.inner("facts")
    return facts.number("fill") if facts.values.get("fill") is not None else None


def parse_quiesced(events: Sequence[Fields]) -> Quiesced:
    found = of_kind(events, "quiesced")
    if len(found) != 1:
        raise BadReply(f"{len(found)} quiesced lines instead of one")
    (one,) = found
    numbers = ("containers", "exempt", "pause", "timer", "began", "held", "began_at", "held_at")
    return Quiesced(docker=one.flag("docker"), **{key: int(one.number(key)) for key in numbers})


def parse_thawed(events: Sequence[Fields]) -> tuple[Thawed, ...]:
    return tuple(
        Thawed(
            set_name=e.text("set"),
            run=e.text("run"),
            containers=int(e.number("containers")),
            escaped=int(e.number("escaped")),
            milliseconds=int(e.number("paused_ms")),
            expired=e.flag("expired"),
        )
        for e in of_kind(events, "thawed")
    )


def parse_released(events: Sequence[Fields]) -> tuple[str, ...]:
    """What was taken away: `SOURCE of run RUN` or a volume."""
    kept = [f"{e.text('source')} of run {e.text('run')}" for e in of_kind(events, "released")]
    return (*kept, *(e.text("volume") for e in of_kind(events, "removed")))
