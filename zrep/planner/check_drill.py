"""Is the last drill that passed young enough, and did the last one pass at all? Pure."""

from __future__ import annotations

from collections.abc import Sequence

from zrep.model.check import Check, Level, Watched
from zrep.model.drill import Drilling
from zrep.model.evidence import Evidence, State
from zrep.planner.check_policy import age_text

# One that is running for longer is not running any more.
LONGEST = 86_400


def check_drills(drills: Sequence[Evidence], limits: Drilling, now: int) -> Check:
    """`drills` are newest first, and those whose signature does not hold are not among them."""
    last = next((d for d in drills if not _under_way(d, now)), None)
    good = next((d for d in drills if d.state is State.PASSED), None)
    age = now - good.started if good else None
    level, says = _judge(last, good, age, limits)
    figures = [_figure("drill_age", age, warn=limits.max_age, crit=2 * limits.max_age, level=level)]
    if good is not None:
        figures.append(_figure("drill_duration", round(good.seconds), level=Level.OK))
        figures.append(_figure("drill_mount", round(good.mount_seconds), level=Level.OK))
    # One line, in which a bar would begin the performance data.
    line = " ".join(says.split()).replace("|", "/")
    return Check(level=level, message=f"{level.name}: {line}", watched=tuple(figures))


def _under_way(drill: Evidence, now: int) -> bool:
    return drill.state is State.RUNNING and now - drill.started < LONGEST


def _judge(
    last: Evidence | None, good: Evidence | None, age: int | None, limits: Drilling
) -> tuple[Level, str]:
    if last is not None and last.state is not State.PASSED:
        why = last.error.splitlines()[0] if last.error else _first_failure(last)
        return Level.CRITICAL, f"drill {last.id} of backup {last.backup} failed: {why}"
    if good is None or age is None:
        return Level.CRITICAL, "no drill has passed yet"
    says = f"drill {good.id} of backup {good.backup} passed {age_text(age)} ago"
    if age > 2 * limits.max_age:
        return Level.CRITICAL, f"{says} ({age_text(2 * limits.max_age)} allowed)"
    if age > limits.max_age:
        return Level.WARNING, f"{says} ({age_text(limits.max_age)} allowed)"
    return Level.OK, says


def _first_failure(drill: Evidence) -> str:
    if not drill.failed:
        return "it was interrupted"
    first = drill.failed[0]
    return f"{first.check} of {first.subject}: {first.says}"


def _figure(name: str, value: int | None, *, warn: int = 0, crit: int = 0, level: Level) -> Watched:
    return Watched(name=name, value=value, unit="s", warn=warn, crit=crit, level=level)
