"""zrep check: the one command that answers monitoring, with the statuses that monitoring knows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zrep.cli.common import emit_json, json_option, load_config
from zrep.cli.completion import jobs
from zrep.cli.moments import instant, now_option
from zrep.cli.policy_input import (
    compat_option,
    inventory_option,
    read_pool,
    read_sections,
    refuse_errors,
    resolve_file,
    resolve_sections,
    sections_option,
)
from zrep.errors import ConfigError, ZrepError
from zrep.model.check import Check, Level
from zrep.model.pool_view import PoolView
from zrep.model.sanoid import Compat
from zrep.planner.effective import Effective

if TYPE_CHECKING:
    from zrep.config.sections import Sections

STATUSES = "Exit: 0 fine, 1 warning, 2 critical, 3 unknown (wrong configuration, ZFS fails)."


class Plugin(click.Group):
    """A command line that cannot be meant is UNKNOWN, too: 2 would be critical."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            from zrep.report.check import render_unknown

            error.show()
            click.echo(render_unknown(error.format_message()))
            return Level.UNKNOWN


@click.group("check", cls=Plugin, epilog=STATUSES)
def command() -> None:
    """Tell monitoring how runs, snapshots and pools are, as a Nagios or Icinga plugin does.

    For snapshots and pools the line is sanoid's, so that what was made for `sanoid --monitor-...`
    goes on working; the figures stand behind it as performance data. These checks look at the
    datasets of the configuration's sections and their pools, on this machine.

    \b
    Examples:
      zrep check snapshots --config /etc/sanoid/sanoid.conf
      zrep check health
      zrep check capacity --json
      zrep check drill
      zrep check runs
    """


@command.command("snapshots", epilog=STATUSES)
@sections_option
@inventory_option
@now_option
@compat_option
@json_option
@click.pass_context
def snapshots(
    ctx: click.Context,
    file: Path | None,
    inventory: Path | None,
    now: int | datetime | None,
    compat: str,
    as_json: bool,
) -> int:
    """Is the newest snapshot of each class young enough?

    \b
    Examples:
      zrep check snapshots --config /etc/sanoid/sanoid.conf
      zrep check snapshots --inventory pool.json --now 2024-05-01T10:30 --json
    """
    from zrep.planner.check_policy import check_snapshots

    how = Compat(compat)
    at = instant(now, UTC)

    def check() -> Check:
        if inventory is None:
            pool, effective = _observed(ctx, file, how)
        else:
            pool, effective = _settings(ctx, file, inventory, how)
        return check_snapshots(effective, pool, at, how)

    return _answer(check, how, as_json=as_json)


@command.command("health", epilog=STATUSES)
@sections_option
@compat_option
@json_option
@click.pass_context
def health(ctx: click.Context, file: Path | None, compat: str, as_json: bool) -> int:
    """Are the pools and their devices well, and is every restore done?

    \b
    Example:
      zrep check health --config /etc/sanoid/sanoid.conf
    """
    from zrep.engine.check import observe_health
    from zrep.engine.restore_left import left_restores
    from zrep.planner.check_pools import check_health, pools_of
    from zrep.planner.check_restores import with_restores

    how = Compat(compat)

    def check() -> Check:
        sections = _configured(ctx, file, how)
        read = resolve_sections(sections, PoolView(), how, remark=False)
        refuse_errors(read.errors)
        pools = pools_of(read.effective)
        found = check_health(pools, observe_health(pools), how)
        left = left_restores(sections.keeping) if how is Compat.DEFAULT else ()
        return with_restores(found, left)

    return _answer(check, how, as_json=as_json)


@command.command("capacity", epilog=STATUSES)
@sections_option
@inventory_option
@compat_option
@json_option
@click.pass_context
def capacity(
    ctx: click.Context, file: Path | None, inventory: Path | None, compat: str, as_json: bool
) -> int:
    """Is there room left in the pools?

    \b
    Examples:
      zrep check capacity --config /etc/sanoid/sanoid.conf
      zrep check capacity --inventory pool.json
    """
    from zrep.engine.check import observe_capacities
    from zrep.planner.check_pools import capacity_limits, check_capacity

    how = Compat(compat)

    def check() -> Check:
        pool, effective = _settings(ctx, file, inventory, how)
        limits = capacity_limits(effective, how)
        if inventory is None:
            return check_capacity(limits, observe_capacities(limits), how)
        return check_capacity(limits, {name: pool.capacity_of(name) for name in limits}, how)

    return _answer(check, how, as_json=as_json)


@command.command("drill", epilog=STATUSES)
@now_option
@json_option
@click.pass_context
def drill(ctx: click.Context, now: int | datetime | None, as_json: bool) -> int:
    """Has a drill passed lately, and did the last one pass?

    Older than `max_age` of [drill] warns, twice that is critical, and so is a last drill that
    failed. With a key in [drill] only what it has signed counts.

    \b
    Example:
      zrep check drill
    """
    from zrep.engine.drill_evidence import shelf_in
    from zrep.planner.check_drill import check_drills

    at = instant(now, UTC)

    def check() -> Check:
        config = load_config(ctx)
        limits = config.drilling
        drills = shelf_in(Path(config.keeping.state_dir), limits.key).proven()
        return check_drills(drills, limits, at)

    return _answer(check, Compat.DEFAULT, as_json=as_json)


@command.command("runs", epilog=STATUSES)
@click.argument("names", metavar="[SET|REPLICA]...", nargs=-1, shell_complete=jobs)
@now_option
@json_option
@click.pass_context
def runs(
    ctx: click.Context, names: tuple[str, ...], now: int | datetime | None, as_json: bool
) -> int:
    """Is the last good run of every set and replica young enough, and did the last one end well?

    Older than `max_age` of [set.NAME] or [replica.NAME] warns, twice that is critical, and so is
    what has never run, and a host that may still have containers paused. A last run that failed or
    was partial warns. Only what the runs have written down is read.

    \b
    Examples:
      zrep check runs
      zrep check runs platform offsite --json
    """
    from zrep.engine.run_records import read_records
    from zrep.planner.check_runs import check_runs, watched_jobs

    at = instant(now, UTC)

    def check() -> Check:
        config = load_config(ctx)
        ages = watched_jobs(config, names)
        return check_runs(ages, read_records(Path(config.keeping.state_dir)), at)

    return _answer(check, Compat.DEFAULT, as_json=as_json)


def _configured(ctx: click.Context, file: Path | None, how: Compat) -> Sections:
    """The sections for datasets of this machine; ConfigError when they cannot stand."""
    sections = read_sections(ctx, file, how, roots=())
    refuse_errors(tuple(map(str, sections.problems)))
    if all(section.is_template for section in sections.sections):
        refuse_errors((f"{sections.file}: has no section for any dataset",))
    return sections


def _settings(
    ctx: click.Context, file: Path | None, inventory: Path | None, how: Compat
) -> tuple[PoolView, tuple[Effective, ...]]:
    """The settings in force for the pool in the file; without a file for no datasets yet.

    Remarks are left to `zrep config check`: some ways to call a plugin take any stderr for failure.
    """
    pool = read_pool(inventory)
    if inventory is None:
        read = resolve_sections(_configured(ctx, file, how), pool, how, remark=False)
    else:
        read = resolve_file(ctx, file, pool, how, remark=False)
    refuse_errors(read.errors)
    return pool, read.effective


def _observed(
    ctx: click.Context, file: Path | None, how: Compat
) -> tuple[PoolView, tuple[Effective, ...]]:
    """This machine's datasets that the sections speak of, and the settings in force for them."""
    from zrep.engine.check import observe_sections

    sections = _configured(ctx, file, how)
    pool = observe_sections(sections.sections)
    read = resolve_sections(sections, pool, how, remark=False)
    refuse_errors(read.errors)
    return pool, read.effective


def _answer(check: Callable[[], Check], how: Compat, *, as_json: bool) -> int:
    """The result on stdout; an error there as well, for monitoring reads nothing else."""
    from zrep.report.check import check_json, render_check

    try:
        found = check()
    except ZrepError as error:
        return _unknown(error, how, as_json=as_json)
    if as_json:
        emit_json(check_json(found))
    else:
        click.echo(render_check(found, perfdata=how is Compat.DEFAULT))
    return found.level


def _unknown(error: ZrepError, how: Compat, *, as_json: bool) -> int:
    """Bug-for-bug stdout stays empty, as when sanoid dies."""
    from zrep.report.check import render_unknown, unknown_json

    click.echo(f"zrep: [{error.id}] {error}", err=True)
    if as_json:
        problems = error.problems if isinstance(error, ConfigError) else (str(error),)
        emit_json(unknown_json(str(error), problems))
    elif how is Compat.DEFAULT:
        click.echo(render_unknown(str(error)))
    return Level.UNKNOWN
