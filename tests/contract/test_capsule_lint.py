"""The capsules are clean under shellcheck (slow: it takes seconds of CPU)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from zrep.capsule.install import PROGRAMS

HOOKS = Path(__file__).parents[2] / "hooks"


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck here")
def test_shellcheck_finds_nothing() -> None:
    names = [str(HOOKS / name) for name in sorted(PROGRAMS)]
    done = subprocess.run(
        ("shellcheck", "-x", "-P", str(HOOKS.parent), "-s", "sh", *names),
        capture_output=True,
        text=True,
        check=False,
        cwd=HOOKS.parent,
    )
    assert done.stdout == ""
