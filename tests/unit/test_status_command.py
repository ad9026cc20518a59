"""zrep status and zrep check runs on the command line; they ask no pool and no other host."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.config_files import GOOD
from tests.unit.run_records import COPY, PRUNE, SYNC, ran
from zrep.cli.main import run
from zrep.engine.drill_evidence import shelf_in
from zrep.engine.restore_record import Record, Records
from zrep.engine.run_records import write_record
from zrep.model.evidence import Evidence, State
from zrep.model.run_record import Good, RunRecord, encode_record


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "zrep.toml"
    path.write_text(f'state_dir = "{tmp_path}/state"\nrun_dir = "{tmp_path}/run"\n{GOOD}')
    return path


def zrep(config: Path, *words: str) -> int:
    return run(["--config", str(config), *words])


def keep(config: Path, record: RunRecord) -> None:
    """As of an hour ago."""
    ended = int(time.time()) - 3_600
    good = Good(run="r", ended=ended) if record.last_good else None
    fresh = replace(record, ended=ended, last_good=good)
    write_record(config.parent / "state", record.job, encode_record(fresh))


def test_what_has_never_run_is_shown_as_such(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert zrep(config, "status") == 0
    assert capsys.readouterr().out.splitlines() == [
        "VERB       NAME      LAST RUN  RESULT  LAST GOOD  TROUBLE",
        "replicate  offsite   never     -       never      no record yet",
        "sync       platform  never     -       never      no record yet",
        "drill    none yet",
    ]
    assert zrep(config, "check", "runs") == 2
    said = capsys.readouterr().out
    assert said == ("CRITICAL: sync platform has never run; replicate offsite has never run\n")


def test_the_last_runs_are_shown_with_their_trouble(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(config, ran())
    keep(config, ran(PRUNE))
    keep(config, ran(COPY, exit=7, error=("host.unreachable", "offsite: gone\n  next: x")))
    (config.parent / "state/status/sync-old.json").write_text("{")
    Records(config.parent / "state").write(Record(id="20220101_030000", backup="b"))
    assert zrep(config, "status") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:4] == [
        "prune      target    an hour ago  good        an hour ago  -",
        "replicate  offsite   an hour ago  failed (7)  an hour ago  offsite: gone",
        "sync       platform  an hour ago  good        an hour ago  late in a day",
    ]
    assert lines[4].startswith(f"spoilt   {config.parent}/state/status/sync-old.json: ")
    assert lines[5].startswith("restore  restore 20220101_030000 is not done")


def test_json_has_the_records_as_they_stand(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(config, ran())
    assert zrep(config, "status", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    copy, sync = found["runs"]
    assert (copy["name"], copy["record"], copy["age"]) == ("offsite", None, None)
    text = (config.parent / f"state/status/{SYNC.stem}.json").read_text()
    assert sync["record"] == json.loads(text)
    assert (sync["max_age"], 3_600 <= sync["age"] < 3_700) == (93_600, True)
    assert (found["restores"], found["drill"]) == ([], {"state": "none yet", "passed": None})


def test_the_check_is_a_plugin(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(config, ran())
    assert zrep(config, "check", "runs", "platform") == 0
    assert capsys.readouterr().out.startswith("OK: sync platform ended well 1h 0m ")
    assert zrep(config, "check", "runs", "platform", "--json") == 0
    assert json.loads(capsys.readouterr().out)["state"] == "OK"
    assert zrep(config, "check", "runs", "nonsense") == 3
    assert capsys.readouterr().out == (
        "UNKNOWN: no set and no replica 'nonsense': offsite, platform\n"
    )


def drilled(config: Path, name: str, state: State) -> None:
    evidence = Evidence(
        id=name,
        backup="20220102_030000",
        set_name="platform",
        owner="root",
        host="here",
        version="1",
        config="c",
        started=int(time.time()) - 7_200,
        state=state,
        seconds=250.0,
        mount_seconds=1.5,
    )
    shelf_in(config.parent / "state", "").begin(evidence)


def test_the_last_drill_that_passed_is_told_with_what_it_took(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drilled(config, "20220102_040000", State.PASSED)
    zrep(config, "status")
    passed = capsys.readouterr().out.splitlines()[-1]
    assert passed == (
        "drill    20220102_040000 of backup 20220102_030000: passed, 2 hours ago; it took 4 minutes"
    )
    drilled(config, "20220103_040000", State.FAILED)
    zrep(config, "status")
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "drill    20220103_040000 of backup 20220102_030000: failed, 2 hours ago",
        f"         before that: {passed.removeprefix('drill    ')}",
    ]
    zrep(config, "status", "--json")
    found = json.loads(capsys.readouterr().out)["drill"]
    assert (found["id"], found["state"]) == ("20220103_040000", "failed")
    assert (found["passed"]["id"], found["passed"]["seconds"]) == ("20220102_040000", 250.0)


def test_a_drill_that_never_passed_says_so(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drilled(config, "20220103_040000", State.FAILED)
    zrep(config, "status")
    assert capsys.readouterr().out.splitlines()[-1] == "         before that: none has passed yet"
