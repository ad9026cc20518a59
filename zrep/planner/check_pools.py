"""Are the pools well, and is there room left in them? In sanoid's words.

Pools come in the order of their names. A pool that is not there is critical, and is named first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from zrep.errors import ConfigError
from zrep.frozen import dataclass
from zrep.model.check import Check, Level, Watched, worst
from zrep.model.pool_status import PoolFill, PoolStatus, Vdev
from zrep.model.sanoid import Compat
from zrep.planner.effective import Effective

_PREFIX = {Level.OK: "", Level.WARNING: "*** WARNING *** ", Level.CRITICAL: "*** CRITICAL *** "}
_HEALTH = {"ONLINE": Level.OK, "DEGRADED": Level.WARNING}
_WELL = frozenset({"ONLINE", "AVAIL", "INUSE"})
_LIMIT = re.compile(r"\d+", re.ASCII)
_UNITS = ("", "K", "M", "G", "T", "P", "E")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How full a pool may be, in per cent; 0 is no limit."""

    warn: int
    crit: int


def pools_of(effective: Iterable[Effective]) -> list[str]:
    """The pools of all configured datasets, by name."""
    return sorted({_pool(e.path) for e in effective})


def capacity_limits(
    effective: Sequence[Effective], compat: Compat = Compat.DEFAULT
) -> Mapping[str, Limits]:
    """The limits of each pool that has one, by its name.

    They are those of the pool's own section; without one, those of its first. ConfigError for
    limits of which sanoid would die, which only bug-for-bug are still there.
    """
    literal = compat is Compat.BUG_FOR_BUG
    found: dict[str, Limits] = {}
    for one in effective:
        name = one.section if literal else one.path
        limits = Limits(warn=_limit(one, "capacity_warn"), crit=_limit(one, "capacity_crit"))
        if literal and not (limits.warn or limits.crit):
            continue
        if "/" not in name or _pool(name) not in found:
            found[_pool(name)] = limits
    return {pool: found[pool] for pool in sorted(found) if found[pool].warn or found[pool].crit}


def check_capacity(
    limits: Mapping[str, Limits],
    capacities: Mapping[str, int],
    compat: Compat = Compat.DEFAULT,
) -> Check:
    """`capacities` in per cent; a pool without one does not answer."""
    there = [
        Watched(
            name=pool,
            value=capacities[pool],
            unit="%",
            warn=limit.warn,
            crit=limit.crit,
            level=(level := _fill_level(capacities[pool], limit)),
            says=f"{level.name} ZPOOL {pool} : {capacities[pool]}%",
        )
        for pool, limit in limits.items()
        if pool in capacities
    ]
    return _result(there, [pool for pool in limits if pool not in capacities], compat)


def check_health(
    pools: Sequence[str],
    statuses: Mapping[str, PoolStatus],
    compat: Compat = Compat.DEFAULT,
) -> Check:
    """`statuses` by pool; a pool without one does not answer."""
    there = [_health(statuses[pool]) for pool in pools if pool in statuses]
    return _result(there, [pool for pool in pools if pool not in statuses], compat)


def zfs_size(count: int | None) -> str:
    """Bytes as `zpool list` prints them: at most five characters.

    4262780928 -> 3.97G; 107374182400 -> 100G; 1536 -> 1.50K; None -> -
    """
    if count is None:
        return "-"
    index = 0
    while count >> (10 * (index + 1)) and index < len(_UNITS) - 1:
        index += 1
    unit = _UNITS[index]
    whole, rest = divmod(count, 1 << (10 * index))
    if not rest:
        return f"{whole}{unit}"
    value = count / (1 << (10 * index))
    texts = (f"{value:.{digits}f}{unit}" for digits in (2, 1))
    return next((text for text in texts if len(text) <= 5), f"{value:.0f}{unit}")


def _result(there: Sequence[Watched], missing: Sequence[str], compat: Compat) -> Check:
    """A pool that is missing is named without a prefix; sanoid says only that, and ends."""
    level = Level.CRITICAL if missing else worst(tuple(w.level for w in there))
    lost = [f"CRITICAL ZPOOL {{{p}}} does not exist and/or is not responding!" for p in missing]
    said = ", ".join([*lost, *(w.says for w in there)]).rstrip()
    if missing and compat is Compat.BUG_FOR_BUG:
        said = lost[0]
    return Check(
        level=level,
        message=said if missing else _PREFIX[level] + said,
        watched=tuple(there),
    )


def _fill_level(capacity: int, limits: Limits) -> Level:
    if limits.crit and capacity >= limits.crit:
        return Level.CRITICAL
    return Level.WARNING if limits.warn and capacity >= limits.warn else Level.OK


def _health(status: PoolStatus) -> Watched:
    fill = status.fill
    level, damage = _damage(_HEALTH.get(fill.health, Level.CRITICAL), status.vdevs)
    return Watched(
        name=fill.name,
        value=fill.capacity,
        unit="%",
        warn=0,
        crit=0,
        level=level,
        says=f"{level.name} ZPOOL {fill.name} : {fill.health} {_figures(fill)} {damage}",
    )


def _figures(fill: PoolFill) -> str:
    capacity = "-" if fill.capacity is None else f"{fill.capacity}%"
    return f"{{Size:{zfs_size(fill.size)} Free:{zfs_size(fill.free)} Cap:{capacity}}}"


def _damage(level: Level, vdevs: Iterable[Vdev]) -> tuple[Level, str]:
    """The pool's level, which its devices may raise, and a note on each that is not well.

    While the pool itself is well only lost devices and counted errors are worth a note.
    """
    notes = []
    for vdev in vdevs:
        if level is Level.OK and vdev.state == "UNAVAIL":
            level = Level.WARNING
        if level is Level.OK or vdev.state in _WELL:
            if vdev.errors:
                level = max(level, Level.WARNING)
                notes.append(f"({vdev.name}:{', '.join(vdev.errors)} errors) ")
        else:
            notes.append(_note(vdev))
    return level, "".join(notes)


def _note(vdev: Vdev) -> str:
    """Sanoid marks the depth: <mirror-0:DEGRADED>, sdb:UNAVAIL, (replaced:OFFLINE)."""
    marks = {1: "<{}> ", 3: "({}) "}
    return marks.get(vdev.depth, "{} ").format(f"{vdev.name}:{vdev.state}")


def _limit(section: Effective, key: str) -> int:
    text = section.values[key]
    if not _LIMIT.fullmatch(text) or int(text) > 100:
        why = f"{section.section}: {key} must be per cent from 0 to 100, not {text!r}"
        raise ConfigError((why,), next_step="write a whole number; sanoid dies of this one")
    return int(text)


def _pool(name: str) -> str:
    return name.partition("/")[0]
