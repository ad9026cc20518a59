"""What one of several workers runs as a whole; the Makefile loads it as a plugin."""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

LAB = "tests/lab/"
# Share nothing with others: one needs no platform, one a director of its own. Every other file of
# the lab goes to one worker: a second platform beside the first makes both slower by as much as it
# does, and has to be deployed and filled once more.
ALONE = tuple(f"{LAB}test_{name}_in_lab.py" for name in ("zfs_contract", "remote_target"))


class OnePlatform(LoadFileScheduling):  # type: ignore[misc]  # xdist has no annotations
    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "platform" if file.startswith(LAB) and file not in ALONE else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> OnePlatform:
    return OnePlatform(config, log)
