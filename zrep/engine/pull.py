"""Pulling one source from its snapshot into its child dataset with rsync, with retries."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zrep.engine.progress import Progress
from zrep.errors import AccessRefused, CommandFailed, HostKeyRejected, SourceFailed, ZrepError
from zrep.host.port import Host
from zrep.host.process import stream
from zrep.host.ssh_argv import SshEndpoint, rsync_shell
from zrep.host.ssh_failure import SSH_FAILED, explain_ssh_failure
from zrep.model.source import Address, Source, Ssh
from zrep.source.rsync import RsyncPull, Verdict, judge, module_name, pull_argv
from zrep.source.rsync_output import RsyncStats, parse_progress, parse_stats

# Seconds to wait before each further try; a refused daemon slot is free again after a moment.
BACK_OFF = (3.0, 10.0, 30.0)
# rsync gives up by itself after 900 s without data; this is for an rsync that hangs altogether.
SILENCE_SECONDS = 1200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """One source of one run, and where its data goes."""

    source: Source
    run: str
    destination: str
    address: Address
    ssh: Ssh

    @property
    def argv(self) -> tuple[str, ...]:
        """rsync's argv on the target; the read key reaches the source from there."""
        return rsync_argv(
            SshEndpoint(
                address=self.address.host,
                port=self.address.port,
                user=self.ssh.user,
                key_file=self.ssh.read_key,
                known_hosts=self.ssh.known_hosts,
            ),
            module_name(self.source.key.module, self.run),
            self.destination,
            exclude=self.source.exclude,
        )


def rsync_argv(
    endpoint: SshEndpoint,
    module: str,
    destination: str,
    *,
    exclude: Sequence[str] = (),
    estimate: bool = False,
    max_delete: int | None = None,
) -> tuple[str, ...]:
    """The one form of a pull: the director asks for it, and a remote target's gate expects it."""
    return pull_argv(
        RsyncPull(
            host=endpoint.address,
            module=module,
            destination=destination,
            shell=rsync_shell(endpoint),
            exclude=tuple(exclude),
            estimate=estimate,
            max_delete=max_delete,
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """The totals of a transfer that may be believed, and rsync's warning if it had one."""

    stats: RsyncStats
    warning: str = ""


def pull(
    request: Pull,
    target: Host,
    progress: Progress,
    *,
    lock: int,
    back_off: Sequence[float] = BACK_OFF,
) -> Pulled:
    """Pull until it is done; what may pass by itself is tried again from the same snapshot.

    `lock` is the descriptor of the set's lock: rsync holds it too, so no second run starts while
    an orphaned rsync of a killed one still writes. Raises SourceFailed.
    """
    waits = iter(back_off)
    while isinstance(outcome := _attempt(request, target, progress, lock), _Failure):
        pause = next(waits, None) if outcome.transient else None
        if pause is None:
            raise outcome.error
        progress.warn(f"{request.source.key}: {outcome.error.why}; again in {pause:g} s")
        time.sleep(pause)
    return outcome


@dataclass(frozen=True, slots=True)
class _Failure:
    error: ZrepError
    transient: bool


def _attempt(request: Pull, target: Host, progress: Progress, lock: int) -> Pulled | _Failure:
    key = str(request.source.key)
    lines: list[str] = []

    def on_line(line: str) -> None:
        seen = parse_progress(line)
        if seen is None:
            lines.append(line)
        else:
            total = seen.moved * 100 // seen.percent if seen.percent and seen.final else None
            progress.moved(key, seen.moved, total)

    progress.step(f"pull: {key}")
    status, stderr = _run(target.bulk_argv(request.argv), on_line, lock)
    ssh = explain_ssh_failure(stderr, where=key) if status == SSH_FAILED else None
    if isinstance(ssh, AccessRefused | HostKeyRejected):
        return _Failure(ssh, transient=False)
    ruling = judge(status, stderr, method=request.source.method)
    if ruling.verdict not in (Verdict.GOOD, Verdict.WARNING):
        error = SourceFailed(
            "rsync failed",
            where=key,
            why=f"{ruling.why}{_last_words(stderr)}",
            next_step=ruling.next_step,
        )
        return _Failure(error, transient=ruling.verdict is Verdict.RETRY)
    return _believe(key, lines, ruling.why)


def _run(argv: Sequence[str], on_line: Callable[[str], None], lock: int) -> tuple[int, str]:
    try:
        done = stream(argv, on_line=on_line, timeout_idle=SILENCE_SECONDS, lock_fds=(lock,))
    except CommandFailed as error:
        return error.returncode, error.stderr
    return done.returncode, done.stderr


def _believe(key: str, lines: Sequence[str], warning: str) -> Pulled | _Failure:
    try:
        return Pulled(stats=parse_stats("\n".join(lines)), warning=warning)
    except ValueError as error:
        return _Failure(SourceFailed("rsync failed", where=key, why=str(error)), transient=False)


def _last_words(stderr: str) -> str:
    lines = [line for line in stderr.strip().splitlines() if not line.startswith("rsync error:")]
    return f" ({lines[-1]})" if lines else ""
