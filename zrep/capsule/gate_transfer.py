"""A transfer under the gate: a child that holds a lock and ends when whoever asked is gone."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM, set_wakeup_fd, signal

GRACE_SECONDS = 10.0


def transfer(argv: Sequence[str], lock: str, *, environment: Mapping[str, str]) -> int | None:
    """Its exit status; None, and nothing was run, when another one holds the file `lock`."""
    with _locked(lock) as held:
        return None if held is None else run_while_asked(argv, held, environment=environment)


@contextmanager
def _locked(path: str) -> Iterator[int | None]:
    """The locked descriptor, which the transfer inherits; None when somebody else has it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield lock
    except BlockingIOError:
        yield None
    finally:
        os.close(lock)


def run_while_asked(argv: Sequence[str], lock: int, *, environment: Mapping[str, str]) -> int:
    """Run until it ends, or until we are told to stop, or our stdin ends: whoever asked is gone."""
    with (
        _told_to_stop() as told,
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
            pass_fds=(lock,),
        ) as child,
    ):
        ended = os.pidfd_open(child.pid)
        _watch(ended, told)
        _end_group(child, ended)
        os.close(ended)
        status = child.wait()
    return status if status >= 0 else 128 - status


@contextmanager
def _told_to_stop() -> Iterator[int]:
    """A descriptor that becomes readable on a signal; an exception could lose a starting child."""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    set_wakeup_fd(writer)
    for number in (SIGTERM, SIGINT, SIGHUP):
        signal(number, lambda _number, _frame: None)
    yield reader


def _watch(ended: int, told: int) -> None:
    """Return when the child has ended, a signal came, or nobody holds the end of our stdin."""
    stdin = sys.stdin.fileno()
    while True:
        ready, _, _ = select.select([ended, told, stdin], [], [])
        if ended in ready or told in ready or not os.read(stdin, 4096):
            return


def _end_group(child: subprocess.Popen[bytes], ended: int) -> None:
    for number in (SIGTERM, SIGKILL):
        if child.poll() is not None:
            return
        os.killpg(child.pid, number)
        select.select([ended], [], [], GRACE_SECONDS)
