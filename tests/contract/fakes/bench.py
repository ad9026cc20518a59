"""Fake commands for a source host: programs on the capsules' PATH.

Each is a module of this package with `main(state, argv) -> (text, status)`, run as a program. What
they keep, and how they are to fail, is in one JSON file, which the tests read and write.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.contract.capsule_world import CapsuleWorld
from tests.contract.fakes.calls import State, write_state

ROOT = Path(__file__).parents[3]


class Bench:
    """The fake commands of one world. `state` is read and written as a whole."""

    def __init__(self, world: CapsuleWorld, *names: str) -> None:
        self.world = world
        self.folder = world.tmp / "bin"
        self.folder.mkdir()
        self.file = world.tmp / "fakes.json"
        self.state = {"calls": [], "refuse": {}, "kill": None}
        for name in names:
            self.install(name)
        world.run("sed", "-i", f"s|^PATH=|PATH={self.folder}:|", "/usr/libexec/zrep/capsule-lib")

    def install(self, name: str) -> None:
        program = self.folder / name
        program.write_text(
            f"#!/bin/sh\nexec env PYTHONPATH={ROOT} {sys.executable} -S -m "
            f'tests.contract.fakes.run {name} {self.file} "$@"\n'
        )
        program.chmod(0o755)

    @property
    def state(self) -> State:
        found: State = json.loads(self.file.read_text())
        return found

    @state.setter
    def state(self, state: State) -> None:
        write_state(self.file, state)

    def change(self, **values: object) -> None:
        self.state = {**self.state, **values}

    @property
    def calls(self) -> list[str]:
        """Every command that was run, with its words."""
        found: list[str] = self.state["calls"]
        return found
