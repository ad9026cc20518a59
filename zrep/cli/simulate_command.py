"""zrep simulate."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from zrep.cli.common import emit_json, json_option
from zrep.cli.moments import epoch, instant, interval, moment, now_option, read_zone, tz_option
from zrep.cli.policy_input import (
    Resolved,
    compat_option,
    inventory_option,
    live_view,
    read_pool,
    refuse_errors,
    resolve_file,
    sections_option,
)
from zrep.errors import Exit, UsageError
from zrep.model.pool_view import PoolView
from zrep.model.sanoid import Compat
from zrep.planner.simulate_policy import PolicyPlan, plan_policies


@click.command("simulate")
@sections_option
@inventory_option
@click.option("--live", is_flag=True, help="The real pools of this machine, which are only read.")
@now_option
@tz_option
@compat_option
@click.option("--from", "start", callback=moment, help="Play runs from here ...")
@click.option("--to", "stop", callback=moment, help="... to here, and show each month's end.")
@click.option(
    "--every", callback=interval, default="1h", show_default=True, help="Between two runs."
)
@click.option("--diff", "other", type=click.Path(path_type=Path), help="Compare with this file.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    file: Path | None,
    inventory: Path | None,
    live: bool,
    now: int | datetime | None,
    tz: str | None,
    compat: str,
    start: int | datetime | None,
    stop: int | datetime | None,
    every: int,
    other: Path | None,
    as_json: bool,
) -> int:
    """Show what dataset sections would take and destroy, without touching any pool.

    \b
    Examples:
      zrep simulate --config sanoid.conf --inventory pool.json --now 1714559400 --json
      zfs list -Hpt all -o name,creation,userrefs | zrep simulate --config new.toml --inventory -
      zrep simulate --config new.toml --diff /etc/sanoid/sanoid.conf --live
      zrep simulate --config policies/production.toml --from 2024-01-01 --to 2024-12-31
    """
    where, how = read_zone(tz), Compat(compat)
    if live and inventory is not None:
        raise UsageError("--live and --inventory exclude each other")
    pool = live_view(ctx, (file, other)) if live else read_pool(inventory)
    read = resolve_file(ctx, file, pool, how)
    if start is not None or stop is not None:
        if start is None or stop is None:
            raise UsageError("--from and --to belong together")
        runs = range(epoch(start, where), epoch(stop, where) + 1, every)
        return _show_history(read, pool, runs, tz=tz, as_json=as_json)
    at = instant(now, where)
    plan = _plan(read, pool, at, tz=tz, how=how)
    if other is None:
        return _show_plan(plan, as_json=as_json)
    second = resolve_file(ctx, other, pool, how)
    both = (plan, _plan(second, pool, at, tz=tz, how=how))
    return _show_diff(both, (read.file, second.file), as_json=as_json)


def _plan(read: Resolved, pool: PoolView, at: int, *, tz: str | None, how: Compat) -> PolicyPlan:
    """What the file wants done at that moment; nothing at all when it has errors."""
    if read.errors:
        return PolicyPlan(errors=read.errors)
    if how is Compat.DEFAULT:
        return plan_policies(read.effective, pool, at, tz)
    from zrep.planner.simulate_policy_sanoid import plan_as_sanoid

    return plan_as_sanoid(read.effective, pool, at, read_zone(tz))


def _show_plan(plan: PolicyPlan, *, as_json: bool) -> int:
    from zrep.report.simulate import render_simulate, simulate_json

    if as_json:
        emit_json(simulate_json(plan))
        return Exit.CONFIG if plan.errors else Exit.DONE
    refuse_errors(plan.errors)
    click.echo(render_simulate(plan))
    return Exit.DONE


def _show_diff(
    plans: tuple[PolicyPlan, PolicyPlan], files: tuple[str, str], *, as_json: bool
) -> int:
    from zrep.planner.simulate_policy import diff_plans
    from zrep.report.simulate import diff_json, render_diff

    one, other = plans
    refuse_errors(one.errors + other.errors)
    diff = diff_plans(one, other)
    emit_json(diff_json(diff)) if as_json else click.echo(render_diff(diff, *files))
    return Exit.DONE


def _show_history(
    read: Resolved, pool: PoolView, runs: range, *, tz: str | None, as_json: bool
) -> int:
    from zrep.planner.simulate_policy_history import play_datasets
    from zrep.report.simulate import history_json, render_history

    refuse_errors(read.errors)
    played = play_datasets(read.effective, pool, runs, tz)
    emit_json(history_json(played)) if as_json else click.echo(render_history(played))
    return Exit.DONE
