"""The command line's promises that need no pool: help, errors, exit codes, stdout for results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.rows import of_each
from zrep import __version__
from zrep.cli.main import COMMANDS, HIDDEN, run

VERBS = sorted(set(COMMANDS) - HIDDEN - {"config", "capsule", "docker", "key"})
CONTENT = {"cat"}  # Prints what is in a file, as it is.
CONFIG = """\
[target]
dataset = "backup/current"
policy = "production"

[deployment.lab]
hosts = { manager-1 = "10.0.0.1" }

[set.platform.source.etc]
host = "manager-1"
method = "dir"
path = "/etc"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "zrep.toml"
    path.write_text(CONFIG)
    return path


def test_version_prints_name_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"zrep {__version__}\n"


@of_each(VERBS)
def test_help_of_every_command_has_an_example(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert "Example" in text
    assert f"zrep {verb}" in text
    assert "--json" in text or verb in CONTENT


def test_the_overview_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS if name not in HIDDEN)


@pytest.mark.parametrize(
    "args",
    [
        ["nothing"],
        ["list", "--no-such"],
        ["show"],
        ["umount"],
        ["umount", "s", "--expired"],
        ["cp", "latest", "/tmp"],
        ["gate", "root"],
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    args: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(args) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Usage:" in said.err


def test_config_check_says_good(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--config", str(config), "config", "check"]) == 0
    assert "good" in capsys.readouterr().out


def test_a_key_without_effect_is_answered_with_a_warning_on_stderr(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(f'{CONFIG}[set.platform]\nschedule = "0 3 * * *"\n')
    assert run(["--config", str(config), "config", "check", "--json"]) == 0
    said = capsys.readouterr()
    [warning] = json.loads(said.out)["warnings"]
    assert warning.startswith(f"{config}:13: set.platform.schedule: ")
    assert said.err == f"warning: {warning}\n"


def test_config_errors_go_to_stderr_with_status_3(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(CONFIG.replace("method", "metod").replace("policy", "polcy"))
    assert run(["--config", str(config), "config", "check"]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("zrep: [config.invalid] ")
    assert {"zrep.toml:3", "zrep.toml:10"} <= {w.rstrip(":") for w in _places(said.err)}


def _places(text: str) -> list[str]:
    lines = [line.removeprefix("zrep: [config.invalid] ") for line in text.splitlines()]
    return [":".join(Path(line.split(" ")[0]).name.split(":")[:2]) for line in lines]


@pytest.mark.parametrize("args", [["sync", "other"], ["replicate", "other"], ["replicate"]])
def test_a_name_that_is_not_configured_is_answered_with_those_that_are(
    config: Path, args: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--config", str(config), *args]) == 2
    assert "configured" in capsys.readouterr().err


def test_render_refuses_a_host_that_is_not_configured(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key.pub"
    key.write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO7C test\n")
    out = tmp_path / "out"
    args = ["capsule", "render", "--host", "nobody", "--control-key", str(key), "--out", str(out)]
    assert run(["--config", str(config), *args]) == 2
    assert "manager-1" in capsys.readouterr().err
    assert not out.exists()
