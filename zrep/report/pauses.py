"""Pauses of containers in words and as JSON."""

from __future__ import annotations

from zrep.model.backup import Pause


def render_pause(pause: Pause) -> str:
    """`manager-1: 3 containers, 1.84 s`."""
    length = "unknown" if pause.milliseconds is None else f"{pause.milliseconds / 1000:.2f} s"
    doubt = "" if pause.held else ", not still all the time"
    return f"{pause.host}: {pause.containers} containers, {length}{doubt}"


def pause_json(pause: Pause) -> dict[str, object]:
    return {
        "host": pause.host,
        "containers": pause.containers,
        "milliseconds": pause.milliseconds,
        "held": pause.held,
    }
