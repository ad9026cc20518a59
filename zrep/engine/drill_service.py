"""The checks of a service: an administrator's programs, shown a copy of the service's data."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from zrep.engine.contents import open_top
from zrep.engine.tree import entry_at
from zrep.errors import CommandFailed, CommandTimeout, UnknownName, ZrepError
from zrep.frozen import dataclass
from zrep.host.process import run
from zrep.model.backup import Backup
from zrep.model.evidence import Finding, Outcome
from zrep.model.source import Service
from zrep.planner.drill import SERVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """A service's data as it lies in a writable clone, whose top is `top`."""

    drill: str
    backup: Backup
    service: Service
    top: str

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(f"{self.top}/{path}".rstrip("/") for path in self.service.paths)

    def described(self) -> dict[str, object]:
        return {
            "drill": self.drill,
            "backup": str(self.backup.id),
            "set": self.backup.set_name,
            "service": self.service.name,
            "source": str(self.service.source),
            "top": self.top,
            "paths": list(self.paths),
        }

    def environment(self) -> dict[str, str]:
        """ZREP_PATH is the first path, ZREP_PATHS are all, one a line."""
        words = {k: v for k, v in self.described().items() if isinstance(v, str)}
        named = {f"ZREP_{key.upper()}": value for key, value in words.items()}
        return {**named, "ZREP_PATH": self.paths[0], "ZREP_PATHS": "\n".join(self.paths)}


def run_checks(exhibit: Exhibit) -> Iterator[Finding]:
    """One finding for each program, in order; a program that fails keeps none from running."""
    try:
        _check_paths(exhibit)
    except ZrepError as error:
        yield _finding(exhibit.service.name, Outcome.FAILED, str(error))
        return
    for program in exhibit.service.checks:
        yield _run_check(exhibit, program)


def _check_paths(exhibit: Exhibit) -> None:
    """A link on the way would show the program something that is not the backup's."""
    with open_top(exhibit.top) as top:
        for path in exhibit.service.paths:
            parts = tuple(path.split("/")) if path else ()
            if entry_at(top, parts) is None:
                raise UnknownName(f"{path} is not in backup {exhibit.backup.id}")


def _run_check(exhibit: Exhibit, program: str) -> Finding:
    subject, begun = f"{exhibit.service.name}: {program}", time.monotonic()
    try:
        done = run(
            (program,),
            stdin=json.dumps(exhibit.described()) + "\n",
            timeout=exhibit.service.check_timeout,
            env=exhibit.environment(),
        )
    except (CommandFailed, CommandTimeout) as error:
        outcome, says = Outcome.FAILED, str(error)
    else:
        outcome, says = Outcome.PASSED, (done.stdout.strip().splitlines() or [""])[-1]
    return _finding(subject, outcome, says, round(time.monotonic() - begun, 1))


def _finding(subject: str, outcome: Outcome, says: str, seconds: float = 0.0) -> Finding:
    return Finding(check=SERVICE, subject=subject, outcome=outcome, says=says, seconds=seconds)
