"""Restores that were begun and are not done, in words for those who watch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from zrep.engine.lock import exclusive
from zrep.engine.restore_begin import lock_name
from zrep.engine.restore_record import Progressed, Record, Records
from zrep.errors import Busy, ConfigError
from zrep.model.housekeeping import Housekeeping


def left_restores(keeping: Housekeeping) -> tuple[str, ...]:
    """One line each, newest first; none of a restore that is at work now."""
    records = Records(Path(keeping.state_dir))
    if not records.folder.exists():
        return ()
    if not os.access(records.folder, os.R_OK | os.X_OK):
        return (f"{records.folder} cannot be read: restores may be unfinished",)
    return tuple(_left(records, Path(keeping.run_dir)))


def _left(records: Records, run_dir: Path) -> Iterator[str]:
    for name in records.names():
        try:
            record = records.read(name)
        except ConfigError as error:
            yield error.problems[0]
            continue
        if record.state is not Progressed.DONE and not _at_work(record, run_dir):
            yield (
                f"restore {name} is not done, services may be down: zrep restore --resume {name}"
            )


def _at_work(record: Record, run_dir: Path) -> bool:
    """Where there is no lock nothing can hold it."""
    name = lock_name(record.deployment, record.origin)
    if record.state is not Progressed.RUNNING or not (run_dir / f"{name}.lock").exists():
        return False
    try:
        with exclusive(run_dir, name):
            return False
    except Busy:
        return True
