"""From words on the command line to a plan: the clock, randomness and time spans meet here."""

from __future__ import annotations

import re
import secrets
import time

from zrep.engine.mount import MountPlan, plan_mount
from zrep.engine.observe import backups_at
from zrep.engine.site import Site
from zrep.errors import UsageError
from zrep.model.session import Session
from zrep.planner.backups import resolve

_SPAN = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_span(text: str, *, option: str) -> int:
    """Seconds in `30s`, `15m`, `4h` or `7d`."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{option}: not a time span: {text!r}", next_step="write it like 30m, 4h or 7d"
        )
    return int(match[1]) * _SECONDS[match[2]]


def mount_request(site: Site, backup: str, *, owner: str, purpose: str, ttl: str) -> MountPlan:
    """The plan for a new session of the backup that `backup` names."""
    seconds = parse_span(ttl, option="--ttl")
    found = resolve(backups_at(site.target, site.root), backup)
    name = f"{found.id}-{secrets.token_hex(2)}"
    session = Session(
        name=name,
        dataset=site.config.target.sessions / name,
        backup=found.id,
        owner=owner,
        purpose=purpose,
        expires=int(time.time()) + seconds,
    )
    return plan_mount(found, session)
