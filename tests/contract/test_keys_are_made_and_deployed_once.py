"""Keys are made by ssh-keygen, once, and a deployment shows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.test_commands_about_hosts import CONFIG
from zrep.cli.main import run
from zrep.errors import Exit


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "zrep.toml"
    path.write_text(CONFIG.format(folder=tmp_path / "keys"))
    return str(path)


def test_keys_are_made_once_and_shown(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-c", config, "key", "create", "control", "read"]) == Exit.DONE
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "keys/control").stat().st_mode & 0o777 == 0o600
    assert run(["-c", config, "key", "create", "control"]) == Exit.REFUSED
    capsys.readouterr()
    assert run(["-c", config, "key", "show", "--json"]) == Exit.DONE
    shown = {k["name"]: k for k in json.loads(capsys.readouterr().out)}
    assert shown["restore"]["public"] is None
    assert shown["control"]["public"] in (tmp_path / "keys/control.pub").read_text()
    assert shown["control"]["fingerprint"].startswith("SHA256:")


def test_a_dry_deployment_tells_what_each_machine_would_get(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["-c", config, "key", "create", "control", "read"])
    capsys.readouterr()
    assert run(["-c", config, "capsule", "deploy", "--all", "--dry-run", "--json"]) == Exit.DONE
    plan = json.loads(capsys.readouterr().out)
    assert [m["names"] for m in plan] == [["manager-1"], ["offsite"]]
    assert plan[0]["digest"] != plan[1]["digest"]
