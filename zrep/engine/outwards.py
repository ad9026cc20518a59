"""Telling others how a run ended: the record of it, figures for Prometheus, signs of life.

All of it once the run is over, and all of it best effort: what watches never costs a backup.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from zrep import __version__
from zrep.engine.progress import Progress
from zrep.engine.run_records import read_record, replace_file, write_record
from zrep.engine.site import Site
from zrep.host.ping import ping
from zrep.model.backup import Manifest
from zrep.model.metrics import encode_metrics, metrics_file
from zrep.model.monitoring import Watch
from zrep.model.names import BackupId
from zrep.model.run_record import Job, RunRecord, Verb, encode_record
from zrep.planner.outwards import conclude, with_captured


class Outwards:
    """Around a run, within its lock. A run that is killed tells nothing; the last good one ages.

    `keys` are the sources of a sync. The run sets `run` once it has an id, `published` once there
    is a backup, with how many warnings, and `trouble` when it ends with one that it does not raise.
    """

    def __init__(
        self,
        site: Site,
        job: Job,
        progress: Progress,
        *,
        watch: Watch | None = None,
        keys: Sequence[str] = (),
    ) -> None:
        self.monitoring = site.config.monitoring
        self.state_dir = site.state_dir
        self.job = job
        self.progress = progress
        self.run: BackupId | None = None
        self.began = int(time.time())
        self.clock = time.monotonic()
        self.url = watch.ping if watch else ""
        self.rid = uuid.uuid4()
        self.keys = keys
        self.trouble: BaseException | None = None
        self.published: tuple[Manifest, int] | None = None
        self.warned: set[str] = set()

    def __enter__(self) -> Self:
        self._ping("/start", f"{self.job}: began")
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        record = self._record(self.trouble if error is None else error)
        with self._best_effort("the status of this run is not written"):
            write_record(self.state_dir, self.job, encode_record(record))
        if self.monitoring.metrics_dir:
            with self._best_effort("the metrics of this run are not written"):
                path = Path(self.monitoring.metrics_dir, metrics_file(self.job))
                replace_file(path, encode_metrics(record))
        self._ping(f"/{record.exit}" if record.exit else "", record.outcome)

    def _record(self, trouble: BaseException | None) -> RunRecord:
        previous: RunRecord | None = None
        with self._best_effort("what the run before told is lost"):
            previous = read_record(self.state_dir, self.job)
        begun = RunRecord(
            job=self.job,
            run=str(self.run or BackupId.at(datetime.fromtimestamp(self.began, UTC))),
            host=os.uname().nodename,
            version=__version__,
            began=self.began,
            ended=int(time.time()),
            seconds=time.monotonic() - self.clock,
        )
        record = conclude(begun, trouble, previous=previous)
        if self.job.verb is not Verb.SYNC:
            return record
        return with_captured(
            record, trouble, previous=previous, keys=self.keys, published=self.published
        )

    def _ping(self, path: str, text: str) -> None:
        if self.url:
            with self._best_effort("monitoring may not know of this run"):
                url = f"{self.url}{path}?rid={self.rid}"
                ping(url, text, timeout=self.monitoring.ping_timeout)

    @contextmanager
    def _best_effort(self, what: str) -> Iterator[None]:
        """Any error is told of, once, and is nothing else."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - not even a bug in here may cost a backup
            if what not in self.warned:
                self.progress.warn(f"{what}: {error}")
            self.warned.add(what)
