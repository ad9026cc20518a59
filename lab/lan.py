"""The network between the nodes: one switch process, unix sockets only."""

import time
from pathlib import Path

from lab import store
from lab.errors import LabError
from lab.host import LIFE, Process, leashed


def start_switch(sock: Path, *, log: Path, owner: int | None) -> Process:
    """A running switch whose ports are in the folder `sock`."""
    store.remove(sock)
    switch = leashed(("vde_switch", "-s", str(sock), "-m", "0600"), log=log, life=LIFE, owner=owner)
    deadline = time.monotonic() + 20
    while not (sock / "ctl").exists():
        if not switch.alive() or time.monotonic() > deadline:
            switch.end()
            raise LabError("the switch does not start", hint=f"read {log}")
        time.sleep(0.02)
    return switch
