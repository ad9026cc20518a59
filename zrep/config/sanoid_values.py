"""How each of sanoid's keys is read from TOML: counts, times, switches, ages, scripts.

What TOML lets through and sanoid would take for something else (a count in quotes, `yes`) is
refused: a count that reads as 0 would destroy the whole class.
"""

from __future__ import annotations

from collections.abc import Mapping
from shlex import join

from zrep.config import keys
from zrep.config.values import (
    Parse,
    Wrong,
    absolute_path,
    boolean,
    dataset,
    integer,
    list_of,
    shown,
    text,
)
from zrep.model.ages import age_seconds
from zrep.model.policy import DAY, SCHEDULE_RANGES

MAX_COUNT = 1_000_000


def age(key: str) -> Parse[int]:
    """Seconds: "28h" -> 100800; a bare number counts in the key's own unit."""

    def parse(value: object) -> int:
        bare = isinstance(value, int) and not isinstance(value, bool)
        seconds = age_seconds(key, str(value)) if bare or isinstance(value, str) else None
        if seconds is None:
            raise Wrong(f'must be an age like "90m", "28h" or "32d", not {shown(value)}')
        return seconds

    return parse


def timezone(value: object) -> str:
    """A name from the zone database, like Europe/Stockholm."""
    from zoneinfo import ZoneInfo, available_timezones

    name = text(value)
    if name == "UTC":
        return name
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        from zrep.config.schema import suggest

        reason = f"must be a time zone like Europe/Stockholm, not {shown(name)}"
        raise Wrong(reason + suggest(name, available_timezones())) from None
    return name


def recursive(value: object) -> bool | str:
    if isinstance(value, bool) or value == "zfs":
        return value
    raise Wrong(f'must be true, false or "zfs", not {shown(value)}')


def templates(value: object) -> tuple[str, ...]:
    """`"a"`, `"a, b"` or `["a", "b"]`."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    return list_of(template_name)(value)


def template_name(value: object) -> str:
    """Anything that use_template can name: no comma, and no blank at either end."""
    found = text(value)
    if "," in found or found != found.strip():
        raise Wrong(f"must be the name of a template, without commas, not {shown(found)}")
    return found


def script(value: object) -> str:
    """A command line for `sh`, or a program by its absolute path with its arguments; "" is none."""
    if isinstance(value, str):
        return text(value) if value else ""
    argv = list_of(text, unique=False)(value)
    absolute_path(argv[0])
    return join(argv)


PARSERS: Mapping[str, Parse[object]] = {
    **dict.fromkeys(keys.COUNTS, integer(0, MAX_COUNT)),
    "manual": integer(0, MAX_COUNT),
    **{key: integer(low, high) for key, (low, high) in SCHEDULE_RANGES.items()},
    "timezone": timezone,
    **dict.fromkeys(("autosnap", "autoprune", *keys.MONITOR), boolean),
    **dict.fromkeys(("no_inconsistent_snapshot", "force_post_snapshot_script"), boolean),
    **dict.fromkeys(("process_children_only", "skip_children"), boolean),
    **dict.fromkeys(("prune_defer", *keys.CAPACITY), integer(0, 100)),
    **{key: age(key) for key in keys.AGES},
    **dict.fromkeys(keys.SCRIPTS, script),
    "script_timeout": integer(0, DAY),
    "path": dataset,
    "use_template": templates,
    "recursive": recursive,
}
