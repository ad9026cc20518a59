"""What the health of pools comes to when restores are not done. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zrep.model.check import Check, Level, worst


def with_restores(check: Check, left: Sequence[str]) -> Check:
    """At least a warning, which names them behind what the check says, when any are `left`."""
    if not left:
        return check
    worse = check.level is Level.OK
    message = "; ".join((f"WARN: {left[0]}", *left[1:], check.message)) if worse else ""
    return replace(
        check,
        level=worst((check.level, Level.WARNING)),
        message=message or "; ".join((check.message, *left)),
    )
