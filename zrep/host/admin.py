"""An administrator's own ssh login, with all that her ssh configuration says but for her agent.

Only for setting hosts up: no restricted key can do that, on purpose.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping

from zrep.errors import CommandFailed, ZrepError
from zrep.frozen import dataclass
from zrep.host.port import Completed
from zrep.host.process import run
from zrep.host.ssh_failure import SSH_FAILED, explain_ssh_failure

# The agent and the home are the administrator's: this is her login, not zrep's.
KEPT = ("SSH_AUTH_SOCK", "HOME")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminLogin:
    """Who logs in (None: as ssh's configuration says), and whether sudo makes her root there."""

    user: str | None = None
    key_file: str | None = None
    sudo: bool = False
    known_hosts: str = ""
    program: str = "ssh"


def admin_argv(login: AdminLogin, address: str, port: int, script: str) -> tuple[str, ...]:
    """The local argv that runs `script` there as root; a host key nobody knows is refused."""
    words = ("sudo", "-n", "sh", "-c", script) if login.sudo else ("sh", "-c", script)
    known = f"~/.ssh/known_hosts {login.known_hosts}".strip()
    return (
        login.program,
        "-T",
        "-a",
        "-o",
        "BatchMode=yes",
        "-o",
        "StrictHostKeyChecking=yes",
        "-o",
        f"UserKnownHostsFile={known}",
        *(("-i", login.key_file) if login.key_file else ()),
        *(("-l", login.user) if login.user else ()),
        *(("-p", str(port)) if port != SSH_PORT else ()),
        "--",
        address,
        shlex.join(words),
    )


SSH_PORT = 22


def run_script(
    login: AdminLogin, address: str, port: int, *, script: str, stdin: bytes, where: str
) -> Completed:
    """Raises Unreachable and its kin for what ssh says, CommandFailed for what the script did."""
    argv = admin_argv(login, address, port, script)
    try:
        text = stdin.decode("utf-8", "surrogateescape")
        return run(argv, stdin=text, timeout=300.0, where=where, env=_environment())
    except CommandFailed as error:
        raise _explained(error, where) from error


def _environment() -> Mapping[str, str]:
    return {name: os.environ[name] for name in KEPT if name in os.environ}


def _explained(error: CommandFailed, where: str) -> ZrepError:
    known = explain_ssh_failure(error.stderr, where=where)
    return known if known and error.returncode == SSH_FAILED else error
