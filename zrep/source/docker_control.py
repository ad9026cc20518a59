"""Asking a host for the state of docker, and to stop or start it as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from zrep.frozen import dataclass
from zrep.source.capsule_json import BadReply, Fields, Hold, of_kind, parse_holds
from zrep.source.capsules import Capsules


class Engine(StrEnum):
    """Whether docker runs on a host; `none`: it is not installed."""

    UP = "up"
    DOWN = "down"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One paused container; `ours`: a run of zrep holds it."""

    name: str
    ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerStatus:
    """One host: how many containers run, which stand still, and what runs hold."""

    engine: Engine
    running: int
    paused: tuple[Standing, ...] = ()
    holds: tuple[Hold, ...] = ()


class DockerControl(Capsules):
    """The gate's verbs about docker itself."""

    def status(self) -> DockerStatus:
        return self._read(parse_status, self._ask("docker-status"))

    def stop(self) -> DockerStatus:
        """Busy while a run holds containers there; SourceFailed unless it is proven stopped."""
        return self._read(parse_status, self._ask("docker-stop"))

    def start(self) -> DockerStatus:
        """Returns when docker answers."""
        return self._read(parse_status, self._ask("docker-start"))


def parse_status(events: Sequence[Fields]) -> DockerStatus:
    found = of_kind(events, "docker")
    if len(found) != 1:
        raise BadReply(f"{len(found)} docker lines instead of one")
    (one,) = found
    word = one.text("engine")
    if word not in [e.value for e in Engine]:
        raise BadReply(f"{one.place}.engine: {word!r} is no state of docker")
    return DockerStatus(
        engine=Engine(word),
        running=int(one.number("running")),
        paused=tuple(
            Standing(name=e.text("name"), ours=e.flag("ours")) for e in of_kind(events, "standing")
        ),
        holds=parse_holds(events),
    )
