"""What every gate lets be read: a listing of its tree, and all that its snapshots say. Pure."""

from __future__ import annotations

import re
from typing import Protocol

from zrep.capsule.gate_policy import GatePolicy
from zrep.capsule.gate_words import Words, dataset, refuse
from zrep.model.names import DatasetName, SnapshotName

_COLUMNS = r"[a-z_]+(,([a-z_]+|io\.zrep:[a-z]+(:[a-z0-9][a-z0-9_.\-]*)*))*"


class Bounds(Protocol):
    """What is inside of one gate's policy; each refuses what is not."""

    @property
    def policy(self) -> GatePolicy: ...

    def inside(self, name: DatasetName) -> DatasetName: ...

    def clone_place(self, name: DatasetName) -> DatasetName: ...

    def backup_snapshot(self, word: str) -> SnapshotName: ...


def read_list(gate: Bounds, words: Words) -> None:
    words.expect("-H", "-p", "-r", "-t")
    words.one_of("filesystem,volume,snapshot,bookmark", "filesystem,volume")
    words.expect("-o")
    columns = words.take("columns")
    if not re.fullmatch(_COLUMNS, columns):
        refuse(f"not columns: {columns!r}")
    gate.inside(words.last(dataset))


def read_all_properties(gate: Bounds, words: Words) -> bool:
    """Of a tree; False for another form, of which `-H -p` are taken."""
    words.expect("-H", "-p")
    if words.skip("-r"):
        words.expect("-s", "local,received", "-t")
        words.one_of("filesystem,volume,snapshot", "filesystem,volume")
        words.expect("-o", "name,property,value", "all")
        gate.inside(words.last(dataset))
        return True
    return False
