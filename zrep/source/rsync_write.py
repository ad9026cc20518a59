"""rsync writing a backup back to where it came from: argv, what it would do, how it ended. Pure.

The direction opposite to zrep.source.rsync, with a key of its own: the remote command is as
constant, and the module exists only while root there has armed it.
"""

from __future__ import annotations

import re
from dataclasses import field

from zrep.frozen import dataclass
from zrep.model.restore import Change
from zrep.source.rsync import Argv, Judgement, Verdict, check_exclude

# As the pull, but through temporary files: what a service finds under a name is whole or old.
PROFILE: Argv = (
    "-aHAX",
    "--numeric-ids",
    "--timeout=900",
    "--stats",
    "--no-human-readable",
    "--no-motd",
)
ITEMS = "--out-format=%i|%l|%n"
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:%\-]*")
_MODULE = re.compile(r"[a-z0-9][a-z0-9_.\-]*\.\d{8}_\d{6}")
_ABSOLUTE = re.compile(r"/[^\0\n]+")
_INSIDE = re.compile(r"(?:(?!\.\.?(?:/|$))[^\0\n/]+(?:/(?!\.\.?(?:/|$))[^\0\n/]+)*)?")
# A folder in the root of a source that holds what a restore has replaced.
SAFETY_FOLDER = ".zrep-safety"


@dataclass(frozen=True, slots=True, kw_only=True)
class RsyncWrite:
    """One transfer of `source` on this machine to `host::module/inside`.

    `folder`: source is one, and its content becomes that of `inside`; otherwise it becomes `inside`
    itself. `delete` what the backup does not have; `missing_only` touches nothing that is there;
    `keep_in` is a folder in the module's root that takes what is replaced or deleted. `compare`
    changes nothing and says what would be, `checksum` by content instead of size and time.
    """

    host: str
    module: str
    source: str
    shell: str
    inside: str = ""
    folder: bool = True
    delete: bool = False
    missing_only: bool = False
    keep_in: str = ""
    exclude: tuple[str, ...] = ()
    compare: bool = False
    checksum: bool = False
    bwlimit: int | None = None

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise ValueError(f"not a host: {self.host!r}")
        if not _MODULE.fullmatch(self.module):
            raise ValueError(f"not a module name (source.run): {self.module!r}")
        if not _ABSOLUTE.fullmatch(self.source) or "/../" in f"{self.source}/":
            raise ValueError(f"not an absolute path: {self.source!r}")
        if not is_inside(self.inside) or not (self.folder or self.inside):
            raise ValueError(f"not a path inside a source: {self.inside!r}")
        if self.delete and (self.missing_only or not self.folder):
            raise ValueError("only a folder can be mirrored, and only as a whole")
        for pattern in self.exclude:
            check_exclude(pattern)


def is_inside(path: str) -> bool:
    """`a/b`: relative, no `..`, no empty steps; empty is the source itself."""
    return bool(_INSIDE.fullmatch(path))


def write_argv(write: RsyncWrite) -> Argv:
    """The whole local command; its remote side is decided by the forced command of the restore key.

    What was left out of the backup is left alone here: `exclude` protects it from being deleted.
    """
    host = f"[{write.host}]" if ":" in write.host else write.host
    tail = "/" if write.folder else ""
    return (
        "rsync",
        *PROFILE,
        *_mode(write),
        *(f"--exclude={pattern}" for pattern in _protected(write)),
        *((f"--bwlimit={write.bwlimit}",) if write.bwlimit is not None else ()),
        "-e",
        write.shell,
        f"{write.source.rstrip('/')}{tail}",
        f"{host}::{write.module}/{write.inside}{tail if write.inside else ''}",
    )


def _mode(write: RsyncWrite) -> Argv:
    keep = bool(write.keep_in) and not write.missing_only
    return (
        *(("--dry-run", ITEMS) if write.compare else ("--info=progress2",)),
        *(("--checksum",) if write.checksum else ()),
        *(("--delete-delay",) if write.delete else ()),
        *(("--ignore-existing",) if write.missing_only else ()),
        *(("--backup", f"--backup-dir=/{write.keep_in}") if keep else ()),
        *(("--mkpath",) if write.inside else ()),
    )


def _protected(write: RsyncWrite) -> tuple[str, ...]:
    """In the source's root lie what restores have replaced: no restore deletes that."""
    own = () if write.inside else (f"/{SAFETY_FOLDER}-*",)
    return (*own, *write.exclude)


# %i: how it is updated, what it is, then nine attributes; all of these "+" for something new.
_ITEM = re.compile(
    r"(?P<how>[<>ch.])(?P<kind>[fdLDS])(?P<what>[^|]{9})\|(?P<size>\d+)\|(?P<name>.*)"
)
_DELETED = re.compile(r"\*deleting\s+\|\d*\|(?P<name>.*)")


@dataclass(slots=True)
class Tally:
    """Counts the lines of a comparing transfer as they come."""

    change: Change = field(default_factory=Change)

    def feed(self, line: str) -> bool:
        """False for a line that is not an item."""
        found = parse_item(line)
        if found is None:
            return False
        self.change = self.change + found
        return True


def parse_item(line: str) -> Change | None:
    """One line of the format ITEMS.

    <f+++++++++|12|a/b -> new=1, size=12
    .d..t......|4096|a -> attributes=1
    *deleting  |0|a/old -> deleted=1
    """
    if match := _DELETED.fullmatch(line):
        return Change(deleted=1, examples=(f"- {match['name']}",))
    match = _ITEM.fullmatch(line)
    if match is None:
        return None
    size = int(match["size"]) if match["how"] in "<>" else 0
    if match["what"] == "+" * 9:
        return Change(new=1, size=size, examples=(f"+ {match['name']}",))
    if match["how"] in "<>c":
        return Change(changed=1, size=size, examples=(f"* {match['name']}",))
    return Change(attributes=1, examples=(f"  {match['name']}",))


_LEASE = re.compile(r"^zrep lease: (.+)$", re.MULTILINE)
_DAEMON = re.compile(r"^@ERROR: (.+)$", re.MULTILINE)
_FULL = re.compile(r"No space left on device|Disk quota exceeded")
_ARM = "arm it on the host: /usr/libexec/zrep/zrep-arm; then: zrep restore --resume"
_AT_WORK = " runs and may write to "
_SEE = "stop its service, or docker on the host; then: zrep restore --resume"
_AGAIN = "the transfer is tried again"
_TRANSIENT = {
    10: "error in socket I/O",
    12: "the connection broke, or the host ended it",
    20: "the host ended it",
    30: "no data for 15 minutes",
    35: "the host did not answer",
    124: "the host ended it",
    125: "the host ended it",
    255: "ssh failed",
}
_FATAL = {
    11: "error in file I/O on the host",
    23: "some files or attributes could not be written",
    24: "files of the backup vanished while they were read: is its session still mounted?",
    127: "rsync or ssh is not installed",
}


def judge_write(returncode: int, stderr: str) -> Judgement:
    """Negative codes are signals. What the host refuses for a reason is not tried again."""
    if lease := _LEASE.search(stderr):
        mend = _SEE if _AT_WORK in lease[1] else _ARM
        return Judgement(verdict=Verdict.FAILED, why=lease[1], next_step=mend)
    if daemon := _DAEMON.search(stderr):
        return _judge_daemon(daemon[1])
    return _judge_full(returncode, stderr) or _judge_code(returncode)


def _judge_full(returncode: int, stderr: str) -> Judgement | None:
    if returncode and _FULL.search(stderr):
        return Judgement(
            verdict=Verdict.FAILED,
            why="no space is left on the destination",
            next_step="make room there; then: zrep restore --resume",
        )
    return None


def _judge_code(returncode: int) -> Judgement:
    if returncode == 0:
        return Judgement(verdict=Verdict.GOOD)
    if returncode < 0:
        return Judgement(verdict=Verdict.CANCELLED, why=f"stopped by signal {-returncode}")
    if returncode in _TRANSIENT:
        return Judgement(verdict=Verdict.RETRY, why=_TRANSIENT[returncode], next_step=_AGAIN)
    why = _FATAL.get(returncode, f"rsync ended with status {returncode}")
    return Judgement(verdict=Verdict.FAILED, why=why, next_step="then: zrep restore --resume")


def _judge_daemon(text: str) -> Judgement:
    if text.startswith("max connections"):
        return Judgement(verdict=Verdict.RETRY, why=text, next_step=_AGAIN)
    if text.startswith("Unknown module"):
        text = "the host has not opened the source for this restore, or its lease has ended"
    why = text.removeprefix("zrep: ")
    return Judgement(verdict=Verdict.FAILED, why=why, next_step=_ARM)
