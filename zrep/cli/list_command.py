"""zrep list."""

from __future__ import annotations

import click

from zrep.cli.common import emit_json, json_option, load_config


@click.command("list")
@click.option("--set", "set_name", help="Only backups of this set.")
@json_option
@click.pass_context
def command(ctx: click.Context, set_name: str | None, as_json: bool) -> None:
    """List the backups on the target, newest first.

    \b
    Examples:
      zrep list
      zrep list --json | jq -r '.[0].id'
    """
    from zrep.engine.observe import backups_at
    from zrep.engine.site import open_site
    from zrep.report.backups import backup_json, render_backups

    with open_site(load_config(ctx)) as site:
        found = backups_at(site.target, site.root)
    backups = [b for b in found if set_name in (None, b.set_name)]
    if as_json:
        emit_json([backup_json(b) for b in backups])
    else:
        click.echo(render_backups(backups))
