"""What is written down about the last runs, restores and drills: files of this machine alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zrep.engine.drill_evidence import shelf_in
from zrep.engine.restore_left import left_restores
from zrep.engine.run_records import read_records
from zrep.errors import ConfigError
from zrep.model.drill import Evidence
from zrep.model.run_record import Job
from zrep.model.source import Config
from zrep.planner.check_runs import Records, watched_jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """`ages` as of watched_jobs; `restores` are not done; `drill` is the last, or why unknown."""

    ages: Mapping[Job, int] = field(hash=False)
    records: Records = field(hash=False)
    restores: tuple[str, ...] = ()
    drill: Evidence | str = "none yet"


def observe_overview(config: Config) -> Overview:
    """ConfigError when the records cannot be read; what else may not be read says so."""
    state_dir = Path(config.keeping.state_dir)
    records = read_records(state_dir)
    return Overview(
        ages=watched_jobs(config),
        records=records,
        restores=left_restores(config.keeping),
        drill=_last_drill(state_dir),
    )


def _last_drill(state_dir: Path) -> Evidence | str:
    shelf = shelf_in(state_dir, "")
    if shelf.folder.exists() and not os.access(shelf.folder, os.R_OK | os.X_OK):
        return f"{shelf.folder} cannot be read"
    try:
        return next(iter(shelf.all()), "none yet")
    except ConfigError as error:
        return error.problems[0]
