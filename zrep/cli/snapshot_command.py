"""zrep snapshot."""

from __future__ import annotations

import time
from pathlib import Path

import click

from zrep.cli.common import dry_run_option, emit_json, json_option
from zrep.cli.moments import tz_option
from zrep.cli.policy_input import live_pools, sections_option
from zrep.errors import Exit


@click.command("snapshot")
@sections_option
@tz_option
@click.option("--sanoid-exit", is_flag=True, help="End with 0 even when a dataset failed.")
@dry_run_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    file: Path | None,
    tz: str | None,
    sanoid_exit: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Take the snapshots that are due by the dataset sections, under sanoid's names.

    All datasets that are due now are taken in one transaction group of their pool; one with
    scripts by itself, between them. Exit code 4: some were not taken.

    \b
    Examples:
      zrep snapshot --dry-run
      zrep snapshot --config /etc/sanoid/sanoid.conf
    """
    from zrep.cli.progress import Lines
    from zrep.engine.take import observe_take, take
    from zrep.report.take import plan_json, render_plan, render_take, take_json

    pools = live_pools(ctx, file, tz)
    if dry_run:
        plan = observe_take(pools, int(time.time()))
        emit_json(plan_json(plan)) if as_json else click.echo(render_plan(plan))
        return Exit.DONE
    report = take(pools, Lines.on_stderr())
    emit_json(take_json(report)) if as_json else click.echo(render_take(report))
    return Exit.PARTIAL if report.failed and not sanoid_exit else Exit.DONE
