"""Every sudoers fragment that is rendered is in the subset that sudo and sudo-rs share."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from zrep.capsule.operators import render_operator_sudoers
from zrep.capsule.render import Roles, render_sudoers

ROLES = {
    "source": Roles(source="manager-1"),
    "target": Roles(target=True),
    "replica": Roles(replica="offsite"),
    "source and target": Roles(source="manager-1", target=True),
    "source and replica": Roles(source="manager-1", replica="offsite"),
}
FRAGMENTS = {
    **{name: render_sudoers(roles, user="zrep") for name, roles in ROLES.items()},
    "operators": render_operator_sudoers(("alice", "first.last", "a_b-c", "%backup", "%it-ops")),
}
# Where it replaces sudo its visudo has that name, and lies here besides.
SUDO_RS = shutil.which("visudo-rs") or shutil.which("visudo", path="/usr/lib/cargo/bin")
# Older ones know no Defaults for a single command.
OLDEST = (0, 2, 4)


@cache
def sudo_rs_version() -> tuple[int, ...]:
    said = subprocess.run((str(SUDO_RS), "--version"), capture_output=True, text=True, check=False)
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", said.stdout + said.stderr)
    return tuple(map(int, found.groups())) if found else (0,)


def accepts(program: str, text: str, folder: Path) -> bool:
    file = folder / "zrep"
    file.write_text(text)
    file.chmod(0o440)
    argv = (program, "-c", "-f", str(file))
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


@pytest.fixture(params=["visudo", "visudo-rs"])
def visudo(request: pytest.FixtureRequest) -> str:
    if request.param == "visudo":
        return shutil.which("visudo") or pytest.skip("sudo is not installed")
    if SUDO_RS is None:
        pytest.skip("sudo-rs is not installed (Debian 13: sudo-rs)")
    if sudo_rs_version() < OLDEST:
        pytest.skip(f"sudo-rs {sudo_rs_version()} is older than {OLDEST}")
    return SUDO_RS


@pytest.mark.parametrize("name", FRAGMENTS)
def test_a_fragment_is_accepted(visudo: str, name: str, tmp_path: Path) -> None:
    assert accepts(visudo, FRAGMENTS[name], tmp_path)


def test_all_of_them_on_one_machine_are_accepted(visudo: str, tmp_path: Path) -> None:
    both = FRAGMENTS["source and target"] + FRAGMENTS["operators"]
    assert accepts(visudo, both, tmp_path)


@pytest.mark.parametrize("text", ["alice may all\n", 'a b ALL=(root) NOPASSWD: /x ""\n'])
def test_it_would_be_noticed(visudo: str, text: str, tmp_path: Path) -> None:
    assert not accepts(visudo, text, tmp_path)
