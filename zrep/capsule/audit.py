"""What our restricted keys must not be able to do, and how a refusal is told from anything else.

Pure. A trial that met no refusal by the gate or by sshd counts as allowed, unless ssh did not get
that far: then nothing is proven.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from zrep.frozen import dataclass

# Should a broken gate let a trial through, it must not hurt: no such run, no such pool.
RUN = "20000101_000000"
POOL = "zrep-audit-no-such-pool"


class KeyName(StrEnum):
    """The keys that stand in authorized_keys of a machine."""

    CONTROL = "control"
    READ = "read"


class Sign(StrEnum):
    """What shows that a trial was refused."""

    GATE = "gate"
    SILENT_GATE = "silent-gate"
    DAEMON = "daemon"
    NOT_PREPARED = "not-prepared"
    PTY = "pty"
    FORWARD = "forward"


class Finding(StrEnum):
    """What a trial showed."""

    REFUSED = "refused"
    ALLOWED = "allowed"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One thing to try: `request` as ssh's command (None: a shell), `options` for ssh itself."""

    name: str
    key: KeyName
    sign: Sign
    request: str | None = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How ssh ended; `ssh_failure` when it did not get as far as to be refused."""

    status: int
    stdout: str
    stderr: str
    ssh_failure: str = ""


_VERBS = ("probe", "before", "quiesce", "snapshot", "thaw", "release", "check", "docker-stop")
_TAILS = (
    ";id",
    " ;id",
    "&&id",
    "|id",
    " `id`",
    " $(id)",
    "\nid",
    " >/dev/null",
    " <(id)",
    " *",
    " --help",
    " -n",
    " /etc/hostname",
    " ../../bin/sh",
    f" run={RUN}",
    f" run={RUN} set=",
    f" run={RUN} set=../x",
    f" run={RUN} set=A",
    f" run={RUN} set=a b",
    f" run={RUN}  set=a",
    f" set=a run={RUN}",
    " '",
    '"',
    "\\",
    "\t",
    " ",
)
_COMMANDS = (
    "id",
    "sh",
    "sh -c id",
    "bash -i",
    "/bin/sh",
    "-c id",
    "PROBE",
    " probe",
    "capsule-probe",
    "/usr/libexec/zrep/capsule-probe",
    "rsync-read",
    "rsync-write",
    "sudo -n id",
    "sudo -n /usr/libexec/zrep/capsule-probe",
    "scp -t /dev/null",
    "scp -f /etc/hostname",
    "sftp-server",
    "internal-sftp",
    "/usr/lib/openssh/sftp-server",
    "cat /etc/zrep/source.conf",
    "rsync --server --sender -logDtpr . /etc/",
    "rsync --server -logDtpr . /dev/null",
    "rsync --server --daemon .",
    f"zfs destroy -r {POOL}",
    "zfs list; id",
    f"zfs set mountpoint=/ {POOL}",
    f"zfs set exec=on {POOL}",
    f"zfs receive -F {POOL}/x",
    f"zfs allow everyone destroy {POOL}",
    f"zfs rollback -r {POOL}@x",
    f"zpool destroy {POOL}",
    "git-upload-pack 'x'",
    "exit 0",
    ": ; id",
    "env",
    "x" * 5000,
)
_READ = (
    "id",
    "sh -c id",
    "probe",
    f"snapshot run={RUN} set=a",
    "release",
    "cat /etc/hostname",
    "rsync --server --sender -logDtpr . /etc/",
    "rsync --server -logDtpr . /dev/null",
    "rsync --server --daemon --config=/tmp/x .",
    "rsync --daemon --config=/dev/stdin",
    "scp -f /etc/hostname",
    "sftp-server",
    "zfs list",
    "sudo -n id",
)


def control_trials() -> Iterator[Trial]:
    """For every machine: whatever role it has, these are no requests of ours."""
    hostile = (*_COMMANDS, *(verb + tail for verb in _VERBS for tail in _TAILS))
    for request in dict.fromkeys(hostile):
        yield Trial(
            name=f"say {_shown(request)}", key=KeyName.CONTROL, sign=Sign.GATE, request=request
        )
    yield Trial(name="get a shell", key=KeyName.CONTROL, sign=Sign.GATE)
    yield Trial(
        name="use sftp", key=KeyName.CONTROL, sign=Sign.SILENT_GATE, request="sftp", options=("-s",)
    )
    yield from _channels(KeyName.CONTROL, "probe")


def read_trials() -> Iterator[Trial]:
    """For source hosts."""
    for request in _READ:
        yield Trial(name=f"say {request}", key=KeyName.READ, sign=Sign.DAEMON, request=request)
    yield Trial(name="get a shell", key=KeyName.READ, sign=Sign.DAEMON)
    yield Trial(
        name="use sftp", key=KeyName.READ, sign=Sign.DAEMON, request="sftp", options=("-s",)
    )
    yield Trial(
        name="read although no snapshot is prepared",
        key=KeyName.READ,
        sign=Sign.NOT_PREPARED,
        request="rsync --server --daemon .",
    )
    yield from _channels(KeyName.READ, "rsync --server --daemon .")


def _channels(key: KeyName, harmless: str) -> Iterator[Trial]:
    yield Trial(name="get a terminal", key=key, sign=Sign.PTY, request=harmless, options=("-tt",))
    yield Trial(
        name="forward a port from here",
        key=key,
        sign=Sign.FORWARD,
        options=("-W", "127.0.0.1:22"),
    )
    yield Trial(
        name="forward a port from there",
        key=key,
        sign=Sign.FORWARD,
        request=harmless,
        options=("-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:9"),
    )


def _shown(text: str) -> str:
    return ascii(text) if len(text) <= 60 else f"{len(text)} characters"


def judge(trial: Trial, outcome: Outcome) -> tuple[Finding, str]:
    """The finding and, unless it is a refusal, why."""
    if is_refusal(trial.sign, outcome):
        return Finding.REFUSED, ""
    if trial.sign is Sign.FORWARD and _NOBODY_THERE in outcome.stderr:
        return Finding.ALLOWED, "the connection was tried"
    if outcome.ssh_failure:
        return Finding.UNPROVEN, outcome.ssh_failure
    if trial.sign is Sign.NOT_PREPARED and _is_daemon(outcome.stdout):
        return Finding.UNPROVEN, "a snapshot is prepared just now; try again after the run"
    said = (outcome.stdout or outcome.stderr).strip().splitlines()
    return Finding.ALLOWED, f"status {outcome.status}: {said[0][:100] if said else 'no words'}"


def is_refusal(sign: Sign, outcome: Outcome) -> bool:
    """Whether `sign` is to be seen in how ssh ended."""
    match sign:
        case Sign.GATE:
            said = (
                "zrep: this key may only say" in outcome.stderr or "zrep gate: " in outcome.stderr
            )
            return outcome.status == _GATE_STATUS and not outcome.stdout and said
        case Sign.SILENT_GATE:  # sshd passes on no stderr of a subsystem
            return outcome.status == _GATE_STATUS and not outcome.stdout
        case Sign.DAEMON:
            return _is_daemon(outcome.stdout)
        case Sign.NOT_PREPARED:
            return _is_daemon(outcome.stdout) and "@ERROR: zrep: no snapshot" in outcome.stdout
        case Sign.PTY:
            return "PTY allocation request failed" in outcome.stderr
        case Sign.FORWARD:
            return any(words in outcome.stderr for words in _NO_FORWARDING)


_GATE_STATUS = 126
_NOBODY_THERE = "open failed: connect failed"
_NO_FORWARDING = ("administratively prohibited", "remote port forwarding failed")


def _is_daemon(stdout: str) -> bool:
    """Nothing but rsync's daemon was there, and it served nothing."""
    lines = stdout.splitlines()
    return bool(lines) and all(line.startswith(("@RSYNCD: ", "@ERROR: ")) for line in lines)
