"""A restore as values: what is brought back, how, in which steps, and what came of it."""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase

from zrep.frozen import dataclass
from zrep.model.key import SourceKey
from zrep.model.names import BackupId


class Mode(StrEnum):
    """What happens to what is there.

    mirror: it becomes the backup, what the backup does not have is deleted. overwrite: what the
    backup has is brought back, all else stays. missing-only: nothing that is there is changed.
    side-by-side: what is there stays, the backup's is put next to it under another name.
    """

    MIRROR = "mirror"
    OVERWRITE = "overwrite"
    MISSING_ONLY = "missing-only"
    SIDE_BY_SIDE = "side-by-side"

    @property
    def replaces(self) -> bool:
        """Files that are there may be changed or deleted."""
        return self in (Mode.MIRROR, Mode.OVERWRITE)

    @property
    def disturbs(self) -> bool:
        """Whoever works with the files may notice: it must be stopped first."""
        return self is not Mode.SIDE_BY_SIDE


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Item:
    """One tree or file: `inside` the source, empty for all of it, is brought back as `to`."""

    key: SourceKey
    inside: str
    to: str
    mode: Mode
    exclude: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.key}/{self.inside}" if self.inside else str(self.key)


class Kind(StrEnum):
    """What a step does; all of them may be done again without harm."""

    OPEN = "open"
    HALT = "halt"
    SERVICE_DOWN = "service-down"
    SAFETY = "safety"
    WRITE = "write"
    VERIFY = "verify"
    CLOSE = "close"
    SCRUB = "scrub"
    SERVICE_UP = "service-up"
    UNHALT = "unhalt"


# Those that let services run again: none of them before all that was written is verified.
STARTING = (Kind.SERVICE_UP, Kind.UNHALT)
STOPPING = (Kind.SERVICE_DOWN, Kind.HALT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`subject` is a host, service, source, item or program, by kind; `reason` in words."""

    kind: Kind
    subject: str
    reason: str
    key: SourceKey | None = None
    item: Item | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePlan:
    """`run` names the restore: modules, snapshots and records carry it. `hosts` are all it asks.

    `full`: docker is halted on `hosts` instead of services being scaled. `deployment` is the one
    that is written to; `origin` whose data comes, if that is another one's.
    """

    run: str
    backup: BackupId
    items: tuple[Item, ...]
    services: tuple[str, ...]
    hosts: tuple[str, ...]
    full: bool
    steps: tuple[Step, ...]
    deployment: str = ""
    origin: str = ""

    @property
    def keys(self) -> tuple[SourceKey, ...]:
        return tuple(sorted({item.key for item in self.items}))

    def of(self, *kinds: Kind) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.kind in kinds)


# How many names a Change remembers.
EXAMPLES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a transfer would do, or did: files and folders, and the bytes of files to be sent.

    `attributes` are owners, modes and times alone. `examples` are the first few, as rsync says it.
    """

    new: int = 0
    changed: int = 0
    attributes: int = 0
    deleted: int = 0
    size: int = 0
    examples: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        return not (self.new or self.changed or self.attributes or self.deleted)

    def __add__(self, other: Change) -> Change:
        return Change(
            new=self.new + other.new,
            changed=self.changed + other.changed,
            attributes=self.attributes + other.attributes,
            deleted=self.deleted + other.deleted,
            size=self.size + other.size,
            examples=(*self.examples, *other.examples)[:EXAMPLES],
        )


def exclude_inside(patterns: tuple[str, ...], inside: str) -> tuple[str, ...]:
    """A source's patterns as they read for a transfer of one folder in it.

    ("/cache", "*.tmp") inside "var"  -> ("*.tmp",)
    ("/var/*/lock",)    inside "var/a" -> ("/lock",)
    ValueError for one that cannot be told (`**` on the way).
    """
    found = (_pattern_inside(pattern, inside) for pattern in patterns)
    return tuple(pattern for pattern in found if pattern)


def _pattern_inside(pattern: str, inside: str) -> str:
    if not inside or not pattern.startswith("/"):
        return pattern
    steps, way = pattern[1:].split("/"), inside.split("/")
    if any("**" in step for step in steps[: len(way)]):
        raise ValueError(f"cannot tell what {pattern!r} leaves out of {inside}")
    fits = all(fnmatchcase(name, step) for step, name in zip(steps, way, strict=False))
    rest = "/".join(steps[len(way) :])
    return f"/{rest}" if fits and rest else ""
