"""zrep explain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime
from pathlib import Path

import click

from zrep.cli.common import emit_json, json_option, load_config
from zrep.cli.moments import instant, now_option, read_zone, tz_option
from zrep.cli.policy_input import (
    config_path,
    inventory_option,
    live_pools,
    read_pool,
    refuse_errors,
    resolve_file,
    sections_option,
)
from zrep.errors import Exit, UnknownName
from zrep.frozen import dataclass
from zrep.model.backup import Backup
from zrep.model.pool_view import PoolView
from zrep.planner.effective import Effective


@click.command("explain")
@click.argument("name", metavar="DATASET[@SNAPSHOT]")
@sections_option
@inventory_option
@now_option
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

    A dataset that a section reaches is explained by its policy, on the real pools or on the one
    in --inventory; everything else is a backup on the target, by its id, its dataset or its name.

    \b
    Examples:
      zrep explain 20240501_103000
      zrep explain tank/home --config /etc/sanoid/sanoid.conf
      zrep explain tank/home@autosnap_2024-05-01_10:30:00_daily --inventory pool.json
    """
    at = instant(now, read_zone(tz))
    if inventory is not None:
        pool = read_pool(inventory)
        read = resolve_file(ctx, file, pool)
        refuse_errors(read.errors)
        drawn = Subject(file=read.file, effective=read.effective, pool=pool)
        return _explain_dataset(drawn, name, at=at, tz=tz, as_json=as_json)
    live = _observed(ctx, file, name, tz)
    if live is not None:
        return _explain_dataset(live, name, at=at, tz=tz, as_json=as_json)
    return _explain_backups(ctx, file, name, at=at, as_json=as_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Settings in force, the pool they are in force for, and what holds its snapshots."""

    file: str
    effective: tuple[Effective, ...]
    pool: PoolView
    stuck_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


def _observed(ctx: click.Context, file: Path | None, name: str, tz: str | None) -> Subject | None:
    """The real pools, when the configuration has a section that reaches the dataset."""
    from zrep.config.load_sections import tables_in

    if "dataset" not in tables_in(config_path(ctx, file)):
        return None
    path = config_path(ctx, file)
    pools = live_pools(ctx, file, tz)
    found = pools.observe()
    dataset = name.partition("@")[0]
    if not any(e.path == dataset for e in found.effective):
        return None
    stuck_by = pools.stuck_by(found.inventory, dataset)
    return Subject(file=str(path), effective=found.effective, pool=found.view, stuck_by=stuck_by)


def _explain_dataset(subject: Subject, name: str, *, at: int, tz: str | None, as_json: bool) -> int:
    from zrep.planner.section_policy import policy_of
    from zrep.planner.simulate_policy import plan_dataset
    from zrep.report.explain import explain, explain_json, render_explained

    dataset, _, snap = name.partition("@")
    effective = next((e for e in subject.effective if e.path == dataset), None)
    if effective is None:
        raise UnknownName(f"no section of {subject.file} reaches {dataset}", next_step="add one")
    plan = plan_dataset(effective, policy_of(effective, tz), subject.pool, at)
    taken = subject.pool.snapshots.get(dataset, ())
    found = explain(plan, taken, snap, stuck_by=subject.stuck_by)
    if snap and not found:
        raise UnknownName(f"there is no snapshot {name}", next_step=f"zrep explain {dataset}")
    emit_json(explain_json(plan, found)) if as_json else click.echo(render_explained(plan, found))
    return Exit.DONE


def _explain_backups(
    ctx: click.Context, file: Path | None, name: str, *, at: int, as_json: bool
) -> int:
    from zrep.engine.prune import observe_prune
    from zrep.engine.site import open_site
    from zrep.report.prune import plan_json, render_plan

    with open_site(load_config(ctx, file)) as site:
        plan = observe_prune(site, at)
    wanted = [j for j in plan.judgements if name in _names(j.backup)]
    if not wanted:
        raise UnknownName(f"no backup answers to {name}", next_step="zrep list shows all there are")
    reduced = replace(plan, judgements=tuple(wanted))
    emit_json(plan_json(reduced)) if as_json else click.echo(render_plan(reduced))
    return Exit.DONE


def _names(backup: Backup) -> set[str]:
    """By what a backup may be asked for."""
    snapshots = [s.name for s in backup.snapshots]
    return {str(backup.id), *map(str, snapshots), *(str(n.dataset) for n in snapshots)}
