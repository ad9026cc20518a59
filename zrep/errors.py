"""Every error zrep reports, with its message id and exit code, on one page.

An error says what failed, where, why, and what to do next. The id is stable: scripts and
monitoring may match it. Exit codes are per class; `exit_of` is the only place that turns an
error into an exit status.
"""

from __future__ import annotations

import signal
from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """Exit status of every zrep command; 128+n when signal n ended it."""

    DONE = 0
    BUG = 1
    USAGE = 2
    CONFIG = 3
    PARTIAL = 4
    REFUSED = 5
    CONFLICT = 6
    UNREACHABLE = 7
    BUSY = 8
    ZFS = 9
    SOURCE = 10


class ZrepError(Exception):
    """Base of all expected errors: `what` failed, `where`, `why`, and the `next` step to take."""

    id: ClassVar[str] = "bug"
    exit: ClassVar[Exit] = Exit.BUG

    def __init__(self, what: str, *, where: str = "", why: str = "", next_step: str = "") -> None:
        self.what = what
        self.where = where
        self.why = why
        self.next_step = next_step
        super().__init__(str(self))

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        body = f"{head}: {self.why}" if self.why else head
        return f"{body}\n  next: {self.next_step}" if self.next_step else body


class UsageError(ZrepError):
    """The command line asks for something that cannot be meant."""

    id = "usage"
    exit = Exit.USAGE


class UnknownName(UsageError):
    """A set, replica, session, source or deployment of that name is not configured."""

    id = "usage.unknown-name"


class BackupNotFound(UsageError):
    """No backup, or more than one, answers to the id given."""

    id = "usage.backup-not-found"


class ConfigError(ZrepError):
    """The configuration has errors; `problems` holds them all, each `file:line: text`."""

    id = "config.invalid"
    exit = Exit.CONFIG

    def __init__(self, problems: tuple[str, ...], *, next_step: str = "") -> None:
        self.problems = problems
        super().__init__("\n".join(problems), next_step=next_step)


class HostOutdated(ConfigError):
    """A host's capsules, source.conf or rsync are not those this configuration works with."""

    id = "config.host-outdated"


class PartialResult(ZrepError):
    """Some of the work was done and some was not."""

    id = "partial"
    exit = Exit.PARTIAL


class Refused(ZrepError):
    """A safety rule forbids it; nothing was changed."""

    id = "refused"
    exit = Exit.REFUSED


class InvariantBroken(Refused):
    """A plan failed its independent check before it ran."""

    id = "refused.invariant"


class Conflict(ZrepError):
    """Two histories do not fit together; the evidence is in `why`."""

    id = "conflict"
    exit = Exit.CONFLICT


class Unreachable(ZrepError):
    """The other host does not answer."""

    id = "host.unreachable"
    exit = Exit.UNREACHABLE


class HostKeyRejected(Unreachable):
    """The other host's key is unknown or has changed."""

    id = "host.key-rejected"


class AccessRefused(Unreachable):
    """The other host refused our key or our command."""

    id = "host.refused"


class Busy(ZrepError):
    """Another zrep run holds the lock."""

    id = "busy"
    exit = Exit.BUSY


class CommandFailed(ZrepError):
    """A program ended with a status that was not declared as success."""

    id = "command.failed"
    exit = Exit.BUG

    def __init__(self, argv: tuple[str, ...], returncode: int, stderr: str, *, where: str) -> None:
        self.argv = argv
        self.returncode = returncode
        self.stderr = stderr
        tail = stderr.strip().splitlines()[-1:] or [f"exit status {returncode}"]
        super().__init__(f"{argv[0]} failed with status {returncode}", where=where, why=tail[0])


class CommandTimeout(ZrepError):
    """A program did not end within its time limit and was killed."""

    id = "command.timeout"
    exit = Exit.BUG


class ZfsError(ZrepError):
    """ZFS refused or failed an operation."""

    id = "zfs.failed"
    exit = Exit.ZFS


class DatasetMissing(ZfsError):
    """The dataset, snapshot or bookmark does not exist."""

    id = "zfs.missing"


class DatasetExists(ZfsError):
    """The dataset, snapshot or bookmark exists already."""

    id = "zfs.exists"


class DatasetBusy(ZfsError):
    """Held, cloned, mounted or otherwise in use."""

    id = "zfs.busy"


class PoolFull(ZfsError):
    """No space left in the pool or under a quota."""

    id = "zfs.full"


class ZfsPermission(ZfsError):
    """The user may not do this."""

    id = "zfs.permission"


class SourceFailed(ZrepError):
    """A source could not be captured or transferred."""

    id = "source.failed"
    exit = Exit.SOURCE


class DrillFailed(ZrepError):
    """A backup is not what it was, or a check of one of its services says so."""

    id = "drill.failed"
    exit = Exit.SOURCE


class NeedsAck(SourceFailed):
    """More of a source would go than is allowed; nothing of it was deleted, a person must agree."""

    id = "source.needs-ack"


class StillPaused(SourceFailed):
    """A host did not confirm that the containers a run had paused run again."""

    id = "source.still-paused"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Their logical names."""
        return tuple(self.where.split(", "))


class HookFailed(SourceFailed):
    """A hook ended with an error or ran out of time."""

    id = "hook.failed"


class Terminated(BaseException):
    """A signal asked us to end; unwinds like an interrupt so that everything is undone."""

    def __init__(self, signum: int) -> None:
        self.signum = signum
        super().__init__(signal.Signals(signum).name)


def exit_of(error: BaseException | None) -> int:
    """The exit status of a command that ends with this error, or without one."""
    match error:
        case None:
            return Exit.DONE
        case ZrepError():
            return error.exit
        case Terminated():
            return 128 + error.signum
        case KeyboardInterrupt():
            return 128 + signal.SIGINT
        case BrokenPipeError():
            return 128 + signal.SIGPIPE
        case _:
            return Exit.BUG
