"""stat -f of a mount; fails while its path is in the state's `dead`."""

from __future__ import annotations

from tests.contract.fakes.calls import State


def main(state: State, argv: list[str]) -> tuple[str, int]:
    return "", int(argv[-1] in state.get("dead", ()))
