"""What is written down about the last runs, restores and drills: files of this machine alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from zrep.engine.drill_evidence import shelf_in
from zrep.engine.restore_left import left_restores
from zrep.engine.run_records import read_records
from zrep.errors import ConfigError
from zrep.frozen import dataclass
from zrep.model.evidence import Evidence, State
from zrep.model.run_record import Job
from zrep.model.source import Config
from zrep.planner.check_runs import Records, watched_jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """`ages` as of watched_jobs; `restores` are not done; `drill` is the last, or why unknown.

    `passed` is the last drill that has passed: how long it took is how long a restore may take.
    """

    ages: Mapping[Job, int] = field(hash=False)
    records: Records = field(hash=False)
    restores: tuple[str, ...] = ()
    drill: Evidence | str = "none yet"
    passed: Evidence | None = None


def observe_overview(config: Config) -> Overview:
    """ConfigError when the records cannot be read; what else may not be read says so."""
    state_dir = Path(config.keeping.state_dir)
    last, passed = _last_drills(state_dir)
    return Overview(
        ages=watched_jobs(config),
        records=read_records(state_dir),
        restores=left_restores(config.keeping),
        drill=last,
        passed=passed,
    )


def _last_drills(state_dir: Path) -> tuple[Evidence | str, Evidence | None]:
    """The last one, or why it is not known, and the last that has passed."""
    shelf = shelf_in(state_dir, "")
    if shelf.folder.exists() and not os.access(shelf.folder, os.R_OK | os.X_OK):
        return f"{shelf.folder} cannot be read", None
    try:
        drills = shelf.all()
    except ConfigError as error:
        return error.problems[0], None
    passed = (drill for drill in drills if drill.state is State.PASSED)
    return next(iter(drills), "none yet"), next(passed, None)
