"""zrep explain."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import click

from zrep.cli.common import emit_json, json_option, load_config
from zrep.cli.policy_input import (
    Resolved,
    epoch,
    inventory_option,
    moment,
    read_pool,
    read_zone,
    refuse_errors,
    resolve_file,
    sections_option,
    tz_option,
)
from zrep.errors import Exit, UnknownName
from zrep.model.backup import Backup
from zrep.model.pool_view import PoolView


@click.command("explain")
@click.argument("name", metavar="DATASET[@SNAPSHOT]")
@sections_option
@inventory_option
@click.option("--now", callback=moment, help="When; default is the clock's time.")
@tz_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    file: Path | None,
    inventory: Path | None,
    now: int | datetime | None,
    tz: str | None,
    as_json: bool,
) -> int:
    """Tell why a snapshot is there, and when it goes.

    With --inventory it is a dataset with a section of its own or its parent's that is explained;
    without, a backup on the target, by its id, its dataset or its full name.

    \b
    Examples:
      zrep explain 20240501_103000
      zrep explain tank/home --config sanoid.conf --inventory pool.json
      zrep explain tank/home@autosnap_2024-05-01_10:30:00_daily --inventory pool.json
    """
    if inventory is None:
        return _explain_backups(ctx, name, as_json=as_json)
    pool = read_pool(inventory)
    read = resolve_file(ctx, file, pool)
    refuse_errors(read.errors)
    at = int(time.time()) if now is None else epoch(now, read_zone(tz))
    return _explain_dataset(read, pool, name, at=at, tz=tz, as_json=as_json)


def _explain_dataset(
    read: Resolved, pool: PoolView, name: str, *, at: int, tz: str | None, as_json: bool
) -> int:
    from zrep.planner.section_policy import policy_of
    from zrep.planner.simulate_policy import plan_dataset
    from zrep.report.explain import explain, explain_json, render_explained

    dataset, _, snap = name.partition("@")
    effective = next((e for e in read.effective if e.path == dataset), None)
    if effective is None:
        raise UnknownName(f"no section of {read.file} reaches {dataset}", next_step="add one")
    plan = plan_dataset(effective, policy_of(effective, tz), pool, at)
    found = explain(plan, pool.snapshots.get(dataset, ()), snap)
    if snap and not found:
        raise UnknownName(f"there is no snapshot {name}", next_step=f"zrep explain {dataset}")
    emit_json(explain_json(plan, found)) if as_json else click.echo(render_explained(plan, found))
    return Exit.DONE


def _explain_backups(ctx: click.Context, name: str, *, as_json: bool) -> int:
    from zrep.engine.prune import observe_prune
    from zrep.engine.site import open_site
    from zrep.planner.prune import PrunePlan
    from zrep.report.prune import plan_json, render_plan

    with open_site(load_config(ctx)) as site:
        plan = observe_prune(site)
    wanted = [j for j in plan.judgements if name in _names(j.backup)]
    if not wanted:
        raise UnknownName(f"no backup answers to {name}", next_step="zrep list shows all there are")
    reduced = PrunePlan(judgements=tuple(wanted))
    emit_json(plan_json(reduced)) if as_json else click.echo(render_plan(reduced))
    return Exit.DONE


def _names(backup: Backup) -> set[str]:
    """By what a backup may be asked for."""
    children = [c.snapshot.name for c in backup.children]
    return {str(backup.id), *map(str, children), *(str(n.dataset) for n in children)}
