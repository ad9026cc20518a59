"""Runs the scripts of dataset sections: through a shell, in a process group that a timeout ends."""

from __future__ import annotations

from zrep.engine.progress import Progress
from zrep.errors import CommandFailed, CommandTimeout
from zrep.frozen import dataclass
from zrep.host.process import run
from zrep.planner.hooks import Environment, shell


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One command line; `what` names it in messages, `timeout` is in seconds."""

    what: str
    command: str
    timeout: float | None

    def ran_well(self, environment: Environment, progress: Progress) -> bool:
        """False when it failed or took too long, which was told; True when there is none."""
        if not self.command:
            return True
        where = f"{self.what} of {environment['SANOID_TARGET']}"
        try:
            done = run(shell(self.command), timeout=self.timeout, env=environment, where=where)
        except (CommandFailed, CommandTimeout) as error:
            progress.warn(str(error))
            return False
        for line in (done.stdout + done.stderr).splitlines():
            progress.step(f"{where}: {line}")
        return True
