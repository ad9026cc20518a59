"""How zrep calls the OpenSSH client, and what it asks the far side to run. Pure.

No configuration file, one key, one known_hosts file, no agent, no questions: whatever the
administrator's own ~/.ssh says changes nothing.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from zrep.frozen import dataclass
from zrep.host.environment import FIXED_ENVIRONMENT

# How often a silent link is asked whether it is still there, and how often in vain.
ALIVE_SECONDS, ALIVE_COUNT = 15, 8
SSH_PORT = 22
# ssh expands % and ~ and splits on white space in file options: such paths are refused, not quoted.
_PLAIN_PATH = re.compile(r"/[^\s%$~\"'\\]*")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@:%\-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class SshEndpoint:
    """Where and as whom to log in. `connect_timeout` in seconds.

    `gated`: a forced command answers there. It sees the words as they are and builds its own
    environment; any other host gets ours by way of env(1).
    """

    address: str
    user: str
    key_file: str
    known_hosts: str
    port: int = SSH_PORT
    connect_timeout: int = 15
    gated: bool = False

    def __post_init__(self) -> None:
        for name in (self.address, self.user):
            if not _PLAIN_NAME.fullmatch(name):
                raise ValueError(f"not a host address or user name: {name!r}")
        for path in (self.key_file, self.known_hosts):
            if not _PLAIN_PATH.fullmatch(path):
                raise ValueError(
                    f"ssh needs an absolute path without white space, quotes, %, $, ~: {path!r}"
                )

    @property
    def login(self) -> str:
        return f"{self.user}@{self.address}"

    @property
    def known_as(self) -> str:
        """The name of this host in known_hosts: `[address]:port` unless the port is 22."""
        return self.address if self.port == SSH_PORT else f"[{self.address}]:{self.port}"


def ssh_options(endpoint: SshEndpoint) -> tuple[str, ...]:
    """Everything between `ssh` and the host name.

    A dead network is noticed after ALIVE_SECONDS x ALIVE_COUNT = two minutes without an answer.
    """
    settings = (
        "IdentitiesOnly=yes",
        f"UserKnownHostsFile={endpoint.known_hosts}",
        "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=yes",
        "BatchMode=yes",
        f"ServerAliveInterval={ALIVE_SECONDS}",
        f"ServerAliveCountMax={ALIVE_COUNT}",
        f"ConnectTimeout={endpoint.connect_timeout}",
    )
    options = tuple(word for setting in settings for word in ("-o", setting))
    return (
        "-F",
        "none",
        "-T",
        "-a",
        "-x",
        "-i",
        endpoint.key_file,
        *options,
        "-p",
        str(endpoint.port),
    )


def ssh_argv(endpoint: SshEndpoint, argv: Sequence[str]) -> tuple[str, ...]:
    """The local argv that runs `argv` there with byte-clean stdin and stdout."""
    return ("ssh", *ssh_options(endpoint), endpoint.login, "--", remote_command(endpoint, argv))


def rsync_shell(endpoint: SshEndpoint) -> str:
    """For rsync -e; rsync splits it at spaces and honours quotes, and adds host and command.

    The user must be named here: in `user@host::module` rsync takes it for a daemon user.
    """
    return shlex.join(("ssh", *ssh_options(endpoint), "-l", endpoint.user))


def remote_command(endpoint: SshEndpoint, argv: Sequence[str]) -> str:
    """The one place where words are quoted for the far side's shell.

    ("ls", "a b") -> env PATH=... LC_ALL=C.UTF-8 ls 'a b'
    """
    if any("\0" in word for word in argv):
        raise ValueError("a command cannot contain NUL")
    settings = () if endpoint.gated else tuple(f"{k}={v}" for k, v in FIXED_ENVIRONMENT.items())
    prefix = ("env", *settings) if settings else ()
    return shlex.join((*prefix, *argv))
