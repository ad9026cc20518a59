"""Writing one item of a restore to its host with rsync, and comparing it, with retries."""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from dataclasses import field

from zrep.engine.progress import Progress
from zrep.engine.pull import BACK_OFF, SILENCE_SECONDS
from zrep.errors import AccessRefused, CommandFailed, HostKeyRejected, SourceFailed, ZrepError
from zrep.frozen import dataclass
from zrep.host.mux import Stop, Stopped
from zrep.host.port import Completed, Host
from zrep.host.process import stream
from zrep.host.ssh_argv import SshEndpoint, rsync_shell
from zrep.host.ssh_failure import explain_ssh_failure
from zrep.model.restore import Change
from zrep.model.source import Address, Ssh
from zrep.source.rsync import Judgement, Verdict, never_connected
from zrep.source.rsync_output import parse_progress
from zrep.source.rsync_write import RsyncWrite, Tally, judge_write, write_argv


def restore_shell(address: Address, ssh: Ssh) -> str:
    """rsync's -e for writing: the restore key, and nothing of whoever runs zrep."""
    return rsync_shell(
        SshEndpoint(
            address=address.host,
            port=address.port,
            user=ssh.user,
            key_file=ssh.restore_key,
            known_hosts=ssh.known_hosts,
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Where rsync runs, and what ends it. `lock` is held by rsync too, as long as it lives."""

    target: Host
    progress: Progress
    lock: int
    stop: Stop | None = None
    back_off: Sequence[float] = field(default=BACK_OFF)

    def transfer(self, name: str, write: RsyncWrite) -> Change:
        """Until it is done; what may pass by itself is tried again. Raises SourceFailed, Stopped.

        The Change is empty unless `write` compares.
        """
        waits = iter(self.back_off)
        while True:
            tally = Tally()
            failure = self._attempt(name, write, tally)
            if failure is None:
                return tally.change
            pause = next(waits, None) if failure.transient else None
            if pause is None:
                raise failure.error
            self.progress.warn(f"{name}: {failure.error.why}; again in {pause:g} s")
            if select.select([self.stop] if self.stop else [], [], [], pause)[0]:
                raise Stopped

    def _attempt(self, name: str, write: RsyncWrite, tally: Tally) -> _Failure | None:
        def read(line: str) -> None:
            seen = None if tally.feed(line) else parse_progress(line)
            if seen is not None:
                total = seen.moved * 100 // seen.percent if seen.percent and seen.final else None
                self.progress.moved(name, seen.moved, total)

        done = self._run(write, read)
        unheard = never_connected(done.returncode, done.stderr)
        ssh = explain_ssh_failure(done.stderr, where=name) if unheard else None
        if isinstance(ssh, AccessRefused | HostKeyRejected):
            return _Failure(error=ssh, transient=False)
        ruling = judge_write(done.returncode, done.stderr)
        return None if ruling.verdict is Verdict.GOOD else _failure(name, ruling, done.stderr)

    def _run(self, write: RsyncWrite, read: Callable[[str], None]) -> Completed:
        argv = self.target.bulk_argv(write_argv(write))
        try:
            return stream(
                argv,
                on_line=read,
                timeout_idle=SILENCE_SECONDS,
                lock_fds=(self.lock,),
                stop=self.stop,
            )
        except CommandFailed as error:
            return Completed(
                argv=tuple(argv), returncode=error.returncode, stdout="", stderr=error.stderr
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    error: ZrepError
    transient: bool


def _failure(name: str, ruling: Judgement, stderr: str) -> _Failure:
    lines = [line for line in stderr.strip().splitlines() if not line.startswith("rsync error:")]
    known = not lines or ruling.why in lines[-1]
    words = "" if known else f" ({lines[-1]})"
    error = SourceFailed(
        "could not be written", where=name, why=f"{ruling.why}{words}", next_step=ruling.next_step
    )
    return _Failure(error=error, transient=ruling.verdict is Verdict.RETRY)
