"""Shells, roff and systemd find nothing wrong in what ships and in what is rendered."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.recovery_sheet import commands
from tests.unit.config_files import load_text
from tests.unit.test_recovery_sheet import WITH_DUMPS, sheet
from tests.unit.test_restore_command import WISHES, script
from tests.unit.test_systemd_units import UNITS
from zrep.capsule.install import PROGRAMS
from zrep.cli.man_page import zrep_man
from zrep.report.recovery_sheet import render_sheet

HOOKS = Path(__file__).parents[2] / "hooks"
SHELL = sorted(PROGRAMS)


@pytest.mark.parametrize("shell", ["dash", "bash --posix", "busybox sh"])
def test_every_capsule_parses_in_every_shell(shell: str) -> None:
    words = shell.split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"no {words[0]} here")
    loop = f'for file; do {shell} -n "$file" || echo "$file"; done'
    files = [str(HOOKS / name) for name in SHELL]
    done = subprocess.run(
        ("sh", "-c", loop, "sh", *files), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_roff_has_nothing_to_complain_of_in_the_manual_page() -> None:
    argv = ("groff", "-man", "-ww", "-Tascii", "-z")
    done = subprocess.run(argv, input=zrep_man(), capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_has_nothing_to_complain_of_in_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        text = unit.read_text().replace("ExecStart=zrep", "ExecStart=/bin/true")
        (tmp_path / unit.name).write_text(text.replace("Documentation=man:zrep(1)\n", ""))
    argv = ("systemd-analyze", "verify", *(str(tmp_path / unit.name) for unit in UNITS))
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_bash_can_read_every_command_of_a_recovery_sheet(tmp_path: Path) -> None:
    text = render_sheet(sheet(load_text(tmp_path, WITH_DUMPS)))
    done = subprocess.run(
        ("bash", "-n"), input=commands(text), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", WISHES)
def test_the_script_of_a_restore_parses_and_names_plain_commands(name: str, tmp_path: Path) -> None:
    path = script(name, tmp_path)
    done = subprocess.run(("sh", "-n", str(path)), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "zrep-arm" not in path.read_text()
