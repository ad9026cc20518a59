"""A host reached over ssh: short commands by one kept connection, bulk by the OpenSSH binary."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

from zrep.errors import CommandFailed, CommandTimeout
from zrep.host.command_log import log_command
from zrep.host.port import Completed
from zrep.host.ssh_argv import SshEndpoint, remote_command, ssh_argv

if TYPE_CHECKING:
    from zrep.host.ssh_control import Connection

# sshd hands the whole command to the shell as one word, for which the kernel has a limit.
LONGEST_COMMAND = 128 * 1024 - 1


class SshHost:
    """Implements zrep.host.port.Host; may be used from several threads.

    A connection that dropped between commands is replaced; a command that was sent is never
    repeated. A command that runs out of time goes on over there until it limits itself.
    """

    def __init__(self, *, name: str, endpoint: SshEndpoint) -> None:
        self._name = name
        self._endpoint = endpoint
        self._connection: Connection | None = None
        self._lock = Lock()

    @property
    def name(self) -> str:
        return self._name

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        timeout: float = 60.0,
        ok: Sequence[int] = (0,),
    ) -> Completed:
        words = tuple(argv)
        command = remote_command(self._endpoint, words)
        log_command(__name__, self.bulk_argv(words))
        if len(os.fsencode(command)) > LONGEST_COMMAND:
            raise CommandFailed(words, 126, "Argument list too long for ssh", where=self.name)
        outcome = self._connect().run(command, stdin=stdin or "", timeout=timeout)
        if outcome is None:
            what = f"{words[0]} did not end within {timeout:g} s; it may still run there"
            raise CommandTimeout(what, where=self.name, why=shlex.join(words))
        status = -1 if outcome.status is None else outcome.status
        if status not in ok:
            raise CommandFailed(words, status, outcome.stderr, where=self.name)
        stdout = outcome.stdout.decode("utf-8", "surrogateescape")
        return Completed(argv=words, returncode=status, stdout=stdout, stderr=outcome.stderr)

    def bulk_argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        return ssh_argv(self._endpoint, argv)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _connect(self) -> Connection:
        """paramiko takes a tenth of a second to import: only those who need it pay."""
        from zrep.host.ssh_control import Connection

        with self._lock:
            if self._connection is None:
                self._connection = Connection(self._name, self._endpoint)
            return self._connection
