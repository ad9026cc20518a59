"""The part of a fake command that is the same for all: counting, killing, keeping the state."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

State = MutableMapping[str, Any]
Main = Callable[[State, list[str]], tuple[str, int]]


def write_state(file: Path, state: State) -> None:
    new = file.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps(state))
    new.rename(file)


def perform(name: str, file: Path, argv: list[str], main: Main) -> int:
    """One call: counted, killed if it is its turn, refused if it must be, or else done."""
    state: State = json.loads(file.read_text())
    state["calls"].append(" ".join((name, *argv)))
    kill = state["kill"]
    write_state(file, state)
    if kill == len(state["calls"]):
        _kill_capsule()
    text, status = main(state, argv)
    write_state(file, state)
    sys.stdout.write(text)
    sys.stdout.flush()
    if kill == -len(state["calls"]):
        _kill_capsule()
    return status


def _kill_capsule() -> None:
    """kill -9 for the capsule that called, but not for what it had already started."""
    pid, capsule = os.getpid(), 0
    while pid > 1:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"/usr/libexec/zrep/capsule-" in words:
            capsule = pid
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(capsule, signal.SIGKILL)
