"""What the control key of one host may ask for during a restore. Writing is another key's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from zrep.frozen import dataclass
from zrep.source.capsule_json import BadReply, Fields, Problem, of_kind, parse_problem
from zrep.source.capsules import Capsules

# Longer than the capsules' own limits: they give up before we do.
SECONDS = {
    "restore-look": 120.0,
    "restore-open": 180.0,
    "restore-close": 180.0,
    "restore-safety": 400.0,
    "restore-discard": 900.0,
    "service-down": 500.0,
    "service-up": 500.0,
    "halt": 400.0,
    "unhalt": 400.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One source of a host as a place to write to; `left` seconds of its lease.

    `problem`: why nothing can be written there now. `opened_by` is a restore. `origin` is the
    deployment whose data the lease is for, empty for the host's own.
    """

    source: str
    path: str
    left: int
    problem: Problem | None
    opened_by: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLook:
    """A host as a restore finds it; `docker` is up, down or none; `halted` by which restore.

    `manager`: it can scale the swarm's services. `scaled` are services that are scaled down.
    `name` of `deployment` is what it takes itself for, if it was told.
    """

    docker: str
    manager: bool
    halted: str
    destinations: Mapping[str, Destination] = field(hash=False)
    scaled: tuple[str, ...] = ()
    deployment: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Safety:
    """What keeps a source's earlier state: `kind` lvm-thin, lvm-thick, zfs or folder.

    `reason` says why it is a folder, which keeps only what rsync moves into it.
    """

    source: str
    kind: str
    kept: str
    reason: str = ""

    @property
    def folder(self) -> str:
        """The folder's name in the source's root; empty for a snapshot."""
        return self.kept.rpartition("/")[2] if self.kind == "folder" else ""


class RestoreCapsules(Capsules):
    """The gate's verbs about a restore; `run` is the restore's id."""

    def look(self) -> HostLook:
        """Changes nothing."""
        return self._read(parse_look, self._do("restore-look"))

    def open(self, run: str, source: str, origin: str = "") -> int:
        """Let the restore key write there, data of `origin`; the seconds left of the lease."""
        whose = (f"from={origin}",) if origin else ()
        events = self._do("restore-open", f"run={run}", f"source={source}", *whose)
        return self._read(_parse_left, events)

    def close(self, run: str, source: str) -> None:
        """Returns when nobody writes there any more."""
        self._do("restore-close", f"run={run}", f"source={source}")

    def safety(self, run: str, source: str) -> Safety:
        """Keep what is there; what was kept for this restore before stays as it is."""
        return self._read(
            _parse_safety, self._do("restore-safety", f"run={run}", f"source={source}")
        )

    def discard(self, run: str, source: str) -> tuple[str, ...]:
        """Remove what was kept; names what is gone."""
        events = self._do("restore-discard", f"run={run}", f"source={source}")
        return self._read(lambda e: tuple(f.text("kept") for f in of_kind(e, "discarded")), events)

    def service_down(self, run: str, service: str) -> None:
        """Returns when all its containers are gone, on every node."""
        self._do("service-down", f"run={run}", f"service={service}")

    def service_up(self, run: str, service: str) -> None:
        """Returns when as many run as before it was taken down."""
        self._do("service-up", f"run={run}", f"service={service}")

    def halt(self, run: str) -> None:
        """Stop docker, also across a boot."""
        self._do("halt", f"run={run}")

    def unhalt(self, run: str) -> None:
        """Let docker run again, if it was halted and ran before."""
        self._do("unhalt", f"run={run}")

    def _do(self, verb: str, *words: str) -> tuple[Fields, ...]:
        return self._order(verb, words, SECONDS[verb])


def parse_look(events: Sequence[Fields]) -> HostLook:
    host = _one(events, "host")
    opened = {e.text("source"): e.text("run") for e in of_kind(events, "opened")}
    found = (_destination(e, opened) for e in of_kind(events, "destination"))
    return HostLook(
        docker=host.text("docker"),
        manager=host.flag("manager"),
        halted=host.text("halted", ""),
        destinations={d.source: d for d in found},
        scaled=tuple(e.text("service") for e in of_kind(events, "scaled")),
        deployment=host.text("deployment", ""),
        name=host.text("name", ""),
    )


def _destination(event: Fields, opened: Mapping[str, str]) -> Destination:
    source = event.text("source")
    return Destination(
        source=source,
        path=event.text("path"),
        left=int(event.number("left")),
        problem=None if event.flag("ok") else parse_problem(event),
        opened_by=opened.get(source, ""),
        origin=event.text("from", ""),
    )


def _parse_left(events: Sequence[Fields]) -> int:
    return int(_one(events, "opened").number("left"))


def _parse_safety(events: Sequence[Fields]) -> Safety:
    one = _one(events, "safety")
    return Safety(
        source=one.text("source"),
        kind=one.text("kind"),
        kept=one.text("kept"),
        reason=one.text("reason", ""),
    )


def _one(events: Sequence[Fields], kind: str) -> Fields:
    found = of_kind(events, kind)
    if len(found) != 1:
        raise BadReply(f"{len(found)} {kind} lines instead of one")
    return found[0]
