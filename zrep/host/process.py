"""The one way zrep runs local programs: `run` to the end, `stream` line by line.

zrep.host.pipeline connects several. Every program gets what zrep.host.child says: a built
environment, no terminal, a group of its own, death with zrep. stdout and stderr never merge; of
stderr only the tail is kept. All wait in the calling thread and may be used from several threads at
once.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import IO

from zrep.errors import CommandFailed, CommandTimeout
from zrep.host.child import NOTHING, Child, NotStarted, Tail
from zrep.host.mux import Deadline, Mux, Stop
from zrep.host.port import Completed

HERE = "localhost"
_LINE_END = rb"[\r\n]+"


def run(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    timeout: float | None = 60.0,
    ok: Sequence[int] = (0,),
    where: str = HERE,
    env: Mapping[str, str] = NOTHING,
) -> Completed:
    """Run to the end. stdin is closed unless text is given; `env` adds to the fixed environment.

    Bytes of stdout that are not UTF-8 survive as surrogates. Raises CommandFailed for a status
    not in `ok` (127 not found, 126 not executable or argv too long) and CommandTimeout after
    `timeout` seconds.
    """
    out, tail, mux = bytearray(), Tail(), Mux()
    source = subprocess.DEVNULL if stdin is None else subprocess.PIPE
    with started(argv, where=where, stdin=source, env=env) as child:
        if stdin is not None:
            mux.write(child.stdin, stdin.encode("utf-8", "surrogateescape"))
        _watch(mux, child, out.extend, tail)
        if not mux.run(Deadline(timeout)):
            raise _timed_out(child, f"did not end within {timeout:g} s", where)
        return _completed(child, out.decode("utf-8", "surrogateescape"), tail, ok=ok, where=where)


def stream(
    argv: Sequence[str],
    *,
    on_line: Callable[[str], None],
    ok: Sequence[int] = (0,),
    timeout_idle: float | None = None,
    lock_fds: Sequence[int] = (),
    stop: Stop | None = None,
) -> Completed:
    r"""Run a long program and hand over each line of its stdout as it comes.

    Lines end in \n or \r (rsync redraws its progress line); empty ones are left out, and
    Completed.stdout is empty. stdin is a pipe that stays open and silent: the far side of an ssh
    sees its end as soon as we are gone. `lock_fds` stay open in the program, so that a flock on
    them is held as long as it lives. Raises CommandTimeout after `timeout_idle` seconds without
    a byte on stdout or stderr, and Stopped when `stop` was requested.
    """
    lines, tail, mux = _Lines(on_line), Tail(), Mux(stop)
    with started(argv, stdin=subprocess.PIPE, pass_fds=lock_fds) as child:
        _watch(mux, child, lines.feed, tail)
        while mux.busy:
            if not mux.turn(Deadline(timeout_idle)):
                raise _timed_out(child, f"was silent for {timeout_idle:g} s", HERE)
        lines.finish()
        return _completed(child, "", tail, ok=ok, where=HERE)


def started(
    argv: Sequence[str],
    *,
    where: str = HERE,
    stdin: int | IO[bytes],
    env: Mapping[str, str] = NOTHING,
    pass_fds: Sequence[int] = (),
) -> Child:
    """CommandFailed when the kernel refuses to start it."""
    try:
        return Child(argv, stdin=stdin, env=env, pass_fds=pass_fds)
    except NotStarted as reason:
        raise CommandFailed(tuple(argv), reason.status, str(reason), where=where) from reason


def _watch(mux: Mux, child: Child, sink: Callable[[bytes], None], tail: Tail) -> None:
    mux.read(child.stdout, sink)
    mux.read(child.stderr, tail.feed)
    mux.exit_of(child)


def _completed(
    child: Child, stdout: str, tail: Tail, *, ok: Sequence[int], where: str
) -> Completed:
    status, stderr = child.reap(), str(tail)
    if status not in ok:
        raise CommandFailed(child.argv, status, stderr, where=where)
    return Completed(argv=child.argv, returncode=status, stdout=stdout, stderr=stderr)


def _timed_out(child: Child, what: str, where: str) -> CommandTimeout:
    ended = "was killed" if child.end() else "could not be killed: it hangs inside the kernel"
    return CommandTimeout(
        f"{child.argv[0]} {what} and {ended}", where=where, why=shlex.join(child.argv)
    )


class _Lines:
    """Cuts a byte stream into lines."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        *lines, self._rest = re.split(_LINE_END, self._rest + chunk)
        for line in lines:
            self._emit(line)

    def finish(self) -> None:
        self._emit(self._rest)

    def _emit(self, line: bytes) -> None:
        if line:
            self._on_line(line.decode("utf-8", "surrogateescape"))
