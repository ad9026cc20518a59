"""A restore that is not done is told by those who watch, until somebody goes on with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from zrep.engine.lock import exclusive
from zrep.engine.restore_left import left_restores
from zrep.engine.restore_record import Progressed, Record, Records
from zrep.model.check import Check, Level
from zrep.model.housekeeping import Housekeeping
from zrep.planner.check_restores import with_restores

RUN, LATER = "20260102_030405", "20260102_040506"


@pytest.fixture
def keeping(tmp_path: Path) -> Housekeeping:
    return Housekeeping(state_dir=str(tmp_path / "state"), run_dir=str(tmp_path / "run"))


def records(keeping: Housekeeping, *found: Record) -> Records:
    made = Records(Path(keeping.state_dir))
    for record in found:
        made.write(record)
    return made


def test_what_failed_or_died_is_left_and_what_is_done_is_not(keeping: Housekeeping) -> None:
    assert left_restores(keeping) == ()
    done = Record(id=LATER, backup="x", state=Progressed.DONE)
    records(keeping, done, Record(id=RUN, backup="x", state=Progressed.FAILED))
    (left,) = left_restores(keeping)
    assert left.endswith(f"zrep restore --resume {RUN}")
    records(keeping, Record(id=RUN, backup="x", state=Progressed.RUNNING))
    assert len(left_restores(keeping)) == 1


@pytest.mark.parametrize(("origin", "lock"), [("", "restore"), ("prod", "restore-uat")])
def test_one_that_is_at_work_is_not_left(keeping: Housekeeping, origin: str, lock: str) -> None:
    record = Record(id=RUN, backup="x", deployment="uat", origin=origin)
    records(keeping, record)
    with exclusive(Path(keeping.run_dir), lock):
        assert left_restores(keeping) == ()
        records(keeping, replace(record, state=Progressed.FAILED))
        assert len(left_restores(keeping)) == 1


def test_a_damaged_record_is_told_and_hides_no_other(keeping: Housekeeping) -> None:
    folder = records(keeping, Record(id=RUN, backup="x", state=Progressed.FAILED)).folder
    (folder / f"{LATER}.json").write_text("{")
    damaged, other = left_restores(keeping)
    assert f"{LATER}.json: cannot be read" in damaged
    assert RUN in other


def test_health_is_at_least_a_warning_then() -> None:
    well = Check(level=Level.OK, message="OK ZPOOL tank: ONLINE")
    assert with_restores(well, ()) == well
    warned = with_restores(well, ("restore a is not done", "restore b is not done"))
    assert warned.level is Level.WARNING
    assert warned.message == (
        "WARN: restore a is not done; restore b is not done; OK ZPOOL tank: ONLINE"
    )
    ill = Check(level=Level.CRITICAL, message="*** CRITICAL *** gone")
    assert with_restores(ill, ("restore a",)).level is Level.CRITICAL
    assert with_restores(ill, ("restore a",)).message.startswith("*** CRITICAL ***")
