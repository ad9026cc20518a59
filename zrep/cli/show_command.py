"""zrep show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zrep.cli.common import emit_json, json_option, load_config
from zrep.cli.completion import backup_ids

if TYPE_CHECKING:
    from zrep.engine.site import Site
    from zrep.model.backup import Backup


@click.command("show")
@click.argument("backup", metavar="ID", shell_complete=backup_ids)
@click.option("--recovery", is_flag=True, help="Print how to use it without zrep.")
@json_option
@click.pass_context
def command(ctx: click.Context, backup: str, recovery: bool, as_json: bool) -> None:
    """Show one backup: its sources, totals and state. ID is as for `zrep mount`.

    With --recovery its recovery sheet: where it is, how to look into it, and how to bring it back
    with zfs, mount, rsync and ssh alone. Every backup holds its own; of one that has none, or that
    lies on another machine, it is made anew.

    \b
    Examples:
      zrep show latest
      zrep show 20220906_082043 --json
      zrep show latest --recovery > recovery.txt
    """
    from zrep.engine.observe import backups_at
    from zrep.engine.site import open_site
    from zrep.planner.backups import resolve
    from zrep.report.backups import backup_json, render_backup

    with open_site(load_config(ctx)) as site:
        found = resolve(backups_at(site.target, site.root), backup)
        if recovery:
            _recovery(site, found, as_json=as_json)
            return
    if as_json:
        emit_json(backup_json(found))
    else:
        click.echo(render_backup(found))


def _recovery(site: Site, backup: Backup, *, as_json: bool) -> None:
    from zrep.engine.recovery import sheet_of
    from zrep.report.recovery_sheet import papers

    text, stored = sheet_of(site, backup, papers())
    if as_json:
        emit_json({"id": str(backup.id), "stored": stored, "sheet": text})
        return
    if not stored:
        click.echo("note: made now; none is stored with this backup, or none can be read", err=True)
    click.echo(text, nl=False)
