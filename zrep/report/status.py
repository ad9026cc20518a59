"""How the last runs ended, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import humanize

from zrep.model.evidence import Evidence, State
from zrep.model.moment import iso
from zrep.model.run_record import Job, RunRecord, record_json
from zrep.report.table import render_table

if TYPE_CHECKING:
    from zrep.engine.overview import Overview

HEAD = ("VERB", "NAME", "LAST RUN", "RESULT", "LAST GOOD", "TROUBLE")


def render_status(seen: Overview, now: int) -> str:
    """One line for each job that is configured or has a record."""
    rows = [_row(seen, job, now) for job in _jobs(seen)]
    lines = [render_table(HEAD, rows) if rows else "nothing is configured, and nothing has run"]
    lines += [f"spoilt   {why}" for why in _spoilt(seen)]
    lines += [f"restore  {line}" for line in seen.restores]
    return "\n".join((*lines, *_drill_lines(seen, now)))


def _jobs(seen: Overview) -> list[Job]:
    recorded = (r.job for r in seen.records.values() if isinstance(r, RunRecord))
    return sorted({*seen.ages, *recorded})


def _spoilt(seen: Overview) -> list[str]:
    return [" ".join(r.split()) for r in seen.records.values() if isinstance(r, str)]


def _row(seen: Overview, job: Job, now: int) -> tuple[str, ...]:
    record = seen.records.get(job.stem)
    if not isinstance(record, RunRecord):
        why = "no record yet" if record is None else "its record is spoilt"
        return (job.verb.value, job.name, "never", "-", "never", why)
    good = record.last_good
    result = f"{record.result} ({record.exit})" if record.exit else record.result.value
    return (
        job.verb.value,
        job.name,
        _ago(record.ended, now),
        result,
        _ago(good.ended, now) if good else "never",
        _trouble(record, seen.ages.get(job), now),
    )


def _trouble(record: RunRecord, max_age: int | None, now: int) -> str:
    """What is wrong now, or when the next good run is overdue."""
    if record.still_paused:
        return f"containers may still be paused on {', '.join(record.still_paused)}"
    if record.error is not None:
        return record.why
    if max_age is None or record.last_good is None:
        return "-"
    left = record.last_good.ended + max_age - now
    return f"late in {_span(left)}" if left >= 0 else f"late for {_span(-left)}"


def _ago(moment: int, now: int) -> str:
    return f"{_span(now - moment)} ago" if moment <= now else iso(moment)


def _span(seconds: int) -> str:
    return str(humanize.naturaldelta(seconds))


def _drill_lines(seen: Overview, now: int) -> Iterator[str]:
    """The last drill, and the last that has passed where that is another one."""
    last, passed = seen.drill, seen.passed
    if isinstance(last, str):
        yield f"drill    {last}"
        return
    yield f"drill    {_drill_text(last, now)}"
    if passed != last:
        before = "none has passed yet" if passed is None else _drill_text(passed, now)
        yield f"         before that: {before}"


def _drill_text(drill: Evidence, now: int) -> str:
    says = f"{drill.id} of backup {drill.backup}: {drill.state}, {_ago(drill.started, now)}"
    if drill.state is not State.PASSED:
        return says
    return f"{says}; it took {_span(round(drill.seconds))}"


def status_json(seen: Overview, now: int) -> dict[str, object]:
    """Records as they stand in their files; `age` and `max_age` of the last good run in seconds."""
    return {
        "runs": [_job_json(seen, job, now) for job in _jobs(seen)],
        "spoilt": _spoilt(seen),
        "restores": list(seen.restores),
        "drill": _drill_json(seen),
    }


def _drill_json(seen: Overview) -> dict[str, object]:
    """`passed` is the last that did; `seconds` what it took, `mount_seconds` until files showed."""
    last, passed = seen.drill, seen.passed
    if isinstance(last, str):
        return {"state": last, "passed": None}
    told = passed and {
        "id": passed.id,
        "backup": passed.backup,
        "started": passed.started,
        "seconds": passed.seconds,
        "mount_seconds": passed.mount_seconds,
    }
    return {"id": last.id, "state": last.state, "passed": told}


def _job_json(seen: Overview, job: Job, now: int) -> dict[str, object]:
    record = seen.records.get(job.stem)
    known = record if isinstance(record, RunRecord) else None
    good = known.last_good if known else None
    return {
        "verb": job.verb.value,
        "name": job.name,
        "age": now - good.ended if good else None,
        "max_age": seen.ages.get(job),
        "record": record_json(known) if known else None,
    }
