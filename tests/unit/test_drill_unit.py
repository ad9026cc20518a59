"""The drill's units: each setting has a reason, what it starts exists, it mounts for all."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from tests.unit.test_reaper_unit import FOLDER, OWN_MOUNTS, settings
from zrep.cli.main import cli

UNITS = [FOLDER / "zrep-drill.service", FOLDER / "zrep-drill.timer"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda u: u.name)
def test_each_setting_stands_below_its_reason(unit: Path) -> None:
    above = ""
    for line in unit.read_text().splitlines():
        if line[:1].isalpha() and not line.startswith(("Description=", "WantedBy=")):
            assert above[:1] == "#" or above[:1].isalpha(), line
        above = line


def test_it_has_no_mounts_of_its_own() -> None:
    """A container that a check starts would find an empty folder."""
    assert not [key for key in settings(UNITS[0]) if key.startswith(OWN_MOUNTS)]


def test_what_it_starts_is_a_command_of_zrep_and_its_failure_is_the_units() -> None:
    program, verb, *args = shlex.split(settings(UNITS[0])["ExecStart"])
    command = cli.get_command(click.Context(cli), verb)
    assert program == "zrep"
    assert command is not None
    assert command.make_context(verb, args).params["chance"] is True
    assert "SuccessExitStatus" not in settings(UNITS[0])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_has_nothing_to_complain_of(tmp_path: Path) -> None:
    for unit in UNITS:
        text = unit.read_text().replace("ExecStart=zrep", "ExecStart=/bin/true")
        (tmp_path / unit.name).write_text(text.replace("Documentation=man:zrep(1)\n", ""))
    argv = ("systemd-analyze", "verify", *(str(tmp_path / unit.name) for unit in UNITS))
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
