"""umount for what mount.py has mounted."""

from __future__ import annotations

from tests.contract.fakes.calls import State
from tests.contract.fakes.mount import real, write_table


def main(state: State, argv: list[str]) -> tuple[str, int]:
    real("umount", *argv)
    state["mounted"].pop(argv[-1], None)
    write_table(state)
    return "", 0
