"""zfs of a whole pool: `python -m tests.contract.fakes.zfs_pool FILE WORD...` is that command.

FILE holds the commands that changed the pool so far, one JSON array of their words; they are played
again each time, on the simulated pool that passes the contract of the real one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from zrep.errors import ZfsError
from zrep.model.inventory import Dataset, Snapshot
from zrep.model.names import DatasetName, SnapshotName
from zrep.planner.simulate.pool import new_pool
from zrep.zfs.fake import FakeZfs

Change = Callable[[FakeZfs, list[str], dict[str, str]], None]


def main(file: Path, words: list[str]) -> int:
    """The command's exit status."""
    said: list[list[str]] = json.loads(file.read_text())
    zfs = FakeZfs(new_pool("backup"))
    for earlier in said:
        perform(zfs, earlier)
    try:
        sys.stdout.write(perform(zfs, words))
    except ZfsError as error:
        sys.stderr.write(f"cannot {words[0]} '{words[-1]}': {error.why}\n")
        return 1
    if words[0] in _CHANGES:
        file.write_text(json.dumps([*said, words]))
    return 0


def perform(zfs: FakeZfs, words: list[str]) -> str:
    """What the command prints."""
    verb, *rest = words
    if verb in _READS:
        return "".join(f"{line}\n" for line in _READS[verb](zfs, rest))
    options = dict(rest[n + 1].split("=", 1) for n, word in enumerate(rest) if word == "-o")
    names = [w for n, w in enumerate(rest) if not w.startswith("-") and rest[n - 1 : n] != ["-o"]]
    _CHANGES[verb](zfs, names, options)
    return ""


def _create(zfs: FakeZfs, names: list[str], options: dict[str, str]) -> None:
    zfs.create(DatasetName(names[0]), options, mount=options.get("canmount", "on") == "on")


def _snapshot(zfs: FakeZfs, names: list[str], options: dict[str, str]) -> None:
    zfs.snapshot([*map(SnapshotName.parse, names)], options)


def _clone(zfs: FakeZfs, names: list[str], options: dict[str, str]) -> None:
    zfs.clone(SnapshotName.parse(names[0]), DatasetName(names[1]), options)


_CHANGES: Mapping[str, Change] = {
    "create": _create,
    "snapshot": _snapshot,
    "clone": _clone,
    "hold": lambda zfs, n, _: zfs.hold([*map(SnapshotName.parse, n[1:])], n[0]),
    "release": lambda zfs, n, _: zfs.release([*map(SnapshotName.parse, n[1:])], n[0]),
    "mount": lambda zfs, n, _: zfs.mount(DatasetName(n[0])),
    "unmount": lambda zfs, n, _: zfs.unmount(DatasetName(n[0])),
    "destroy": lambda zfs, n, _: zfs.destroy(DatasetName(n[0])),
}


def _list(zfs: FakeZfs, words: list[str]) -> Iterator[str]:
    columns = words[words.index("-o") + 1].split(",")
    kinds = words[words.index("-t") + 1]
    for found in _objects(zfs, words[-1], snapshots="snapshot" in kinds):
        row = _row(found)
        yield "\t".join(row.get(column, "-") for column in columns)


def _get(zfs: FakeZfs, words: list[str]) -> Iterator[str]:
    """Of all at and below one dataset, or of the snapshots that are named."""
    kinds = words[words.index("-t") + 1] if "-r" in words else ""
    named = set() if kinds else set(words[words.index("all") + 1 :])
    root = words[-1] if kinds else zfs.pool.name
    for found in _objects(zfs, root, snapshots=not kinds or "snapshot" in kinds):
        for key, value in found.properties.items() if kinds or str(found.name) in named else ():
            yield f"{found.name}\t{key}\t{value}"


def _holds(zfs: FakeZfs, words: list[str]) -> Iterator[str]:
    names = [*map(SnapshotName.parse, words[1:])]
    for name, tags in zfs.holds(names).items():
        yield from (f"{name}\t{tag}\tTue Jan  2 03:04 2026" for tag in sorted(tags))


_READS: Mapping[str, Callable[[FakeZfs, list[str]], Iterator[str]]] = {
    "list": _list,
    "get": _get,
    "holds": _holds,
}


def _objects(zfs: FakeZfs, root: str, *, snapshots: bool) -> Iterator[Dataset | Snapshot]:
    for dataset in zfs.inventory(DatasetName(root), snapshots=snapshots):
        yield dataset
        yield from dataset.snapshots


def _row(found: Dataset | Snapshot) -> Mapping[str, str]:
    """Only what there is; all other columns are dashes."""
    common = {"name": str(found.name), "guid": str(found.guid), "used": str(found.used)}
    if isinstance(found, Snapshot):
        clones = ",".join(map(str, found.clones))
        return {
            **common,
            "type": "snapshot",
            "createtxg": str(found.createtxg),
            "creation": str(found.creation),
            "userrefs": str(found.userrefs),
            "clones": clones or "-",
        }
    return {
        **common,
        "type": found.kind,
        "mounted": "yes" if found.mounted else "no",
        "origin": str(found.origin or "-"),
        "mountpoint": found.mountpoint or "none",
    }


def play(commands: Sequence[Sequence[str]]) -> str:
    """The text of a FILE."""
    return json.dumps([list(words) for words in commands])


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))
