"""zrep diff."""

from __future__ import annotations

import click

from zrep.cli.common import emit_json, json_option, load_config
from zrep.cli.completion import backup_ids, source_option


@click.command("diff")
@click.argument("old", metavar="ID", shell_complete=backup_ids)
@click.argument("new", metavar="ID", shell_complete=backup_ids)
@click.argument("path", required=False)
@source_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    old: str,
    new: str,
    path: str | None,
    source: str | None,
    as_json: bool,
) -> None:
    """List what is not the same in two backups: + added, - removed, M changed.

    Compared are type, size, modification time, mode and owner; contents are not read. A folder
    that came or went is one line. IDs are as for `zrep mount`, PATH is as for `zrep find`.

    \b
    Examples:
      zrep diff latest~1 latest
      zrep diff 20220905_030000 20220906_030000 /docker/etc
      zrep diff @2026-11-01 latest --source manager-1/docker --json
    """
    from zrep.engine.browse import diff_backups, shelf_of
    from zrep.engine.requests import source_named
    from zrep.engine.site import open_site
    from zrep.report.files import change_json, render_change

    with open_site(load_config(ctx)) as site:
        shelf = shelf_of(site)
    only = source_named(source, shelf.backups) if source else None
    location = shelf.locate(path or "", only) if path or only else None
    key = location.key if location else None
    changes = diff_backups(shelf, shelf.find(old, key), shelf.find(new, key), location)
    if as_json:
        emit_json([change_json(change) for change in changes])
    else:
        for change in changes:
            click.echo(render_change(change))
