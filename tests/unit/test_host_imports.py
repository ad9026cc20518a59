"""Start-up stays light: nobody pays for paramiko who does not connect."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["zrep.host.local", "zrep.host.process", "zrep.host.ssh"])
def test_importing_a_host_does_not_import_paramiko(module: str) -> None:
    code = f"import sys, {module}; sys.exit('paramiko' in sys.modules)"
    assert subprocess.run((sys.executable, "-c", code), check=False).returncode == 0
