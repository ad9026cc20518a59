"""`zrep key`, `capsule deploy` and `docker` as they are typed; no host is reached."""

from __future__ import annotations

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
