"""`python -m tests.contract.fakes.run NAME STATE WORD...`: be that command."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from tests.contract.fakes.calls import perform

if __name__ == "__main__":
    name, file, *argv = sys.argv[1:]
    module = importlib.import_module(f"tests.contract.fakes.{name}")
    raise SystemExit(perform(name, Path(file), argv, module.main))
