"""Where the lab keeps what it built: folders named by the hash of what went into them, complete or
not there at all."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError
from lab.progress import Progress

HERE = Path(__file__).parent


def cache_root() -> Path:
    """$ZREP_LAB_DIR, or ~/.cache/zrep-lab."""
    chosen = os.environ.get("ZREP_LAB_DIR")
    root = Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "zrep-lab"
    root.mkdir(parents=True, exist_ok=True)
    return root.resolve()


def socket_folder(purpose: str) -> Path:
    """A short private folder for unix sockets, whose paths may have 107 bytes only."""
    name = hashlib.sha256(purpose.encode()).hexdigest()[:10]
    folder = Path(tempfile.gettempdir()) / f"zrep-lab-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise LabError(f"{folder} belongs to somebody else", hint="set TMPDIR to a folder of yours")
    return folder


def key_of(parts: Iterable[str], *, files: Iterable[Path] = ()) -> str:
    """Hash of words and of the names and contents of files."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() + b"\0")
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@contextmanager
def locked(path: Path, *, progress: Progress) -> Iterator[None]:
    """Hold a lock file; says so when it has to wait for another lab command."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with progress.step("waiting for another lab command to finish"):
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def completed(target: Path) -> Iterator[Path]:
    """A folder to build in, which takes its final name only when all went well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(".building-*"):
        shutil.rmtree(left, ignore_errors=True)
    building = target.with_name(f".building-{target.name}")
    building.mkdir()
    yield building
    building.rename(target)


def prune(folder: Path, *, keep: Iterable[str]) -> None:
    """Remove the folders of older keys."""
    kept = set(keep)
    for entry in folder.iterdir() if folder.exists() else ():
        if entry.name not in kept and not entry.name.startswith(".building-"):
            shutil.rmtree(entry, ignore_errors=True)


def remove(folder: Path) -> None:
    """Remove a folder of ours, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)


def disk_use(folder: Path) -> int:
    """Bytes really taken by all files below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_blocks * 512 for path in files)
