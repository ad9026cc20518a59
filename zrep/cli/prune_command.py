"""zrep prune."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from zrep.cli.common import dry_run_option, emit_json, json_option, load_config
from zrep.cli.moments import tz_option
from zrep.cli.policy_input import (
    brake_option,
    config_path,
    live_pools,
    sections_option,
)
from zrep.errors import Exit
from zrep.model.housekeeping import Brake


@click.command("prune")
@sections_option
@tz_option
@brake_option
@click.option("--sanoid-exit", is_flag=True, help="End with 0 even when something failed.")
@dry_run_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    file: Path | None,
    tz: str | None,
    max_destroy: Brake | None,
    sanoid_exit: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Destroy what policies no longer keep: the target's backups, and snapshots of datasets.

    Never destroyed, whatever a policy says: what is held, cloned or mounted, and of backups the
    base of a replica and the newest complete one of a set. With `prune_grace` snapshots are
    marked first and destroyed by a later run; `zrep undelete` takes the mark off. Exit code 4:
    some could not be destroyed; 5: the brake (`max_destroy`) or a wrong clock forbids it.

    \b
    Examples:
      zrep prune --dry-run      every backup, what becomes of it, and why
      zrep prune
      zrep prune --config /etc/sanoid/sanoid.conf
    """
    from zrep.config.load_sections import tables_in

    tables = tables_in(config_path(ctx, file))
    parts: list[tuple[str, dict[str, Any], bool]] = []
    if not tables or "target" in tables:
        parts.append(_backups(ctx, file, max_destroy, dry_run=dry_run))
    if "dataset" in tables:
        parts.append(_datasets(ctx, file, tz, max_destroy, dry_run=dry_run))
    if as_json:
        emit_json({key: value for _, found, _ in parts for key, value in found.items()})
    else:
        click.echo("\n".join(text for text, _, _ in parts))
    failed = any(bad for _, _, bad in parts)
    return Exit.PARTIAL if failed and not sanoid_exit else Exit.DONE


def _backups(
    ctx: click.Context, file: Path | None, max_destroy: Brake | None, *, dry_run: bool
) -> tuple[str, dict[str, Any], bool]:
    from zrep.cli.progress import Lines
    from zrep.engine.prune import observe_prune, prune
    from zrep.engine.site import open_site
    from zrep.report.prune import plan_json, prune_json, render_plan, render_prune

    config = load_config(ctx, file)
    with open_site(config) as site:
        if dry_run:
            plan = observe_prune(site, int(time.time()))
            return render_plan(plan), plan_json(plan), False
        report = prune(site, max_destroy or config.keeping.brake, Lines.on_stderr())
    return render_prune(report), prune_json(report), report.trouble is not None


def _datasets(
    ctx: click.Context,
    file: Path | None,
    tz: str | None,
    max_destroy: Brake | None,
    *,
    dry_run: bool,
) -> tuple[str, dict[str, Any], bool]:
    from zrep.cli.progress import Lines
    from zrep.engine.expire import expire, observe_expiry
    from zrep.report.expire import expired_json, expiry_json, render_expired, render_expiry

    pools = live_pools(ctx, file, tz, max_destroy=max_destroy)
    if dry_run:
        plan = observe_expiry(pools, int(time.time()))
        return render_expiry(plan), {"datasets": expiry_json(plan)}, False
    report = expire(pools, Lines.on_stderr())
    failed = bool(report.outcome.failed)
    return render_expired(report), {"datasets": expired_json(report)}, failed
