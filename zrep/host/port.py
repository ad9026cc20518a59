"""The Host port: run one program on one host, or get the local argv that reaches it for bulk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from zrep.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A program that ended with a declared status; stdout and stderr never merge."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str


class Host(Protocol):
    """One host. argv words are passed as they are: quoting happens once, inside, for ssh."""

    @property
    def name(self) -> str:
        """What messages call this host."""
        ...

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        timeout: float = 60.0,
        ok: Sequence[int] = (0,),
    ) -> Completed:
        """Run to the end. Environment is built (LC_ALL=C.UTF-8, fixed PATH), stdin closed or given.

        Raises CommandFailed for a status not in `ok`, CommandTimeout, and for ssh Unreachable,
        HostKeyRejected or AccessRefused. Status 127 is a CommandFailed like any other.
        """
        ...

    def bulk_argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        """The local argv that runs `argv` on this host with byte-clean stdin and stdout.

        Local: argv itself. Ssh: the OpenSSH binary with our key, our known_hosts, no config file.
        """
        ...

    def close(self) -> None:
        """Drop connections; the host may be used again afterwards."""
        ...
