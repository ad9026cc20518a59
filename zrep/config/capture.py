"""The keys of a source that only some methods take, read as its method wants them."""

from __future__ import annotations

import re
from dataclasses import field

from zrep.config.schema import Section
from zrep.config.values import Wrong, duration, integer, matching, one_of, shown, size, text
from zrep.frozen import dataclass
from zrep.model.methods import METHOD_KEYS, METHODS, CaptureMethod
from zrep.model.source import Database, Dump, Method, PoolLimits, Preparation, Prepare

_DAY = 86_400
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_AMOUNT = r"([1-9]\d{0,5})([kmgt])"
_SWARM_SERVICE = matching(r"[A-Za-z0-9][A-Za-z0-9_.\-]*", "the name of a Docker Swarm service")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """How one source is captured, but for what all methods have in common."""

    volume: str = ""
    size: str = "20%ORIGIN"
    pool: PoolLimits = field(default_factory=PoolLimits)
    heals_max: int = 0
    dump: Dump | None = None
    prepare: Preparation | None = None


def read_capture(section: Section, how: Method) -> Capture:
    """What `how` takes; a key that it does not take is a problem."""
    method = METHODS[how]
    for key in METHOD_KEYS:
        if key in section.values and key not in _keys(section, method):
            section.note(f"is for {_methods_with(key)} only, not for {how}", key)
    limit = integer(1, 100)
    usual = PoolLimits()
    return Capture(
        volume=_volume(section, how),
        size=section.get_or("size", size, "20%ORIGIN"),
        pool=PoolLimits(
            data=section.get_or("data_max", limit, usual.data),
            metadata=section.get_or("metadata_max", limit, usual.metadata),
        ),
        heals_max=section.get_or("heals_max", integer(0, 1_000_000), 0),
        dump=_dump(section) if how is Method.DUMP else None,
        prepare=_prepare(section) if how is not Method.DUMP else None,
    )


def _keys(section: Section, method: CaptureMethod) -> tuple[str, ...]:
    """`service` belongs to a dump, or to what is prepared."""
    return (*method.keys, *(("service",) if "prepare" in section.values else ()))


def _methods_with(key: str) -> str:
    names = [how.value for how, method in METHODS.items() if key in method.keys]
    return " and ".join((", ".join(names[:-1]), names[-1]) if len(names) > 1 else names)


def _volume(section: Section, how: Method) -> str:
    method = METHODS[how]
    if not method.volume:
        return ""
    parse = matching(method.volume, method.volume_words)
    missing = f"is missing: {_article(how)} {how} source needs {method.volume_words}"
    return section.need("volume", parse, missing) or ""


def _article(how: Method) -> str:
    return "an" if how is Method.LVM else "a"


def _dump(section: Section) -> Dump | None:
    database = section.need("database", one_of(Database), "is missing: which kind of dump?")
    service = section.need("service", _SWARM_SERVICE, "is missing: whose database is dumped?")
    min_bytes = section.get_or("min_size", _byte_count, 1024)
    max_shrink = section.get_or("max_shrink", integer(1, 100), 50)
    max_time = section.get_or("max_time", duration(10, _DAY), 3600)
    if database is None or service is None:
        return None
    return Dump(
        database=database,
        service=service,
        min_bytes=min_bytes,
        max_shrink=max_shrink,
        max_time=max_time,
    )


def _prepare(section: Section) -> Preparation | None:
    if "prepare" not in section.values:
        return None
    kind = section.get("prepare", one_of(Prepare))
    service = section.need("service", _SWARM_SERVICE, "is missing: which service is prepared?")
    return Preparation(kind=kind, service=service) if kind and service else None


def _byte_count(value: object) -> int:
    match = re.fullmatch(_AMOUNT, text(value), re.IGNORECASE)
    if match is None:
        raise Wrong(f"must be a size like 10k or 5m, not {shown(value)}")
    return int(match[1]) * _UNITS[match[2].lower()]
