"""Is the last good run of every set and replica young enough, and did the last one end well? Pure.

The age decides, so that a zrep that does not run at all becomes critical by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from zrep.errors import UnknownName
from zrep.model.check import Check, Level, Watched, worst
from zrep.model.run_record import Job, Result, RunRecord, Verb
from zrep.model.source import Config
from zrep.planner.check_policy import age_text

Records = Mapping[str, RunRecord | str]
"""By Job.stem; text is why a record says nothing."""

# A record of the future is a wrong clock, under which nothing would ever be old.
SKEW = 300


def watched_jobs(config: Config, names: Sequence[str] = ()) -> dict[Job, int]:
    """The max_age in seconds of each set and replica, or of those of that name."""
    ages = {Job(verb=Verb.SYNC, name=n): s.watch.max_age for n, s in config.sets.items()}
    ages |= {Job(verb=Verb.REPLICATE, name=n): r.watch.max_age for n, r in config.replicas.items()}
    known = sorted({job.name for job in ages})
    for name in names:
        if name not in known:
            raise UnknownName(f"no set and no replica {name!r}", why=", ".join(known))
    return {job: age for job, age in ages.items() if not names or job.name in names}


def check_runs(ages: Mapping[Job, int], records: Records, now: int) -> Check:
    """`ages` as of watched_jobs; `now` in epoch seconds."""
    figures = [w for job, age in ages.items() for w in _figures(job, age, records, now)]
    level = worst(tuple(w.level for w in figures)) if ages else Level.UNKNOWN
    worst_first = sorted((w for w in figures if w.says), key=lambda w: -w.level)
    said = [w.says for w in worst_first if w.level or not level]
    # One line, in which a bar would begin the performance data.
    line = " ".join("; ".join(said or ("nothing is configured to run",)).split()).replace("|", "/")
    return Check(level=level, message=f"{level.name}: {line}", watched=tuple(figures))


def _figures(job: Job, max_age: int, records: Records, now: int) -> Iterator[Watched]:
    record = records.get(job.stem)
    known = record if isinstance(record, RunRecord) else None
    age = now - known.last_good.ended if known and known.last_good else None
    level, says = judge(job, record, max_age, now)
    yield Watched(
        name=f"{job.stem}_age",
        value=age,
        unit="s",
        warn=max_age,
        crit=2 * max_age,
        level=level,
        says=says,
    )
    if known:
        length = round(known.seconds)
        yield Watched(name=f"{job.stem}_duration", value=length, unit="s", warn=0, crit=0)


def judge(job: Job, record: RunRecord | str | None, max_age: int, now: int) -> tuple[Level, str]:
    """What one job comes to, in words that name it."""
    if isinstance(record, str):
        return Level.CRITICAL, f"the record of {job} says nothing: {record}"
    if record is None:
        return Level.CRITICAL, f"{job} has never run"
    if record.still_paused:
        hosts = ", ".join(record.still_paused)
        return Level.CRITICAL, f"{job}: containers may still be paused on {hosts}: zrep recover"
    level, age = _judge_age(record, max_age, now)
    if record.result is Result.GOOD:
        return level, f"{job} {age}"
    return max(level, Level.WARNING), f"{job} {age}, its last run was {_how(record)}: {record.why}"


def _how(record: RunRecord) -> str:
    return "partial" if record.result is Result.PARTIAL else f"a failure (exit {record.exit})"


def _judge_age(record: RunRecord, max_age: int, now: int) -> tuple[Level, str]:
    if record.last_good is None:
        return Level.CRITICAL, "has never ended well"
    age = now - record.last_good.ended
    if age < -SKEW:
        return Level.CRITICAL, f"ended well {age_text(-age)} from now: the clock is wrong"
    says = f"ended well {age_text(max(0, age))} ago"
    if age > 2 * max_age:
        return Level.CRITICAL, f"{says} ({age_text(2 * max_age)} allowed)"
    if age > max_age:
        return Level.WARNING, f"{says} ({age_text(max_age)} allowed)"
    return Level.OK, says
