"""zrep show."""

from __future__ import annotations

import click

from zrep.cli.common import emit_json, json_option, load_config
from zrep.cli.completion import backup_ids


@click.command("show")
@click.argument("backup", metavar="ID", shell_complete=backup_ids)
@json_option
@click.pass_context
def command(ctx: click.Context, backup: str, as_json: bool) -> None:
    """Show one backup: its sources, totals and state. ID is as for `zrep mount`.

    \b
    Examples:
      zrep show latest
      zrep show 20220906_082043 --json
    """
    from zrep.engine.observe import backups_at
    from zrep.engine.site import open_site
    from zrep.planner.backups import resolve
    from zrep.report.backups import backup_json, render_backup

    with open_site(load_config(ctx)) as site:
        found = resolve(backups_at(site.target, site.root), backup)
    if as_json:
        emit_json(backup_json(found))
    else:
        click.echo(render_backup(found))
