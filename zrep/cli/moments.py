"""Times on the command line: moments, zones and intervals."""

from __future__ import annotations

import time
from datetime import UTC, datetime, tzinfo

import click

from zrep.errors import UsageError

tz_option = click.option("--tz", metavar="ZONE", help="Time zone of times of day; default UTC.")


def read_zone(name: str | None) -> tzinfo:
    """The zone of that name, UTC without one; UsageError with the nearest that exists."""
    if name in {None, "UTC"}:
        return UTC
    from zoneinfo import ZoneInfo

    from zrep.config.sanoid_values import timezone
    from zrep.config.values import Wrong

    try:
        return ZoneInfo(timezone(name))
    except Wrong as wrong:
        raise UsageError(f"--tz {wrong}") from None


def moment(
    _ctx: click.Context, _param: click.Parameter, value: str | None
) -> int | datetime | None:
    """Epoch seconds, or a date and time like 2024-05-01 or 2024-05-01T10:00."""
    if value is None or value.isdecimal():
        return None if value is None else int(value)
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        reason = f"{value!r} is no epoch and no date like 2024-05-01T10:00"
        raise click.BadParameter(reason) from None


now_option = click.option("--now", callback=moment, help="When; default is the clock's time.")


def epoch(moment: int | datetime, where: tzinfo) -> int:
    """A time without a zone of its own is one in `where`."""
    if isinstance(moment, int):
        return moment
    local = moment if moment.tzinfo else moment.replace(tzinfo=where)
    return int(local.timestamp())


def instant(now: int | datetime | None, where: tzinfo) -> int:
    """Epoch seconds of --now, or the clock's time without it."""
    return int(time.time()) if now is None else epoch(now, where)


def interval(_ctx: click.Context, _param: click.Parameter, value: str) -> int:
    """A duration like 15m, 1h or 1d, in seconds."""
    from zrep.config.values import Wrong, parse_duration

    try:
        seconds = parse_duration(value)
    except Wrong as wrong:
        raise click.BadParameter(str(wrong)) from None
    if not seconds:
        raise click.BadParameter("there must be time between two runs")
    return seconds
