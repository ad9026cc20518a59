"""What is to be told of a run that has ended, with what is still true of the one before. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from zrep.errors import StillPaused, ZrepError, exit_of
from zrep.model.backup import Manifest, SourceRecord
from zrep.model.run_record import Captured, Good, RunRecord, SourceState

# An id for what is no error of zrep's: somebody or the system asked it to end.
SIGNAL, BUG = "signal", ZrepError.id
MAX_TEXT = 2_000


def conclude(
    begun: RunRecord, trouble: BaseException | None, *, previous: RunRecord | None
) -> RunRecord:
    """The record of a run that `trouble` ended or spoilt, without what a sync captured."""
    status = exit_of(trouble)
    good = Good(run=begun.run, ended=begun.ended) if trouble is None else None
    return replace(
        begun,
        exit=status,
        error=None if trouble is None else (_id(trouble, status), _text(trouble)),
        last_good=good or (previous.last_good if previous else None),
    )


def _id(trouble: BaseException, status: int) -> str:
    if isinstance(trouble, ZrepError):
        return trouble.id
    return SIGNAL if status > 128 else BUG


def _text(trouble: BaseException) -> str:
    if isinstance(trouble, ZrepError):
        return str(trouble)[:MAX_TEXT]
    return f"{type(trouble).__name__}: {trouble}".removesuffix(": ")[:MAX_TEXT]


def with_captured(
    record: RunRecord,
    trouble: BaseException | None,
    *,
    previous: RunRecord | None,
    keys: Sequence[str],
    published: tuple[Manifest, int] | None,
) -> RunRecord:
    """The record of a sync of the sources `keys`; `published`: the manifest and how many warnings.

    A run that was cut short has not seen whether the hosts of the one before run again.
    """
    before = previous.captured if previous else None
    goods = {k: s.last_good for k, s in before.sources.items()} if before else {}
    paused = trouble.hosts if isinstance(trouble, StillPaused) else ()
    if published is None:
        captured = Captured(
            backup="none",
            consistency=None,
            sources={k: SourceState(ok=False, last_good=goods.get(k)) for k in keys},
            pauses={},
            still_paused=tuple(sorted({*paused, *(before.still_paused if before else ())})),
            warnings=None,
        )
        return replace(record, captured=captured)
    manifest, warnings = published
    captured = Captured(
        backup=manifest.state.value,
        consistency=manifest.consistency.value,
        sources={str(r.key): _source(r, goods, record.ended) for r in manifest.sources},
        pauses={p.host: _seconds(p.milliseconds) for p in manifest.pauses},
        still_paused=tuple(sorted(paused)),
        warnings=warnings,
    )
    return replace(record, captured=captured)


def _source(record: SourceRecord, goods: Mapping[str, int | None], ended: int) -> SourceState:
    if not record.ok:
        return SourceState(ok=False, error=record.why, last_good=goods.get(str(record.key)))
    return SourceState(
        ok=True, files=record.files, bytes=record.size, deleted=record.deleted, last_good=ended
    )


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
