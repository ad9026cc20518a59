"""mount for file systems that this machine lacks: a bind mount that is told as the real thing.

The capsules are made to read a table of mounts that is kept here. State: `folders` source ->
folder; `mounted` path -> [type, source]; `mountinfo` the table's path.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.contract.fakes.calls import State

PRETENDED = {"glusterfs": "fuse.glusterfs", "zfs": "zfs"}


def main(state: State, argv: list[str]) -> tuple[str, int]:
    why = state["refuse"].get("mount")
    if why:
        return f"{why}\n", 32
    if argv[0] == "-t" and argv[1] in PRETENDED:
        _, kind, _, _, source, path = argv
        folder = state["folders"][source]
        real("mount", "-o", "bind,ro", folder, path)
        state["mounted"][path] = [PRETENDED[kind], source]
    else:
        real("mount", *argv)
    write_table(state)
    return "", 0


def real(name: str, *argv: str) -> None:
    subprocess.run((f"/usr/bin/{name}", *argv), check=True)


def write_table(state: State) -> None:
    """/proc/self/mountinfo with the pretended types and sources."""
    lines = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        head, _, tail = line.partition(" - ")
        path = head.split()[4]
        if path in state["mounted"]:
            kind, source = state["mounted"][path]
            tail = f"{kind} {source} {tail.split(' ', 2)[2]}"
        lines.append(f"{head} - {tail}\n")
    new = Path(f"{state['mountinfo']}.{os.getpid()}")
    new.write_text("".join(lines))
    new.rename(state["mountinfo"])
