"""This machine for a person without privileges: sudo starts the operators' gate, which judges each
request and runs it as root, or refuses.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import replace

from zrep.errors import AccessRefused, CommandFailed
from zrep.frozen import dataclass
from zrep.host.port import Completed
from zrep.host.process import HERE, run

GATE = "/usr/libexec/zrep/zrep-gate-operator"
VARIABLE = "SSH_ORIGINAL_COMMAND"
# The kernel's limit for one string of the environment.
LONGEST_REQUEST = 128 * 1024 - 1 - len(f"{VARIABLE}=")
_SUDO = ("sudo", "-n", GATE)
_SUDO_SAYS = ("sudo: ", "sudo-rs: ", "Sorry, user ")
_SUDO_FAILED, _REFUSED, _BROKEN = 1, 126, 78
_GATE_SAYS = "zrep gate: "
_INSTALL = "let root install what zrep capsule operators makes"
_ROOT = "this needs root: run it as root on this machine, or ask who may"


def goes_through_sudo() -> bool:
    """Whether this process has to ask the operators' gate, and there is one."""
    return os.geteuid() != 0 and os.access(GATE, os.X_OK)


@dataclass(frozen=True, slots=True, kw_only=True)
class SudoHost:
    """Implements zrep.host.port.Host by the operators' gate; AccessRefused for what it refuses."""

    name: str = HERE

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        timeout: float = 60.0,
        ok: Sequence[int] = (0,),
    ) -> Completed:
        words = tuple(argv)
        request = _request(words)
        if len(os.fsencode(request)) > LONGEST_REQUEST:
            raise CommandFailed(words, 126, "Argument list too long for sudo", where=self.name)
        env = {VARIABLE: request}
        done = run(_SUDO, stdin=stdin, timeout=timeout, ok=range(256), where=self.name, env=env)
        if refusal := explain_refusal(words, done, where=self.name):
            raise refusal
        if done.returncode not in ok:
            raise CommandFailed(words, done.returncode, done.stderr, where=self.name)
        return replace(done, argv=words)

    def bulk_argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        return ("env", f"{VARIABLE}={_request(argv)}", *_SUDO)

    def close(self) -> None:
        """Nothing to drop."""


def _request(words: Sequence[str]) -> str:
    if any("\0" in word for word in words):
        raise ValueError("a command cannot contain NUL")
    return shlex.join(words)


def explain_refusal(words: Sequence[str], done: Completed, *, where: str) -> AccessRefused | None:
    """The error of a request that never ran; None when what was asked for ran, well or not."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    why = lines[-1] if lines else ""
    if done.returncode == _SUDO_FAILED and lines and all(x.startswith(_SUDO_SAYS) for x in lines):
        what, then = "sudo does not let you ask the operators' gate", f"{_INSTALL} for your login"
    elif done.returncode == _REFUSED and why.startswith(_GATE_SAYS):
        what, then = f"operators may not have {' '.join(words[:2])} run", _ROOT
    elif done.returncode == _BROKEN and why.startswith(_GATE_SAYS):
        what, then = "the operators' gate cannot use its policy", _INSTALL
    else:
        return None
    return AccessRefused(what, where=where, why=why, next_step=then)
