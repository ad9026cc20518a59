"""zrep drill and zrep check drill on the command line, as far as they need no pool."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.unit.config_files import GOOD
from zrep.cli.main import run
from zrep.engine.drill_evidence import shelf_in
from zrep.model.evidence import Evidence, Finding, Outcome, State


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "zrep.toml"
    idle = ('schedule = "0 3 * * *"\n', 'swarm = ["wordpress_web", "wordpress_db"]\n')
    text = GOOD
    for line in (*idle, 'policy = "offsite"\n'):
        text = text.replace(line, "")
    path.write_text(f'state_dir = "{tmp_path}/state"\nrun_dir = "{tmp_path}/run"\n{text}')
    return path


def drilled(config: Path, state: State, second: int = 1) -> Evidence:
    bad = Finding(check="hashes", subject="h/a", outcome=Outcome.FAILED, says="'x' is\ngone")
    evidence = Evidence(
        id=f"20220101_1200{second:02d}",
        backup="20220101_030000",
        set_name="platform",
        owner="me",
        host="vault",
        version="1",
        config="abc",
        started=int(time.time()) - 60,
        state=state,
        findings=(bad,) if state is State.FAILED else (),
        seconds=61.0,
    )
    shelf_in(config.parent / "state", "").end(evidence)
    return evidence


def zrep(config: Path, *words: str) -> int:
    return run(["--config", str(config), *words])


def test_drills_are_listed_newest_first(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert zrep(config, "drill", "--list") == 0
    assert capsys.readouterr().out == "no drills yet\n"
    for second, state in enumerate((State.PASSED, State.FAILED)):
        drilled(config, state, second)
    assert zrep(config, "drill", "--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["DRILL", "20220101_120001", "20220101_120000"]
    assert zrep(config, "drill", "--list", "--json") == 0
    assert [d["state"] for d in json.loads(capsys.readouterr().out)] == ["failed", "passed"]


def test_monitoring_gets_its_line_and_status(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert zrep(config, "check", "drill") == 2
    assert capsys.readouterr().out.startswith("CRITICAL: no drill has passed yet")
    drilled(config, State.PASSED)
    assert zrep(config, "check", "drill") == 0
    assert "'drill_duration'=61s" in capsys.readouterr().out
    drilled(config, State.FAILED, 2)
    assert zrep(config, "check", "drill") == 2
    assert "hashes of h/a: 'x' is" in capsys.readouterr().out


def test_evidence_that_cannot_be_read_is_unknown(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drilled(config, State.PASSED)
    (config.parent / "state/drills/20220101_120001.json").write_text("{")
    assert zrep(config, "check", "drill") == 3
    assert capsys.readouterr().out.startswith("UNKNOWN: ")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("drill", "latest", "--random"), 2),
        (("drill", "--key", "x.pub"), 2),
        (("drill", "--verify", "/nowhere"), 2),
        (("drill", "--sample", "-1"), 2),
        (("drill", "--verify", "{state}/drills/20220101_120001.json", "--key", "x.pub"), 5),
    ],
)
def test_what_cannot_be_meant_or_proven_is_answered(
    config: Path, words: tuple[str, ...], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    drilled(config, State.PASSED)
    found = zrep(config, *(w.format(state=config.parent / "state") for w in words))
    assert found == status
    assert capsys.readouterr().out == ""


def test_on_a_director_it_says_where_to_run_it(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(config.read_text().replace("[target]", '[target]\nhost = "vault"'))
    assert zrep(config, "drill") == 5
    assert "run zrep drill there" in capsys.readouterr().err
