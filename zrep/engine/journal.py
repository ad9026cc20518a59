"""The run journal: one JSON line per intent and outcome, on disk before the deed.

It only remembers. What must be undone after a crash is found in ZFS and on the source hosts.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import IO, Self

from zrep.errors import ConfigError, ZrepError

# A year of daily runs, or two weeks of hourly ones, of each verb.
KEPT = 400


class Journal:
    """Appends to `<state_dir>/runs/<run>-<verb>.jsonl`, from any thread; every line is fsynced.

    When a run ends, all but the newest KEPT journals of its verb are removed.
    """

    def __init__(self, state_dir: Path, verb: str, run: str) -> None:
        self.path = state_dir / "runs" / f"{run}-{verb}.jsonl"
        self._verb = verb
        self._kind = f"{verb}.jsonl"
        self._file: IO[str] | None = None
        self._lock = Lock()

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            self._file = self.path.open("a", encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                (f"state_dir: cannot write {self.path}: {error.strerror}",),
                next_step="run as the user that owns state_dir, or set state_dir",
            ) from error
        self.note("start", verb=self._verb, pid=os.getpid())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.note("end", ok=error is None, error=_describe(error))
        if self._file:
            self._file.close()
            self._forget()

    def _forget(self) -> None:
        """Names begin with the run, so they sort by age."""
        same = (p for p in self.path.parent.iterdir() if p.name.partition("-")[2] == self._kind)
        for old in sorted(same)[:-KEPT]:
            # What cannot be removed costs room; the run has succeeded or failed without it.
            with suppress(OSError):
                old.unlink()

    def note(self, event: str, **fields: object) -> None:
        """Write one line and wait until it is on disk."""
        if self._file is None:
            return
        line = {"at": round(time.time(), 3), "event": event, **fields}
        with self._lock:
            self._file.write(json.dumps(line, default=str) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    @contextmanager
    def step(self, name: str, **fields: object) -> Iterator[None]:
        """Journal the intent before and the outcome after one step."""
        self.note("intent", step=name, **fields)
        try:
            yield
        except BaseException as error:
            self.note("failed", step=name, error=_describe(error), **fields)
            raise
        self.note("done", step=name, **fields)


def _describe(error: BaseException | None) -> str | None:
    if error is None:
        return None
    return str(error) if isinstance(error, ZrepError) else f"{type(error).__name__}: {error}"
