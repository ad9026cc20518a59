"""What the commands about policies read: sections, a pool drawn in a file, times and intervals."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import click

from zrep.cli.common import shipped
from zrep.errors import ConfigError, UsageError
from zrep.model.pool_view import PoolView
from zrep.model.sanoid import Compat
from zrep.planner.effective import Effective

sections_option = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    help="A sanoid.conf, a TOML file with [dataset] tables, or a policy file.",
)
inventory_option = click.option(
    "--inventory",
    type=click.Path(path_type=Path),
    help="The pool: JSON, or what `zfs list -Hp -o name,creation` prints; - is standard input.",
)
compat_option = click.option(
    "--compat",
    type=click.Choice([c.value for c in Compat]),
    default=Compat.DEFAULT.value,
    show_default=True,
    help="bug-for-bug takes every value as sanoid does, for comparing with it.",
)
tz_option = click.option("--tz", metavar="ZONE", help="Time zone of times of day; default UTC.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The settings in force by one file, or the errors for which there are none."""

    file: str
    effective: tuple[Effective, ...]
    errors: tuple[str, ...]


def refuse_errors(errors: tuple[str, ...]) -> None:
    """ConfigError with all of them when there are any."""
    if errors:
        raise ConfigError(errors, next_step="correct these; nothing is taken or destroyed before")


def read_pool(inventory: Path | None) -> PoolView:
    """The pool in the file, or on standard input; without a file one without datasets."""
    from zrep.config.pool_file import load_pool

    if inventory is None:
        return PoolView()
    if str(inventory) == "-":
        return load_pool(None, sys.stdin.read())
    return load_pool(inventory)


def resolve_file(
    ctx: click.Context, file: Path | None, pool: PoolView, compat: Compat = Compat.DEFAULT
) -> Resolved:
    """What the file's sections come to on this pool; remarks about it go to stderr."""
    from zrep.config import load_sections
    from zrep.planner.effective import resolve

    path = file or Path(ctx.find_root().obj["config"])
    dirs = (path.parent / "policies", shipped("policies"))
    roots = [d for d in pool.datasets if d.rpartition("/")[0] not in pool.datasets] or ["tank"]
    sections = load_sections(path, policy_dirs=dirs, compat=compat, roots=roots)
    if sections.problems:
        return Resolved(file=str(path), effective=(), errors=tuple(map(str, sections.problems)))
    found = resolve(sections.sections, pool.children, compat)
    errors = sorted(sections.placed(f) for f in found.refused)
    remarks = [sections.placed(f) for f in found.findings if not f.refused]
    remarks += sections.absent(pool.datasets) if pool.datasets and not errors else []
    for remark in sorted((*sections.remarks, *remarks)):
        click.echo(f"note: {remark}", err=True)
    return Resolved(
        file=str(path),
        effective=() if errors else found.effective,
        errors=tuple(map(str, errors)),
    )


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


def epoch(moment: int | datetime, where: tzinfo) -> int:
    """A time without a zone of its own is one in `where`."""
    if isinstance(moment, int):
        return moment
    local = moment if moment.tzinfo else moment.replace(tzinfo=where)
    return int(local.timestamp())


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
