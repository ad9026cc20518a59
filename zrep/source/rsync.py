"""rsync pulling one source by its daemon protocol over ssh: argv, exit codes, statistics. Pure.

The remote command is constant (`rsync --server --daemon .`), so a forced command can serve it;
what is read is named by the module alone.
"""

from __future__ import annotations

import re
from enum import StrEnum

from zrep.frozen import dataclass
from zrep.model.key import is_word
from zrep.model.source import Method

Argv = tuple[str, ...]

# Hard links, ACLs, xattrs, numeric owners: a restore must bring back what was there. Not --sparse:
# ZFS stores a block of zeros as a hole by itself, and with --inplace an rsync older than 3.3 left
# old data behind the last hole.
# --inplace and no whole files: only changed blocks are rewritten, so ZFS snapshots stay small.
# --delete-delay deletes last, and not at all after any read error on the sender.
PROFILE: Argv = (
    "-aHAX",
    "--numeric-ids",
    "--inplace",
    "--no-whole-file",
    "--delete-delay",
    "--timeout=900",
    "--stats",
    "--info=progress2",
    "--no-human-readable",
    "--no-motd",
)
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:%\-]*")
_MODULE = re.compile(r"(?P<source>.+)\.(?P<run>\d{8}_\d{6})")
_DESTINATION = re.compile(r"/[^\0\n]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class RsyncPull:
    """One transfer from `host::module/` into `destination`, through the remote shell `shell`.

    `module` is `<source>.<run>`. `shell` is one string as rsync's -e takes it, with the login
    name in it. `exclude` are rsync patterns; what they match is also deleted here.
    `estimate` only counts. `max_delete` stops deleting after so many files (exit code 25).
    `bwlimit` is in KiB per second.
    """

    host: str
    module: str
    destination: str
    shell: str
    exclude: tuple[str, ...] = ()
    estimate: bool = False
    max_delete: int | None = None
    bwlimit: int | None = None

    def __post_init__(self) -> None:
        match = _MODULE.fullmatch(self.module)
        if match is None or not is_word(match["source"]):
            raise ValueError(f"not a module name (source.run): {self.module!r}")
        if not _HOST.fullmatch(self.host):
            raise ValueError(f"not a host: {self.host!r}")
        if not _DESTINATION.fullmatch(self.destination) or "/../" in f"{self.destination}/":
            raise ValueError(f"not an absolute path: {self.destination!r}")
        if self.max_delete is not None and self.max_delete < 0:
            raise ValueError(f"not a number of files: {self.max_delete}")
        if self.bwlimit is not None and self.bwlimit < 1:
            raise ValueError(f"not a rate: {self.bwlimit}")
        for pattern in self.exclude:
            check_exclude(pattern)


def check_exclude(pattern: str) -> None:
    """ValueError for what rsync would read as something else than a pattern to leave out.

    `--exclude='+ x'` includes, `--exclude=!` forgets all rules.
    """
    if not pattern or "\n" in pattern or "\0" in pattern:
        raise ValueError(f"not a pattern: {pattern!r}")
    if pattern == "!" or pattern.startswith(("+ ", "- ")):
        raise ValueError(f"rsync reads this as a rule, not as a pattern: {pattern!r}")


def module_name(source: str, run: str) -> str:
    """A module belongs to one run: reading with a wrong run meets an unknown module."""
    return f"{source}.{run}"


def pull_argv(pull: RsyncPull) -> Argv:
    """The whole local command; its remote side is decided by the forced command of the read key."""
    host = f"[{pull.host}]" if ":" in pull.host else pull.host
    return (
        "rsync",
        *PROFILE,
        *(("--dry-run",) if pull.estimate else ()),
        *((f"--max-delete={pull.max_delete}",) if pull.max_delete is not None else ()),
        *((f"--bwlimit={pull.bwlimit}",) if pull.bwlimit is not None else ()),
        *(f"--exclude={pattern}" for pattern in pull.exclude),
        *(("--delete-excluded",) if pull.exclude else ()),
        "-e",
        pull.shell,
        f"{host}::{pull.module}/",
        f"{pull.destination.rstrip('/')}/",
    )


def never_connected(returncode: int, stderr: str) -> bool:
    """Whether rsync ended because its ssh did, before the other side had said a word."""
    return returncode == _SSH_FAILED or _NO_GREETING in stderr


class Verdict(StrEnum):
    """What an rsync exit code means for the source."""

    GOOD = "good"
    WARNING = "warning"
    FAILED = "failed"
    RETRY = "retry"
    NEEDS_ACK = "needs-ack"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict with its reason in words, and the next step when there is one."""

    verdict: Verdict
    why: str = ""
    next_step: str = ""


def _judgement(verdict: Verdict, why: str, next_step: str = "") -> Judgement:
    return Judgement(verdict=verdict, why=why, next_step=next_step)


_AGAIN = "the transfer is tried again from the same snapshot"
_CODES = {
    0: Judgement(verdict=Verdict.GOOD),
    10: _judgement(Verdict.RETRY, "error in socket I/O", _AGAIN),
    11: _judgement(
        Verdict.RETRY,
        "error in file I/O on the target",
        "check free space and quota of the target: zfs list -o space",
    ),
    12: _judgement(Verdict.RETRY, "the connection broke, or the source ended it", _AGAIN),
    20: _judgement(Verdict.CANCELLED, "stopped by a signal"),
    23: _judgement(
        Verdict.FAILED,
        "some files or attributes were not transferred; nothing was deleted",
        "see the messages of rsync in the journal of this run",
    ),
    25: _judgement(
        Verdict.NEEDS_ACK,
        "more files would be deleted than allowed",
        "look at the source; then allow it once",
    ),
    30: _judgement(Verdict.RETRY, "no data for 15 minutes", _AGAIN),
    35: _judgement(Verdict.RETRY, "the source did not answer", _AGAIN),
    127: _judgement(
        Verdict.FAILED, "rsync or ssh is not installed", "install rsync and openssh-client"
    ),
    255: _judgement(Verdict.RETRY, "ssh failed", _AGAIN),
}
_VANISHED_SNAPSHOT = _judgement(
    Verdict.FAILED,
    "files vanished during the transfer: what was read is not a snapshot",
    "check what is mounted on the source host: zrep sync probes it on the next run",
)
_VANISHED_DIR = _judgement(Verdict.WARNING, "some files vanished while they were read")
_SENTINEL = re.compile(r"^zrep sentinel: (.+)$", re.MULTILINE)
# ssh's own, when it ends late enough for rsync to pass it on.
_SSH_FAILED = 255
# Status 5, as for a refusal, of which the source would have told.
_NO_GREETING = "did not see server greeting"
_DAEMON = re.compile(r"^@ERROR: (.+)$", re.MULTILINE)


def judge(returncode: int, stderr: str, *, method: Method) -> Judgement:
    """Negative codes are signals. A refusal by the source itself is not a broken connection."""
    sentinel = _SENTINEL.search(stderr)
    if sentinel:
        return _judgement(Verdict.FAILED, sentinel[1], "run the backup again")
    daemon = _DAEMON.search(stderr)
    if daemon:
        return _judge_daemon(daemon[1])
    if returncode < 0:
        return _judgement(Verdict.CANCELLED, f"stopped by signal {-returncode}")
    if _NO_GREETING in stderr:
        return _judgement(Verdict.RETRY, "the connection broke before the source answered", _AGAIN)
    if returncode == 24:
        return _VANISHED_DIR if method is Method.DIR else _VANISHED_SNAPSHOT
    return _CODES.get(returncode) or _judgement(
        Verdict.FAILED, f"rsync ended with status {returncode}"
    )


def _judge_daemon(text: str) -> Judgement:
    """A slot of `max connections` can stay taken for a moment after a refused transfer."""
    if text.startswith("max connections"):
        return _judgement(Verdict.RETRY, text, _AGAIN)
    if text.startswith("Unknown module"):
        text = "the source host has no snapshot prepared for this run"
    return _judgement(Verdict.FAILED, text.removeprefix("zrep: "), "run the backup again")
