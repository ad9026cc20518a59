"""zpool list of one pool's health, which is the state's `health`."""

from __future__ import annotations

from tests.contract.fakes.calls import State


def main(state: State, argv: list[str]) -> tuple[str, int]:
    assert argv[:-1] == ["list", "-H", "-o", "health"]
    return f"{state['health']}\n", 0
