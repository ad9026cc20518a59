"""Pulling one source from its snapshot into its child dataset with rsync, with retries."""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence

from zrep.capsule.gate_pull import PullOptions
from zrep.engine.progress import Progress
from zrep.errors import AccessRefused, CommandFailed, HostKeyRejected, SourceFailed, ZrepError
from zrep.frozen import dataclass
from zrep.host.confine import can_confine, confined
from zrep.host.local import LocalHost
from zrep.host.mux import Stop, Stopped
from zrep.host.port import Host
from zrep.host.process import stream
from zrep.host.ssh_argv import SshEndpoint, rsync_shell
from zrep.host.ssh_failure import explain_ssh_failure
from zrep.model.source import Address, Source, Ssh
from zrep.source.rsync import (
    Judgement,
    RsyncPull,
    Verdict,
    judge,
    module_name,
    never_connected,
    pull_argv,
)
from zrep.source.rsync_output import (
    RsyncStats,
    is_full_folder,
    parse_progress,
    parse_skipped,
    parse_stats,
)

# Seconds to wait before each further try; a refused daemon slot is free again after a moment.
BACK_OFF = (3.0, 10.0, 30.0)
# rsync gives up by itself after 900 s without data; this is for an rsync that hangs altogether.
SILENCE_SECONDS = 1200.0
# Statuses of an rsync that had to keep files which it should have deleted.
AT_LIMIT = 25
_KEPT = (23, AT_LIMIT)
UNCONFINED = "rsync is not held to its dataset: this kernel has no Landlock (Linux 5.19 has)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """One source of one run, and where its data goes; the rest is as RsyncPull has it."""

    source: Source
    run: str
    destination: str
    address: Address
    ssh: Ssh
    estimate: bool = False
    max_delete: int | None = None
    bwlimit: int | None = None

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
            PullOptions(
                exclude=self.source.exclude,
                estimate=self.estimate,
                max_delete=self.max_delete,
                bwlimit=self.bwlimit,
            ),
        )


def is_confined(target: Host) -> bool:
    """Whether the kernel can hold a transfer to its dataset; a far target's gate does it there."""
    return not isinstance(target, LocalHost) or can_confine()


def receiving_argv(request: Pull, target: Host) -> tuple[str, ...]:
    """The local argv of the transfer. On this machine it is confined; a target's gate does that."""
    if isinstance(target, LocalHost):
        keys = (request.ssh.read_key, request.ssh.known_hosts)
        return confined(request.argv, writes=request.destination, reads=keys)
    return target.bulk_argv(request.argv)


def rsync_argv(
    endpoint: SshEndpoint, module: str, destination: str, options: PullOptions
) -> tuple[str, ...]:
    """The one form of a pull: the director asks for it, and a remote target's gate expects it."""
    return pull_argv(
        RsyncPull(
            host=endpoint.address,
            module=module,
            destination=destination,
            shell=rsync_shell(endpoint),
            exclude=options.exclude,
            estimate=options.estimate,
            max_delete=options.max_delete,
            bwlimit=options.bwlimit,
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """The totals of a transfer that may be believed, and rsync's warning if it had one.

    `kept`: everything is here, but `max_delete` kept files from being deleted; `at_most` how many,
    None when rsync's words do not tell.
    """

    stats: RsyncStats
    warning: str = ""
    kept: bool = False
    at_most: int | None = None


def pull(
    request: Pull,
    target: Host,
    progress: Progress,
    *,
    lock: int,
    stop: Stop | None = None,
    back_off: Sequence[float] = BACK_OFF,
) -> Pulled:
    """Pull until it is done; what may pass by itself is tried again from the same snapshot.

    `lock` is the descriptor of the set's lock: rsync holds it too, so no second run starts while
    an orphaned rsync of a killed one still writes. Raises SourceFailed, and Stopped on `stop`.
    """
    waits = iter(back_off)
    attempt = _Attempt(request, progress)
    while isinstance(outcome := attempt.run(target, lock, stop), _Failure):
        pause = next(waits, None) if outcome.transient else None
        if pause is None:
            raise outcome.error
        progress.warn(f"{request.source.key}: {outcome.error.why}; again in {pause:g} s")
        _wait(pause, stop)
    return outcome


def _wait(seconds: float, stop: Stop | None) -> None:
    if select.select([stop] if stop else [], [], [], seconds)[0]:
        raise Stopped


@dataclass(frozen=True, slots=True)
class _Failure:
    error: ZrepError
    transient: bool


class _Attempt:
    """One rsync, and what it printed but for its progress."""

    def __init__(self, request: Pull, progress: Progress) -> None:
        self.request = request
        self.progress = progress
        self.key = str(request.source.key)
        self.lines: list[str] = []
        self.full_folders = 0

    def run(self, target: Host, lock: int, stop: Stop | None) -> Pulled | _Failure:
        self.lines, self.full_folders = [], 0
        self.progress.step(f"{'count' if self.request.estimate else 'pull'}: {self.key}")
        argv = receiving_argv(self.request, target)
        status, stderr = _run(argv, self.read, lock, stop)
        unheard = never_connected(status, stderr)
        ssh = explain_ssh_failure(stderr, where=self.key) if unheard else None
        if isinstance(ssh, AccessRefused | HostKeyRejected):
            return _Failure(ssh, transient=False)
        skipped = parse_skipped(stderr)
        if self.request.max_delete is not None and skipped is not None and status in _KEPT:
            # What makes way for something of another kind is kept too: rsync then ends with 23.
            return self.believe(kept=True, skipped=skipped if status == AT_LIMIT else None)
        ruling = judge(status, stderr, method=self.request.source.method)
        if ruling.verdict in (Verdict.GOOD, Verdict.WARNING):
            return self.believe(ruling.why)
        return self.failure(ruling, stderr)

    def read(self, line: str) -> None:
        seen = parse_progress(line)
        if seen is not None:
            total = seen.moved * 100 // seen.percent if seen.percent and seen.final else None
            self.progress.moved(self.key, seen.moved, total)
        elif is_full_folder(line):
            self.full_folders += 1
        else:
            self.lines.append(line)

    def believe(
        self, warning: str = "", *, kept: bool = False, skipped: int | None = None
    ) -> Pulled | _Failure:
        try:
            stats = parse_stats("\n".join(self.lines))
        except ValueError as error:
            failed = SourceFailed("rsync failed", where=self.key, why=str(error))
            return _Failure(failed, transient=False)
        at_most = None if skipped is None else skipped + self.full_folders
        return Pulled(stats=stats, warning=warning, kept=kept, at_most=at_most)

    def failure(self, ruling: Judgement, stderr: str) -> _Failure:
        error = SourceFailed(
            "rsync failed",
            where=self.key,
            why=f"{ruling.why}{_last_words(stderr)}",
            next_step=ruling.next_step,
        )
        return _Failure(error, transient=ruling.verdict is Verdict.RETRY)


def _run(
    argv: Sequence[str], on_line: Callable[[str], None], lock: int, stop: Stop | None
) -> tuple[int, str]:
    try:
        done = stream(
            argv, on_line=on_line, timeout_idle=SILENCE_SECONDS, lock_fds=(lock,), stop=stop
        )
    except CommandFailed as error:
        return error.returncode, error.stderr
    return done.returncode, done.stderr


def _last_words(stderr: str) -> str:
    lines = [line for line in stderr.strip().splitlines() if not line.startswith("rsync error:")]
    return f" ({lines[-1]})" if lines else ""
