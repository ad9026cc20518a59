"""zrep prune."""

from __future__ import annotations

import click

from zrep.cli.common import dry_run_option, emit_json, json_option, load_config
from zrep.errors import Exit


@click.command("prune")
@dry_run_option
@json_option
@click.pass_context
def command(ctx: click.Context, dry_run: bool, as_json: bool) -> int:
    """Destroy the backups that the target's policy no longer keeps.

    Never destroyed, whatever the policy says: what is held, cloned or mounted, the base of a
    replica, and the newest complete backup of a set.

    \b
    Examples:
      zrep prune --dry-run      every backup, what becomes of it, and why
      zrep prune
    """
    from zrep.engine.prune import observe_prune, prune
    from zrep.engine.site import open_site
    from zrep.report.prune import plan_json, prune_json, render_plan, render_prune

    with open_site(load_config(ctx)) as site:
        if dry_run:
            plan = observe_prune(site)
            emit_json(plan_json(plan)) if as_json else click.echo(render_plan(plan))
            return Exit.DONE
        report = prune(site)
    emit_json(prune_json(report)) if as_json else click.echo(render_prune(report))
    return Exit.PARTIAL if report.failed else Exit.DONE
