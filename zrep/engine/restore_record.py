"""The record of a restore: one JSON file, on disk before each step, from which it can be resumed.

It says what was asked for and how far it came; what is there now is asked of ZFS and of the hosts.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from zrep.engine.state_files import json_files, unreadable
from zrep.errors import ConfigError, Refused, UnknownName, ZrepError
from zrep.frozen import dataclass

FOLDER = "restores"
_ID = re.compile(r"\d{8}_\d{6}")


class Progressed(StrEnum):
    """How far a restore came."""

    RUNNING = "running"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What was asked for, as on the command line, and what came of it; times in epoch seconds.

    `verified`: all is written and compared, and services may have been started: from then on
    nothing is written any more. `scrubbed`: all programs for that have run. `safety` is what was
    kept by source; `step` is the one that was begun last. `deployment` is written to, with data
    of `origin` if that is another one; `replica`: the backup came from there.
    """

    id: str
    backup: str
    sources: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    service: str = ""
    mode: str = ""
    origin: str = ""
    deployment: str = ""
    replica: str = ""
    owner: str = ""
    session: str = ""
    state: Progressed = Progressed.RUNNING
    step: str = ""
    verified: bool = False
    scrubbed: bool = False
    safety: Mapping[str, str] = field(default_factory=dict, hash=False)
    discarded: bool = False
    error: str = ""
    started: int = 0
    ended: int = 0


class Records:
    """All records below `<state_dir>/restores`."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / FOLDER

    def write(self, record: Record) -> None:
        """Complete and on disk, or not at all."""
        path = self.folder / f"{record.id}.json"
        new = path.with_suffix(".new")
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            with new.open("w", encoding="utf-8") as file:
                json.dump(asdict(record), file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
            _sync_folder(self.folder)
        except OSError as error:
            raise ConfigError(
                (f"state_dir: cannot write {path}: {error.strerror}",),
                next_step="run as the user that owns state_dir; nothing is restored unrecorded",
            ) from error

    def read(self, name: str) -> Record:
        """UnknownName when there is none; ConfigError when it cannot be read."""
        path = self.folder / f"{name}.json"
        try:
            if _ID.fullmatch(name) and path.is_file():
                return _parse(json.loads(path.read_text(encoding="utf-8")))
        except PermissionError as error:
            raise unreadable(path, error) from error
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ConfigError(
                (f"{path}: cannot be read: {error}",), next_step="move the file away"
            ) from error
        raise UnknownName(f"no restore {name!r}", next_step="see: zrep restore --list")

    def all(self) -> tuple[Record, ...]:
        """Newest first."""
        return tuple(self.read(name) for name in self.names())

    def names(self) -> list[str]:
        """Newest first. ConfigError when they may not be read."""
        return [path.stem for path in json_files(self.folder)]

    def unfinished(self, name: str | None) -> Record:
        """The restore of that name, or the only one that is not done."""
        if name is not None:
            record = self.read(name)
            if record.state is Progressed.DONE:
                raise Refused(f"restore {name} is done", next_step="see: zrep restore --list")
            return record
        left = [r for r in self.all() if r.state is not Progressed.DONE]
        if len(left) == 1:
            return left[0]
        names = ", ".join(r.id for r in left)
        raise UnknownName(
            "which restore?" if left else "no restore is unfinished",
            why=names,
            next_step=f"name one: zrep restore --resume {left[0].id}" if left else "",
        )


def _parse(words: dict[str, Any]) -> Record:
    lists = {key: tuple(map(str, words[key])) for key in ("sources", "paths")}
    safety = {str(k): str(v) for k, v in dict(words["safety"]).items()}
    state = Progressed(words["state"])
    return Record(**{**words, **lists, "safety": safety, "state": state})


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Keeper:
    """The record of the restore under way, written at every change."""

    def __init__(self, records: Records, record: Record) -> None:
        self.records = records
        self.record = record

    def change(self, **fields: object) -> None:
        self.record = replace(self.record, **fields)  # type: ignore[arg-type]
        self.records.write(self.record)

    def keep(self, source: str, what: str) -> None:
        self.change(safety={**self.record.safety, source: what})

    def __enter__(self) -> Self:
        self.change(state=Progressed.RUNNING, error="", ended=0)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        now = int(time.time())
        if error is None:
            self.change(state=Progressed.DONE, step="", ended=now)
        else:
            words = str(error) if isinstance(error, ZrepError) else repr(error)
            self.change(state=Progressed.FAILED, error=words, ended=now)
