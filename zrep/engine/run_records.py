"""The records of runs, one JSON file each below `<state_dir>/status`, which anybody may read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from zrep.errors import ConfigError
from zrep.model.run_record import Job, RunRecord, decode_record

FOLDER = "status"


def write_record(state_dir: Path, job: Job, text: str) -> None:
    """The folders are made for all to pass; one that is there already keeps the mode it has."""
    for folder in (state_dir, state_dir / FOLDER):
        if not folder.is_dir():
            folder.mkdir(parents=True)
            folder.chmod(0o755)
    replace_file(_path(state_dir, job), text)


def _path(state_dir: Path, job: Job) -> Path:
    return state_dir / FOLDER / f"{job.stem}.json"


def replace_file(path: Path, text: str) -> None:
    """Whole, on disk and readable for all, or as it was.

    What has the temporary name is removed, never followed: the folder may be somebody else's.
    """
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with new.open("x", encoding="utf-8", errors="replace") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def read_record(state_dir: Path, job: Job) -> RunRecord | None:
    """None when there is none; OSError or ValueError when there is one that says nothing."""
    path = _path(state_dir, job)
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    record = decode_record(text)
    if record.job != job:
        raise ValueError(f"{path}: is of {record.job}")
    return record


def read_records(state_dir: Path) -> Mapping[str, RunRecord | str]:
    """By the stems of their files; of one that says nothing why. ConfigError without access."""
    folder = state_dir / FOLDER
    try:
        paths = sorted(folder.iterdir())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(
            (f"state_dir: cannot read {folder}: {error.strerror}",),
            next_step=f"let others pass it: chmod o+x {state_dir}",
        ) from error
    return {path.stem: _read(path) for path in paths if path.suffix == ".json"}


def _read(path: Path) -> RunRecord | str:
    try:
        record = decode_record(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return f"{path}: {error}"
    return record if record.job.stem == path.stem else f"{path}: is of {record.job}"
