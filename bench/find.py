"""How long `zrep find` takes over 200 backups, for a file and for a folder of 1,000 files.

A folder stands in for .zfs/snapshot and a program for `zfs` (as in bench.startup, hence root): what
is timed is zrep itself. On a real pool the kernel mounts each snapshot that is looked into, for the
first time in five minutes, which comes on top.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.startup import ROOT, SOURCES, STAND_IN, names, report, row
from zrep.model.backup import Manifest, SourceRecord, State, encode_manifest
from zrep.model.source import Consistency

BACKUPS = 200
CHANGES = 20
FILES = 1_000
DEPTH = "var/volumes/wordpress/uploads"
KEY = SOURCES[0]


def main() -> None:
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        write_world(folder)
        zrep = (sys.executable, "-m", "zrep", "--config", str(folder / "zrep.toml"))
        bind = f'mount --bind {folder}/bin /usr/local/sbin && exec "$@"'
        in_namespace = ("unshare", "-m", "sh", "-c", bind, "sh")
        find = (*in_namespace, *zrep, "find", "--json")
        for what, path in (("a file", f"{DEPTH}/f0"), (f"a folder of {FILES} files", DEPTH)):
            argv = (*find, f"{KEY}/{path}")
            done = subprocess.run(argv, capture_output=True, text=True, check=True)
            assert len(json.loads(done.stdout)["versions"]) == CHANGES, done.stdout
            report(f"zrep find of {what} over {BACKUPS} backups", argv)


def write_world(folder: Path) -> None:
    (folder / "bin").mkdir()
    program = folder / "bin" / "zfs"
    program.write_text(STAND_IN.format(folder=folder))
    program.chmod(0o755)
    labels = [label for _, label in names()][:BACKUPS]
    write_trees(folder / "pool" / str(KEY) / ".zfs" / "snapshot", labels)
    (folder / "list").write_text("\n".join(listing(folder, labels)) + "\n")
    (folder / "get").write_text("\n".join(properties(labels)) + "\n")
    (folder / "zrep.toml").write_text(f'[target]\ndataset = "{ROOT}"\npolicy = "production"\n')


def write_trees(snapshots: Path, labels: list[str]) -> None:
    """One file changes in every tenth snapshot; all others are the same, by hard links."""
    last: Path | None = None
    for number, label in enumerate(labels):
        place = snapshots / label / DEPTH
        place.mkdir(parents=True)
        for i in range(FILES):
            fresh = last is None or (i == 0 and number % (BACKUPS // CHANGES) == 0)
            if fresh:
                (place / f"f{i}").write_text("x" * (number + 1))
            else:
                assert last is not None
                os.link(last / f"f{i}", place / f"f{i}")
        last = place


def listing(folder: Path, labels: list[str]) -> list[str]:
    shared = {"used": 10**9, "available": 10**12, "referenced": 10**9, "mounted": "yes"}
    tops = [ROOT, *(f"{ROOT}/{k.host}" for k in SOURCES), *(f"{ROOT}/{k}" for k in SOURCES)]
    lines = [
        row(
            name=top,
            type="filesystem",
            guid=number,
            mountpoint=f"{folder}/pool/{top.removeprefix(ROOT).strip('/')}",
            **shared,
        )
        for number, top in enumerate(tops, 1)
    ]
    snapshots = [f"{ROOT}/{key}@{label}" for key in SOURCES for label in labels]
    return lines + [
        row(
            name=name,
            type="snapshot",
            guid=number,
            createtxg=number,
            creation=1_700_000_000 + number,
            used=4096,
            written=10**6,
            referenced=10**9,
            userrefs=0,
            clones="",
        )
        for number, name in enumerate(snapshots, 100)
    ]


def properties(labels: list[str]) -> list[str]:
    records = tuple(
        SourceRecord(key=k, ok=True, files=10**6, size=10**9, method="lvm") for k in SOURCES
    )
    words = encode_manifest(
        Manifest(
            set_name="platform",
            state=State.COMPLETE,
            consistency=Consistency.NODE,
            sources=records,
            version="0",
            config="0",
        )
    )
    return [
        f"{ROOT}/{key}@{label}\t{name}\t{value}"
        for key in SOURCES
        for label in labels
        for name, value in words.items()
    ]


if __name__ == "__main__":
    main()
