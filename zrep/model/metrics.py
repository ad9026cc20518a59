"""A record of a run as the text that node_exporter's textfile collector reads.

No timestamps: the collector refuses them. Files of several jobs are read together, so a metric's
help is the same in all of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from zrep.model.run_record import Job, RunRecord

HELP = {
    "zrep_last_success_timestamp_seconds": "When the last good run ended; with source, when it "
    "was last part of a backup.",
    "zrep_last_run_status": "Exit status of the last run: 0 good, 4 partial, others failed.",
    "zrep_last_run_timestamp_seconds": "When the last run ended.",
    "zrep_last_run_duration_seconds": "How long the last run took.",
    "zrep_source_files": "Files of the source in the last backup.",
    "zrep_source_bytes": "Bytes of the source in the last backup.",
    "zrep_source_deleted_files": "Files that the last run deleted from the copy of the source.",
    "zrep_paused_seconds": "How long containers of the host stood still in the last run.",
    "zrep_paused_hosts": "Hosts that did not confirm that their containers run again.",
}

Sample = tuple[str, dict[str, str], float | None]


def metrics_file(job: Job) -> str:
    return f"zrep_{job.stem.replace('-', '_', 1)}.prom"


def encode_metrics(record: RunRecord) -> str:
    """What is not known has no line."""
    job = {"verb": record.job.verb.value, "name": record.job.name}
    known = [(n, {**job, **more}, v) for n, more, v in _samples(record) if v is not None]
    lines: list[str] = []
    for name, words in HELP.items():
        found = [f"{name}{_labels(labels)} {_number(v)}" for n, labels, v in known if n == name]
        if found:
            lines += [f"# HELP {name} {words}", f"# TYPE {name} gauge", *found]
    return "\n".join(lines) + "\n"


def _samples(record: RunRecord) -> Iterator[Sample]:
    good = record.last_good
    yield "zrep_last_success_timestamp_seconds", {}, good.ended if good else None
    yield "zrep_last_run_status", {}, record.exit
    yield "zrep_last_run_timestamp_seconds", {}, record.ended
    yield "zrep_last_run_duration_seconds", {}, record.seconds
    if record.captured is None:
        return
    for key, source in record.captured.sources.items():
        where = {"source": key}
        yield "zrep_last_success_timestamp_seconds", where, source.last_good
        yield "zrep_source_files", where, source.files
        yield "zrep_source_bytes", where, source.bytes
        yield "zrep_source_deleted_files", where, source.deleted
    for host, seconds in record.captured.pauses.items():
        yield "zrep_paused_seconds", {"host": host}, seconds
    yield "zrep_paused_hosts", {}, len(record.still_paused)


def _labels(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{key}="{escape(value)}"' for key, value in labels.items()) + "}"


def escape(value: str) -> str:
    """As it stands between the quotes of a label."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"
