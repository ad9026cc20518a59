"""What is told of the last run of a set, of a replica and of pruning, and its form in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, field
from enum import StrEnum
from typing import Any

from zrep.errors import Exit
from zrep.frozen import dataclass
from zrep.model.moment import iso

SCHEMA = 1


class Verb(StrEnum):
    """What leaves a record."""

    SYNC = "sync"
    REPLICATE = "replicate"
    PRUNE = "prune"


class Result(StrEnum):
    """How a run ended, by its exit status."""

    GOOD = "good"
    PARTIAL = "partial"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Job:
    """What runs again and again: a verb on a set or a replica; there is one target to prune."""

    verb: Verb
    name: str = "target"

    def __str__(self) -> str:
        return f"{self.verb} {self.name}"

    @property
    def stem(self) -> str:
        """Of file names: `sync-platform`, `prune`."""
        return self.verb.value if self.verb is Verb.PRUNE else f"{self.verb}-{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """The last run that ended with 0, and when it ended, in epoch seconds."""

    run: str
    ended: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """One source in the last run; `ok`: what was published contains it.

    Counts are None when it is not, `last_good` is when it last was, in epoch seconds.
    """

    ok: bool
    error: str | None = None
    files: int | None = None
    bytes: int | None = None
    deleted: int | None = None
    last_good: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """What a sync came to; `backup` is complete, partial or none.

    `pauses` in seconds by host, None where it was not told; `warnings` None when it was cut short.
    """

    backup: str
    consistency: str | None
    sources: Mapping[str, SourceState] = field(hash=False)
    pauses: Mapping[str, float | None] = field(hash=False)
    still_paused: tuple[str, ...]
    warnings: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """The last run of a job: epoch seconds, its exit status, and what went wrong if anything."""

    job: Job
    run: str
    host: str
    version: str
    began: int
    ended: int
    seconds: float
    exit: int = 0
    error: tuple[str, str] | None = None
    last_good: Good | None = None
    captured: Captured | None = None

    @property
    def result(self) -> Result:
        found = {int(Exit.DONE): Result.GOOD, int(Exit.PARTIAL): Result.PARTIAL}
        return found.get(self.exit, Result.FAILED)

    @property
    def still_paused(self) -> tuple[str, ...]:
        return self.captured.still_paused if self.captured else ()

    @property
    def why(self) -> str:
        """What went wrong, in one line; empty when nothing did."""
        return self.error[1].partition("\n")[0] if self.error else ""

    @property
    def outcome(self) -> str:
        """One line."""
        words = f"{self.job} {self.run}: {self.result}, exit {self.exit}, {self.seconds:.1f} s"
        return f"{words}: {self.why}" if self.error else words


def record_json(record: RunRecord) -> dict[str, Any]:
    """As it stands in its file; docs/monitoring.md explains the fields."""
    good, error = record.last_good, record.error
    return {
        "schema": SCHEMA,
        "version": record.version,
        "verb": record.job.verb.value,
        "name": record.job.name,
        "run": record.run,
        "host": record.host,
        "began": record.began,
        "began_time": iso(record.began),
        "ended": record.ended,
        "ended_time": iso(record.ended),
        "seconds": round(record.seconds, 1),
        "result": record.result.value,
        "exit": record.exit,
        "error": {"id": error[0], "text": error[1]} if error else None,
        "last_good": {**asdict(good), "time": iso(good.ended)} if good else None,
        **(asdict(record.captured) if record.captured else {}),
    }


def encode_record(record: RunRecord) -> str:
    return json.dumps(record_json(record), indent=2) + "\n"


def decode_record(text: str) -> RunRecord:
    """ValueError for what encode_record has not written."""
    try:
        words = json.loads(text)
        if words["schema"] != SCHEMA:
            raise ValueError("of another schema")
        return _record(words)
    except (KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"not a record of a run: {error!r}") from error


def _record(words: dict[str, Any]) -> RunRecord:
    good, error = words["last_good"], words["error"]
    job = Job(verb=Verb(words["verb"]), name=str(words["name"]))
    return RunRecord(
        job=job,
        run=str(words["run"]),
        host=str(words["host"]),
        version=str(words["version"]),
        began=int(words["began"]),
        ended=int(words["ended"]),
        seconds=float(words["seconds"]),
        exit=int(words["exit"]),
        error=(str(error["id"]), str(error["text"])) if error else None,
        last_good=Good(run=str(good["run"]), ended=int(good["ended"])) if good else None,
        captured=_captured(words) if job.verb is Verb.SYNC else None,
    )


def _captured(words: dict[str, Any]) -> Captured:
    consistency = words["consistency"]
    return Captured(
        backup=str(words["backup"]),
        consistency=None if consistency is None else str(consistency),
        sources={str(key): _source(value) for key, value in words["sources"].items()},
        pauses={str(h): None if s is None else float(s) for h, s in words["pauses"].items()},
        still_paused=tuple(map(str, words["still_paused"])),
        warnings=_count(words["warnings"]),
    )


def _source(words: dict[str, Any]) -> SourceState:
    error = words["error"]
    return SourceState(
        ok=words["ok"] is True,
        error=None if error is None else str(error),
        **{name: _count(words[name]) for name in ("files", "bytes", "deleted", "last_good")},
    )


def _count(value: Any) -> int | None:
    return None if value is None else int(value)
