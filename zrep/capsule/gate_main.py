"""The far side of a restricted key, or of a person without privileges on this machine: judge
SSH_ORIGINAL_COMMAND, then become it, or refuse.

Runs as root behind sudo, which keeps that one variable for this program alone. zfs replaces this
process; rsync runs as a child under a lock and ends when the other side is gone.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
import syslog
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from zrep.capsule.gate import Gate
from zrep.capsule.gate_policy import (
    Allowed,
    GatePolicy,
    Refusal,
    Role,
    parse_policy,
)
from zrep.frozen import dataclass
from zrep.model.names import DatasetName

if TYPE_CHECKING:
    from zrep.capsule.gate_pull import PullArgv

POLICY = "/etc/zrep/gate.toml"
# A file of its own: the machine may have a gate for a key too.
OPERATOR_POLICY = "/etc/zrep/gate-operator.toml"
LOCKS = "/run/lock"
VARIABLE = "SSH_ORIGINAL_COMMAND"
REFUSED, BUSY, BROKEN = 126, 75, 78
# Turns the argv of a transfer into one that can write nowhere else.
Receiver = Callable[[Allowed], Sequence[str]]
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
}


def main(
    role: str,
    *,
    pull_argv: PullArgv,
    receiver: Receiver,
    environ: Mapping[str, str] = os.environ,
    policy_file: str | os.PathLike[str] = POLICY,
    locks: str | os.PathLike[str] = LOCKS,
) -> int:
    """The exit status of what was run; 126 refused, 75 busy, 78 the policy file is not usable."""
    try:
        policy = read_policy(policy_file, Role(role))
    except (OSError, ValueError) as error:
        return _say(BROKEN, f"{policy_file}: {error}")
    argv = split_request(environ.get(VARIABLE, ""))
    if argv is None:
        return _refuse(policy, "no request, or not spelled as zrep spells it")
    verdict = Gate(policy=policy, facts=HostFacts(), pull_argv=pull_argv).judge(argv)
    if isinstance(verdict, Refusal):
        return _refuse(policy, verdict.reason)
    if verdict.pulls_into is not None:
        return _pull(receiver(verdict), verdict.pulls_into, os.fspath(locks))
    return _become(verdict.argv)


def split_request(text: str) -> tuple[str, ...] | None:
    """The words, only if joining them again gives the same text: one spelling per request."""
    try:
        words = shlex.split(text)
    except ValueError:
        return None
    return tuple(words) if words and shlex.join(words) == text else None


def read_policy(path: str | os.PathLike[str], role: Role) -> GatePolicy:
    """ValueError unless root alone can write it."""
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib takes longer to load than all of this
        status = os.fstat(file.fileno())
        if status.st_uid != 0 or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise ValueError("can be written by others than root")
        return parse_policy(file.read().decode(), role)


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Implements zrep.capsule.gate.Facts by asking zfs."""

    environment: Mapping[str, str] = field(default_factory=lambda: ENVIRONMENT)

    def mountpoint(self, name: DatasetName) -> str | None:
        lines = self._lines("zfs", "list", "-H", "-p", "-o", "mounted,mountpoint", str(name))
        mounted, _, path = lines[0].partition("\t") if lines else ("no", "", "")
        return path if mounted == "yes" and path.startswith("/") else None

    def token_snapshot(self, token: str) -> str | None:
        for line in self._lines("zfs", "send", "-n", "-v", "-t", token):
            key, _, value = line.strip().partition(" = ")
            if key == "toname":
                return value
        return None

    def _lines(self, *argv: str) -> Sequence[str]:
        """Few requests need to ask, and so none of the rest waits for what that takes."""
        import subprocess

        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=dict(self.environment),
            timeout=60,
            check=False,
        )
        return done.stdout.splitlines() if done.returncode == 0 else ()


def _become(argv: tuple[str, ...]) -> int:
    if argv[0] == "dd":
        os.umask(0o077)  # what it writes is for root alone
    try:
        os.execvpe(argv[0], argv, ENVIRONMENT)  # noqa: S606 - no shell is the point
    except OSError as error:
        return _say(127, f"{argv[0]}: {error.strerror}")


def _pull(argv: Sequence[str], dataset: DatasetName, locks: str) -> int:
    """Two transfers never write into one dataset, whoever asked for them."""
    from zrep.capsule.gate_transfer import transfer

    lock = f"{locks}/zrep-{str(dataset).replace('/', '%')}.lock"
    status = transfer(argv, lock, environment=ENVIRONMENT)
    if status is None:
        return _say(BUSY, f"another transfer into {dataset} is running")
    return status


def _refuse(policy: GatePolicy, reason: str) -> int:
    return _say(REFUSED, f"refused for role {policy.role}: {reason}")


def _say(status: int, text: str) -> int:
    printable = "".join(c if c.isprintable() else "?" for c in text)[:500]
    syslog.openlog("zrep-gate", syslog.LOG_PID, syslog.LOG_AUTH)
    syslog.syslog(syslog.LOG_WARNING, printable)
    sys.stderr.write(f"zrep gate: {printable}\n")
    return status
