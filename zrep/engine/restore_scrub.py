"""The programs that make foreign data fit for where it came to: other URLs, no mails sent.

Each is told what was restored where, as JSON on stdin and in its environment, and has its time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from zrep.engine.progress import Progress
from zrep.errors import CommandFailed, CommandTimeout, HookFailed, Refused
from zrep.host.process import run
from zrep.model.restore import Kind, RestorePlan
from zrep.model.source import Config
from zrep.planner.restore import configured

RESUME = "nothing was started; correct it, then: zrep restore --resume"


def describe(plan: RestorePlan, config: Config) -> Mapping[str, object]:
    """What a program is told on stdin."""
    paths = {key: source.path for key, source in configured(config).items()}
    return {
        "restore": plan.run,
        "backup": str(plan.backup),
        "from": plan.origin,
        "to": plan.deployment,
        "hosts": {
            name: {"address": config.hosts[name].host, "port": config.hosts[name].port}
            for name in plan.hosts
        },
        "items": [
            {
                "source": str(item.key),
                "host": item.key.host,
                "path": "/".join(filter(None, (paths[item.key].rstrip("/"), item.to))) or "/",
            }
            for item in plan.items
        ],
        "services": [name for s in plan.services for name in config.services[s].swarm],
    }


def environment(plan: RestorePlan) -> Mapping[str, str]:
    return {
        "ZREP_RESTORE": plan.run,
        "ZREP_BACKUP": str(plan.backup),
        "ZREP_FROM": plan.origin,
        "ZREP_TO": plan.deployment,
    }


def missing_programs(plan: RestorePlan) -> Iterator[str]:
    """What could not be run after all was written, in words."""
    for step in plan.of(Kind.SCRUB):
        if not (Path(step.subject).is_file() and os.access(step.subject, os.X_OK)):
            yield f"{step.subject} is no program that can be run here"


def check_programs(plan: RestorePlan) -> None:
    """Refused while nothing was touched yet."""
    if missing := list(missing_programs(plan)):
        raise Refused(
            f"what came of {plan.origin} could not be scrubbed",
            why="; ".join(missing),
            next_step=f"put it there with mode 0755, or correct scrub in "
            f"[deployment.{plan.deployment}]",
        )


def scrub(program: str, plan: RestorePlan, config: Config, progress: Progress) -> None:
    """HookFailed when it fails or takes too long; what it printed is told."""
    try:
        done = run(
            (program,),
            stdin=json.dumps(describe(plan, config)),
            timeout=float(config.scrub_time),
            env=environment(plan),
            where=f"scrub for {plan.deployment}",
        )
    except CommandFailed as error:
        why = error.stderr.strip()[-400:] or f"exit status {error.returncode}"
        raise HookFailed("scrubbing failed", where=program, why=why, next_step=RESUME) from error
    except CommandTimeout as error:
        why = f"it took longer than {config.scrub_time} s"
        raise HookFailed("scrubbing failed", where=program, why=why, next_step=RESUME) from error
    for line in (done.stdout + done.stderr).splitlines():
        progress.step(f"{program}: {line}")
