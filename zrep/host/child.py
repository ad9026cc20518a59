"""One child process: how every program is started, watched and ended.

The child has an environment of its own, no terminal, a process group of its own, and `/` as its
working directory, so that it never keeps a mount busy: paths in argv must be absolute.

It dies with zrep, but for a few that end at once by themselves. The kernel sends it SIGKILL when
the *thread* that started it ends, however that happens, so whoever starts a child must wait for it
in the same thread: `Child` is a context manager, and nothing in this package hands one out. Three
limits of that kernel feature: children of the child are not covered (they see the end of their
pipes), a set-user-id program such as sudo clears it, and a zrep that dies within the first
millisecond can be missed.
"""

from __future__ import annotations

import errno
import os
import pwd
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType, TracebackType
from typing import IO, Self

from zrep.host.command_log import log_command
from zrep.host.environment import FIXED_ENVIRONMENT
from zrep.host.mux import Deadline

# setpriv (util-linux) sets the death signal and becomes the program. A preexec_fn could do the
# same, but is not safe once zrep has threads. Costs under a millisecond.
_LEASH = ("setpriv", "--pdeathsig", "KILL", "--")
# These need none: what they change is one call into the kernel, which no signal takes back, and
# whoever looks into a backup waits for each of them.
_UNLEASHED = frozenset(("zfs", verb) for verb in ("list", "create", "clone", "hold"))
_GRACE_SECONDS = 2.0
_KILL_SECONDS = 5.0
STDERR_TAIL = 64 * 1024
NOTHING: Mapping[str, str] = MappingProxyType({})


class Tail:
    """The last `limit` bytes of a stream."""

    def __init__(self, limit: int = STDERR_TAIL) -> None:
        self._limit = limit
        self._kept = bytearray()

    def feed(self, chunk: bytes) -> None:
        self._kept += chunk
        del self._kept[: -self._limit]

    def __str__(self) -> str:
        return self._kept.decode("utf-8", "replace")


def environment(extra: Mapping[str, str] = NOTHING) -> dict[str, str]:
    """The fixed variables, HOME from the user database, and `extra`. Nothing is inherited."""
    try:
        home = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        home = "/"
    return {**FIXED_ENVIRONMENT, "HOME": home, **extra}


class NotStarted(Exception):
    """The kernel refused to start a program; `status` is what a shell would have ended with."""

    def __init__(self, program: str, error: OSError) -> None:
        self.status = 127 if error.errno == errno.ENOENT else 126
        super().__init__(f"{program} cannot be started: {error.strerror}")


class Child:
    """A started program. Leaving the `with` block ends it and its group if it still runs."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        env: Mapping[str, str] = NOTHING,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Raises NotStarted. A program that is missing ends with status 127 instead."""
        self.argv = tuple(argv)
        log_command(__name__, self.argv)
        words = self.argv if self.argv[:2] in _UNLEASHED else (*_LEASH, *self.argv)
        try:
            self._process = subprocess.Popen(
                words,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                cwd="/",
                env=environment(env),
                start_new_session=True,
                pass_fds=tuple(pass_fds),
            )
        except OSError as error:
            raise NotStarted(words[0], error) from error
        self._pidfd = _pidfd(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.reaped:
            self.end()
        os.close(self._pidfd)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    @property
    def stdin(self) -> IO[bytes]:
        return _opened(self._process.stdin)

    @property
    def stdout(self) -> IO[bytes]:
        return _opened(self._process.stdout)

    @property
    def stderr(self) -> IO[bytes]:
        return _opened(self._process.stderr)

    def fileno(self) -> int:
        """A pidfd: readable once the program has ended."""
        return self._pidfd

    @property
    def reaped(self) -> bool:
        return self._process.returncode is not None

    def reap(self) -> int:
        """The exit status of a program that has ended; -n when signal n killed it."""
        return self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """To the whole group. What sudo runs belongs to another user and may not be reached."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def end(self, *, grace: float = _GRACE_SECONDS) -> bool:
        """TERM, `grace` seconds, KILL, for the whole group; False when it survived even that.

        The leader is reaped last: until then the kernel cannot give its group id away. A program
        stuck inside the kernel (a hung pool, a dead mount) is left behind after a bounded wait.
        """
        self.signal(signal.SIGTERM)
        self._has_ended(within=grace)
        self.signal(signal.SIGKILL)
        ended = self._has_ended(within=_KILL_SECONDS)
        if ended:
            self._process.wait()
        return ended

    def _has_ended(self, *, within: float) -> bool:
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(Deadline(within).left_ms))


def _pidfd(process: subprocess.Popen[bytes]) -> int:
    try:
        return os.pidfd_open(process.pid)
    except OSError as error:
        with process:
            process.kill()
        raise NotStarted("its watch", error) from error


def _opened(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("this stream of the child is not a pipe")
    return pipe
