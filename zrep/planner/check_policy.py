"""Are the newest snapshots as young as the dataset sections want them? In sanoid's words.

A plan from values, like all planners: the settings in force, the pool, and the time. By default a
limit that warns counts without one that cries out; bug-for-bug all is as sanoid has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from zrep.model.ages import age_seconds
from zrep.model.autosnap import autosnap_class, sanoid_class
from zrep.model.check import Check, Level, Watched, worst
from zrep.model.names import SnapClass, parse_label
from zrep.model.policy import SCHEDULED, Policy
from zrep.model.pool_view import PoolView, Taken
from zrep.model.sanoid import Compat, number
from zrep.planner.effective import Effective
from zrep.planner.section_policy import policies

DAY, HOUR, MINUTE = 86_400, 3_600, 60
SANOIDS_YEAR = 31 * 365 * DAY


def check_snapshots(
    effective: Sequence[Effective], pool: PoolView, now: int, compat: Compat = Compat.DEFAULT
) -> Check:
    """The newest snapshot of each class that a section wants, at `now` (epoch seconds)."""
    if compat is Compat.BUG_FOR_BUG:
        seen = _listed(effective, pool)
        monitored = [e for e in effective if _sanoid_monitors(e)]
        watched = [w for e in monitored for w in _watch_as_sanoid(e, seen, now)]
    else:
        policy_for = policies()
        monitored = [e for e in effective if policy_for(e).monitor.enabled]
        watched = [w for e in monitored for w in _watch(e, policy_for(e), pool, now)]
    said = _in_order(w.says for w in watched if w.says)
    paths = _in_order(e.path for e in monitored)
    return Check(
        level=worst(tuple(w.level for w in watched)),
        message=said or f"OK: all monitored datasets ({paths}) have fresh snapshots",
        watched=tuple(watched),
    )


def age_text(seconds: int) -> str:
    """Days, hours and minutes from the first that is not zero, and seconds.

    104400 -> 1d 5h 0m 0s; 5460 -> 1h 31m 0s; 2 -> 2s
    """
    counts = (
        (seconds // DAY, "d"),
        (seconds % DAY // HOUR, "h"),
        (seconds % HOUR // MINUTE, "m"),
        (seconds % MINUTE, "s"),
    )
    first = next((i for i, (count, _) in enumerate(counts) if count), len(counts) - 1)
    return " ".join(f"{count}{unit}" for count, unit in counts[first:])


def _in_order(texts: Iterable[str]) -> str:
    return ", ".join(sorted(texts, key=lambda t: (t.lower(), t)))


def _watch(section: Effective, policy: Policy, pool: PoolView, now: int) -> Iterator[Watched]:
    newest = _newest(pool.snapshots.get(section.path, ()))
    for snap_class in SCHEDULED:
        alarm = policy.monitor.alarms[snap_class]
        if not policy.count(snap_class) or not (alarm.warn or alarm.crit):
            continue
        age = now - newest[snap_class] if snap_class in newest else None
        level = _level(age, alarm.warn, alarm.crit)
        yield _watched(section, snap_class, age, warn=alarm.warn, crit=alarm.crit, level=level)


def _newest(taken: Sequence[Taken]) -> dict[SnapClass, int]:
    """Creation by class; a backup of zrep's counts for all classes in its name."""
    newest: dict[SnapClass, int] = {}
    for snap, creation in taken:
        for snap_class in _classes(snap):
            newest[snap_class] = max(creation, newest.get(snap_class, creation))
    return newest


def _classes(snap: str) -> tuple[SnapClass, ...]:
    label = parse_label(snap)
    if label is not None:
        return label.classes
    found = autosnap_class(snap)
    return () if found is None else (found,)


def _level(age: int | None, warn: int, crit: int) -> Level:
    """Without a snapshot the sharpest limit there is has been passed."""
    if crit and (age is None or age > crit):
        return Level.CRITICAL
    if warn and (age is None or age > warn):
        return Level.WARNING
    return Level.OK


def _watched(
    section: Effective,
    snap_class: SnapClass,
    age: int | None,
    *,
    warn: int,
    crit: int,
    level: Level,
) -> Watched:
    """What is said of it, and how far that may reach into the exit status."""
    dumb = {
        Level.WARNING: section.is_on("monitor_dont_warn"),
        Level.CRITICAL: section.is_on("monitor_dont_crit"),
    }
    limit = crit if level is Level.CRITICAL else warn
    return Watched(
        name=section.path,
        snap_class=snap_class,
        value=age,
        unit="s",
        warn=warn,
        crit=crit,
        level=Level.OK if dumb.get(level) else level,
        says=_says(section.path, snap_class, age, limit, level) if level else "",
    )


def _says(path: str, snap_class: SnapClass, age: int | None, limit: int, level: Level) -> str:
    word = {Level.WARNING: "WARN", Level.CRITICAL: "CRIT"}[level]
    if age is None:
        return f"{word}: {path} has no {snap_class} snapshots at all!"
    old = f"{path} newest {snap_class} snapshot is {age_text(age)} old"
    return f"{word}: {old} (should be < {age_text(limit)})"


def _sanoid_monitors(section: Effective) -> bool:
    if section.section.startswith("template") or section.is_on("process_children_only"):
        return False
    return section.is_on("monitor")


def _listed(effective: Sequence[Effective], pool: PoolView) -> PoolView:
    """What sanoid sees: only what it takes or prunes something of, if that is all there."""
    roots = {e.path for e in effective if e.takes or e.prunes}
    if not roots or not roots <= set(pool.datasets):
        return pool
    seen = {
        dataset: taken
        for dataset, taken in pool.snapshots.items()
        if any(dataset == root or dataset.startswith(f"{root}/") for root in roots)
    }
    return PoolView(datasets=pool.datasets, snapshots=seen)


def _watch_as_sanoid(section: Effective, pool: PoolView, now: int) -> Iterator[Watched]:
    newest = {
        found: creation
        for snap, creation in pool.snapshots.get(section.path, ())
        if (found := sanoid_class(snap))
    }
    for snap_class in SCHEDULED:
        if number(section.values[snap_class]) == 0:
            continue
        warn, crit = (_sanoids_age(section, f"{snap_class}_{level}") for level in ("warn", "crit"))
        age = now - newest[snap_class] if snap_class in newest else None
        if age == -1:  # what it writes for none
            age = None
        # Past the limit that cries out, be it 0, it never looks at the one that warns.
        late = age is None or age > crit
        level = _level(age, 0, crit) if late else _level(age, warn, 0)
        yield _watched(section, snap_class, age, warn=warn, crit=crit, level=level)


def _sanoids_age(section: Effective, key: str) -> int:
    """A year of its has 31 times 365 days, and a text that is no age is a second."""
    text = section.values[key]
    seconds = age_seconds(key, text)
    if seconds is None:
        return 1
    return int(text[:-1]) * SANOIDS_YEAR if text[-1:] in {"y", "Y"} else seconds
