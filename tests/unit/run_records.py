"""Records of runs as tests want them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from zrep.model.run_record import Captured, Good, Job, RunRecord, SourceState, Verb

NOW = 1_700_000_000
HOUR = 3_600
SYNC = Job(verb=Verb.SYNC, name="platform")
COPY = Job(verb=Verb.REPLICATE, name="offsite")
PRUNE = Job(verb=Verb.PRUNE)
KEY = "manager-1/docker"


def ran(job: Job = SYNC, *, hours: float = 5, good: float | None = 5, **fields: Any) -> RunRecord:
    """The last run and the last good one ended so many hours ago."""
    ended = NOW - int(hours * HOUR)
    source = SourceState(ok=True, files=3, bytes=4_096, deleted=1, last_good=ended)
    captured = Captured(
        backup="complete",
        consistency="cluster",
        sources={KEY: source},
        pauses={"manager-1": 1.84, "solr-1": None},
        still_paused=(),
        warnings=2,
    )
    record = RunRecord(
        job=job,
        run="20231114_170000",
        host="vault",
        version="1",
        began=ended - 611,
        ended=ended,
        seconds=611.2,
        last_good=None if good is None else Good(run="r", ended=NOW - int(good * HOUR)),
        captured=captured if job.verb is Verb.SYNC else None,
    )
    return replace(record, **fields)


def paused(*hosts: str) -> RunRecord:
    record = ran(exit=10, error=("source.still-paused", "the thaw failed"))
    assert record.captured is not None
    return replace(record, captured=replace(record.captured, still_paused=hosts))
