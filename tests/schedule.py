"""What one of several workers runs as a whole; the Makefile loads it as a plugin."""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

LAB = "tests/lab/"
# Needs no platform. Every other file of the lab goes to one worker: a second platform beside the
# first makes both slower by as much as it does, and has to be deployed and filled once more.
ALONE = LAB + "test_zfs_contract_in_lab.py"


class OnePlatform(LoadFileScheduling):  # type: ignore[misc]  # xdist has no annotations
    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "platform" if file.startswith(LAB) and file != ALONE else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> OnePlatform:
    return OnePlatform(config, log)
