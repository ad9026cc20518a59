"""`zrep key`, `capsule deploy` and `docker` as they are typed; no host is reached."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.rows import of_each
from zrep.cli.main import run
from zrep.errors import Exit

CONFIG = """\
[target]
dataset = "backup/current"
policy = "production"

[ssh]
control_key = "{folder}/control"
read_key = "{folder}/read"
restore_key = "{folder}/restore"

[deployment.prod]
hosts = {{ manager-1 = "10.0.0.11", idle = "10.0.0.12" }}

[set.platform.source.etc]
host = "manager-1"
method = "dir"
path = "/etc"

[replica.offsite]
host = "offsite.example.org"
dataset = "tank/prod"
"""


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


@of_each(
    [
        (["capsule", "deploy"], Exit.USAGE, "name hosts, or say --all"),
        (["capsule", "deploy", "manger-1"], Exit.USAGE, "no host 'manger-1'"),
        (["capsule", "deploy", "idle"], Exit.USAGE, "no host 'idle'"),
        (["capsule", "deploy", "manager-1"], Exit.USAGE, "zrep key create"),
        (["key", "create"], Exit.USAGE, "NAME"),
        (["key", "create", "root"], Exit.USAGE, "'root'"),
        (["key", "rotate", "control"], Exit.USAGE, "--from"),
        (["key", "rotate", "control", "--from", "any"], Exit.REFUSED, "zrep key create"),
        (["docker", "stop", "nowhere"], Exit.USAGE, "no host 'nowhere'"),
        (["docker", "pause", "manager-1"], Exit.REFUSED, "no set pauses manager-1"),
    ]
)
def test_what_cannot_be_meant_is_answered_with_the_next_step(
    row: tuple[list[str], Exit, str], config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words, status, says = row
    assert run(["-c", config, *words]) == status
    assert says in capsys.readouterr().err
