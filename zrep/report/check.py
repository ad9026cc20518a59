"""The result of a check as monitoring wants it: one line with performance data, or JSON."""

from __future__ import annotations

from collections.abc import Sequence

from zrep.model.check import Check, Level, Watched


def render_check(check: Check, *, perfdata: bool = True) -> str:
    """Sanoid's line, and behind ` | ` the figures with their limits."""
    figures = [_figure(w) for w in check.watched if w.value is not None] if perfdata else []
    return " | ".join([check.message, *([" ".join(figures)] if figures else [])])


def check_json(check: Check) -> dict[str, object]:
    return {
        "status": int(check.level),
        "state": check.level.name,
        "message": check.message,
        "watched": [_watched_json(w) for w in check.watched],
        "errors": [],
    }


def render_unknown(reason: str) -> str:
    """The first line of the reason: what monitoring shows. A `|` would begin performance data."""
    first = (reason.splitlines() or [""])[0]
    return f"UNKNOWN: {first.replace('|', '/')}"


def unknown_json(reason: str, errors: Sequence[str]) -> dict[str, object]:
    return {
        "status": int(Level.UNKNOWN),
        "state": Level.UNKNOWN.name,
        "message": render_unknown(reason),
        "watched": [],
        "errors": list(errors),
    }


def _figure(watched: Watched) -> str:
    """'LABEL'=VALUE;WARN;CRIT;MIN;MAX as the Monitoring Plugins' guidelines have it."""
    limits = ";".join(str(limit) if limit else "" for limit in (watched.warn, watched.crit))
    top = ";100" if watched.unit == "%" else ""
    return f"'{_label(watched)}'={watched.value}{watched.unit};{limits};0{top}"


def _label(watched: Watched) -> str:
    """Without a blank, which not all that draw graphs understand."""
    return f"{watched.name}_{watched.snap_class}" if watched.snap_class else watched.name


def _watched_json(watched: Watched) -> dict[str, object]:
    return {
        "name": watched.name,
        "class": watched.snap_class,
        "value": watched.value,
        "unit": watched.unit,
        "warn": watched.warn,
        "crit": watched.crit,
        "state": watched.level.name,
        "says": watched.says.rstrip(),
    }
