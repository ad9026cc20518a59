"""The program that scrubs what is restored elsewhere: what it is told, and when it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.config_files import load_text
from tests.unit.test_restore_elsewhere import DOCKER, ORIGIN, hooked, plan, text_with
from tests.unit.test_restore_plan import RUN
from zrep.engine.progress import Silent
from zrep.engine.restore_scrub import check_programs, scrub
from zrep.errors import HookFailed
from zrep.model.source import Config
from zrep.planner.restore import Wish


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_text(tmp_path, text_with())


def test_a_program_is_told_what_was_restored_where(config: Config, tmp_path: Path) -> None:
    view = hooked(config, tmp_path)
    made = plan(view, Wish(sources=(DOCKER,)))
    check_programs(made)
    scrub(view.scrub[0], made, view, Silent())
    told = json.loads((tmp_path / "told").read_text())
    assert told["items"] == [{"source": "manager-1/docker", "host": "manager-1", "path": "/docker"}]
    assert told["hosts"]["manager-1"] == {"address": "10.1.0.11", "port": 22}
    assert told["services"] == ["wordpress_web", "wordpress_db"]
    assert (told["from"], told["to"]) == ("prod", "uat")
    assert (tmp_path / "env").read_text() == f"{RUN} {made.backup} prod uat\n"
    assert not any(address in json.dumps(told) for address in ORIGIN)


def test_a_program_that_fails_ends_the_restore(config: Config, tmp_path: Path) -> None:
    view = hooked(config, tmp_path, end="echo no database >&2; exit 3")
    with pytest.raises(HookFailed, match="no database") as failed:
        scrub(view.scrub[0], plan(view, Wish()), view, Silent())
    assert "--resume" in failed.value.next_step
