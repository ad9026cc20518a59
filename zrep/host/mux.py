"""One poll loop over the pipes and exits of the programs of one run. No threads.

A caller registers what it waits for (`read`, `write`, `pump`, `exit_of`) and turns the loop until
nothing is left. Everything runs in the calling thread, so that an exception or Ctrl-C ends it.
"""

from __future__ import annotations

import fcntl
import math
import os
import select
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Protocol

CHUNK = 1 << 20  # also the largest pipe an unprivileged user may have
_READ = select.POLLIN | select.POLLPRI
_GONE = select.POLLERR | select.POLLNVAL


class HasFd(Protocol):
    def fileno(self) -> int: ...


class Stopped(Exception):
    """The run was ended by `Stop.request`; its programs are dead."""


class Stop:
    """Lets any thread end the runs that were given this object, at once and for good."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def request(self) -> None:
        os.eventfd_write(self._fd, 1)

    def fileno(self) -> int:
        return self._fd

    def __del__(self) -> None:
        os.close(self._fd)


class Deadline:
    """A moment on the monotonic clock; None seconds means never."""

    def __init__(self, seconds: float | None) -> None:
        self._end = math.inf if seconds is None else time.monotonic() + seconds

    @property
    def left(self) -> float:
        return max(0.0, self._end - time.monotonic())

    @property
    def left_ms(self) -> int | None:
        """For poll(): rounded up so that a loop cannot spin just before the end."""
        return None if math.isinf(self._end) else math.ceil(self.left * 1000)


class Mux:
    """Actions by file descriptor; `busy` while any is registered."""

    def __init__(self, stop: Stop | None = None) -> None:
        self._poll = select.poll()
        self._actions: dict[int, Callable[[int], None]] = {}
        self._stop = stop
        if stop is not None:
            self._poll.register(stop.fileno(), select.POLLIN)

    @property
    def busy(self) -> bool:
        return bool(self._actions)

    def watch(self, fd: int, events: int, action: Callable[[int], None]) -> None:
        """Call `action` with the poll events of `fd` until `drop`; replaces an earlier watch."""
        self._poll.register(fd, events)
        self._actions[fd] = action

    def drop(self, fd: int) -> None:
        if self._actions.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def read(self, pipe: IO[bytes], sink: Callable[[bytes], None]) -> None:
        """Give every chunk of `pipe` to `sink` until its end."""
        fd = pipe.fileno()

        def take(_: int) -> None:
            chunk = os.read(fd, CHUNK)
            sink(chunk) if chunk else self.drop(fd)

        self.watch(fd, _READ, take)

    def write(self, pipe: IO[bytes], content: bytes) -> None:
        """Write `content` and close the pipe; a reader that has gone away is no error."""
        fd, rest = pipe.fileno(), memoryview(content)
        os.set_blocking(fd, False)

        def give(_: int) -> None:
            nonlocal rest
            with suppress(BlockingIOError):
                try:
                    rest = rest[os.write(fd, rest) :]
                except BrokenPipeError:
                    rest = rest[:0]
            if not rest:
                self.drop(fd)
                pipe.close()

        self.watch(fd, select.POLLOUT, give)

    def exit_of(self, process: HasFd) -> None:
        """Stay busy until `process` (something with a pidfd) has ended; does not reap it."""
        fd = process.fileno()
        self.watch(fd, select.POLLIN, lambda _: self.drop(fd))

    def turn(self, deadline: Deadline) -> bool:
        """Wait for events and act on them; False when the deadline came first."""
        events = self._poll.poll(deadline.left_ms)
        if self._stop is not None and any(fd == self._stop.fileno() for fd, _ in events):
            raise Stopped
        for fd, mask in events:
            action = self._actions.get(fd)
            if action is not None:
                action(mask)
        return bool(events)

    def run(self, deadline: Deadline) -> bool:
        """Turn until nothing is left to wait for; False when the deadline came first."""
        while self.busy:
            if not self.turn(deadline):
                return False
        return True


class Pump:
    """Moves bytes from one pipe to another inside the kernel and counts them.

    `broken` is set when the reading side went away before the end.
    """

    def __init__(
        self, mux: Mux, source: IO[bytes], sink: IO[bytes], on_bytes: Callable[[int], None]
    ) -> None:
        self._mux, self._source, self._sink, self._on_bytes = mux, source, sink, on_bytes
        self.broken = False
        for pipe in (source, sink):
            os.set_blocking(pipe.fileno(), False)
            with suppress(OSError):  # the user's pipe quota is spent: slower, not wrong
                fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, CHUNK)
        self._await_source()

    def _await_source(self) -> None:
        self._mux.watch(self._source.fileno(), _READ, self._source_ready)
        # No event asked for: poll still reports POLLERR when the reader has gone.
        self._mux.watch(self._sink.fileno(), 0, self._sink_ready)

    def _source_ready(self, _: int) -> None:
        self._mux.drop(self._source.fileno())
        self._mux.watch(self._sink.fileno(), select.POLLOUT, self._sink_ready)

    def _sink_ready(self, events: int) -> None:
        if events & _GONE:
            self._finish(broken=True)
            return
        try:
            moved = os.splice(self._source.fileno(), self._sink.fileno(), CHUNK)
        except BlockingIOError:
            self._await_source()
        except BrokenPipeError:
            self._finish(broken=True)
        else:
            self._count(moved)

    def _count(self, moved: int) -> None:
        if moved:
            self._on_bytes(moved)
            self._await_source()
        else:
            self._finish(broken=False)

    def _finish(self, *, broken: bool) -> None:
        self.broken = broken
        for pipe in (self._source, self._sink):
            self._mux.drop(pipe.fileno())
            pipe.close()
