"""How long `zrep --version` and `zrep list` of 1,000 backups take on this machine.

No ZFS is needed: a stand-in `zfs`, bound over /usr/local/sbin in a mount namespace of its own
(hence root), prints the listing of such a pool, so that what is timed is zrep itself.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from zrep.model.backup import Manifest, SourceRecord, State, encode_manifest
from zrep.model.key import SourceKey
from zrep.model.names import BackupId, SnapClass, make_label
from zrep.model.source import Consistency
from zrep.zfs.argv import COLUMNS

BACKUPS = 1_000
SOURCES = tuple(SourceKey(f"host-{i}", "data") for i in range(5))
RUNS = 10
ROOT = "backup/current"
STAND_IN = """#!/bin/sh
case $1 in
list) exec cat {folder}/list ;;
get) exec cat {folder}/get ;;
*) exit 1 ;;
esac
"""
CONFIG = f'[target]\ndataset = "{ROOT}"\npolicy = "production"\n'


def main() -> None:
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        write_world(folder)
        zrep = (sys.executable, "-m", "zrep")
        report("zrep --version", (*zrep, "--version"))
        listing = (*zrep, "--config", str(folder / "zrep.toml"), "list")
        bind = f'mount --bind {folder}/bin /usr/local/sbin && exec "$@"'
        in_namespace = ("unshare", "-m", "sh", "-c", bind, "sh")
        done = subprocess.run((*in_namespace, *listing), capture_output=True, text=True, check=True)
        assert len(done.stdout.splitlines()) == BACKUPS + 1, done.stderr
        report("unshare, mount, true", (*in_namespace, "true"))
        report(f"zrep list of {BACKUPS} backups", (*in_namespace, *listing))


def report(what: str, argv: Sequence[str]) -> None:
    times = sorted(_seconds(argv) for _ in range(RUNS))
    median = statistics.median(times)
    print(f"{what}: median of {RUNS} {median:.3f} s (from {times[0]:.3f} to {times[-1]:.3f})")


def _seconds(argv: Sequence[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True, env={**os.environ})
    return time.perf_counter() - begun


def write_world(folder: Path) -> None:
    (folder / "bin").mkdir()
    program = folder / "bin" / "zfs"
    program.write_text(STAND_IN.format(folder=folder))
    program.chmod(0o755)
    (folder / "list").write_text("\n".join(listing()) + "\n")
    (folder / "get").write_text("\n".join(properties()) + "\n")
    (folder / "zrep.toml").write_text(CONFIG)


def names() -> Iterator[tuple[int, str]]:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    for i in range(BACKUPS):
        moment = start + timedelta(hours=i)
        label = make_label(BackupId.at(moment), frozenset({SnapClass.HOURLY}))
        yield int(moment.timestamp()), str(label)


def row(**cells: object) -> str:
    return "\t".join(str(cells.get(c, "-")) for c in COLUMNS)


def listing() -> Iterator[str]:
    numbers = iter(range(1, 10**6))
    for dataset in (
        ROOT,
        *(f"{ROOT}/{k.host}" for k in SOURCES),
        *(f"{ROOT}/{k}" for k in SOURCES),
    ):
        shared = {"used": 10**9, "available": 10**12, "referenced": 10**9, "mounted": "yes"}
        yield row(
            name=dataset, type="filesystem", guid=next(numbers), mountpoint=f"/{dataset}", **shared
        )
    for key in SOURCES:
        for moment, name in names():
            number = next(numbers)
            yield row(
                name=f"{ROOT}/{key}@{name}",
                type="snapshot",
                guid=number,
                createtxg=number,
                creation=moment,
                used=4096,
                written=10**6,
                referenced=10**9,
                userrefs=0,
                clones="",
            )


def properties() -> Iterator[str]:
    manifest = Manifest(
        set_name="platform",
        state=State.COMPLETE,
        consistency=Consistency.NODE,
        sources=tuple(
            SourceRecord(key=k, ok=True, files=10**6, size=10**9, method="lvm") for k in SOURCES
        ),
        version="0",
        config="0",
    )
    words = encode_manifest(manifest)
    for key in SOURCES:
        for _, name in names():
            for prop, value in words.items():
                yield f"{ROOT}/{key}@{name}\t{prop}\t{value}"


if __name__ == "__main__":
    main()
