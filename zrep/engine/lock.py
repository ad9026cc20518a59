"""One run at a time per set or replica: a kernel flock that dies with its holders."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zrep.errors import Busy, ConfigError


@contextmanager
def exclusive(run_dir: Path, name: str) -> Iterator[int]:
    """Hold `<run_dir>/<name>.lock`; yields its file descriptor. Raises Busy, naming the holder.

    The descriptor may be handed to a child that must not outlive the lock: the kernel frees it
    when the last process that has it ends, so a killed zrep never leaves two writers.
    """
    path = run_dir / f"{name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ConfigError(
            (f"run_dir: cannot open {path}: {error.strerror}",),
            next_step="run as the user that owns run_dir, or set run_dir",
        ) from error
    try:
        _take(descriptor, path)
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Busy(
            f"{path.stem} is in use",
            why=_holder(descriptor),
            next_step="wait for that run to end, or look at it with: journalctl -t zrep",
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "since": int(time.time())}).encode(), 0)


def _holder(descriptor: int) -> str:
    try:
        words = json.loads(os.pread(descriptor, 4096, 0))
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(words["since"]))
        return f"pid {words['pid']} holds it since {since}"
    except (ValueError, KeyError, TypeError):
        return "another process holds it"
