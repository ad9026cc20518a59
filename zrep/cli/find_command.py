"""zrep find."""

from __future__ import annotations

import click

from zrep.cli.common import emit_json, json_option, load_config
from zrep.cli.completion import source_option
from zrep.errors import Exit


@click.command("find")
@click.argument("path")
@source_option
@json_option
@click.pass_context
def command(ctx: click.Context, path: str, source: str | None, as_json: bool) -> int:
    """List the versions of a file or folder over all backups, and where it was deleted.

    PATH is HOST/SOURCE/PATH, or absolute as on the source host, or with --source within that
    source. A folder's versions are told apart by everything below it, so a large one takes long.

    \b
    Examples:
      zrep find manager-1/docker/etc/nginx/nginx.conf
      zrep find /docker/etc/nginx/nginx.conf
      zrep find /docker_local/conf --source cassandra-1/local --json
    """
    from zrep.engine.browse import find_versions, shelf_of
    from zrep.engine.requests import source_named
    from zrep.engine.site import open_site
    from zrep.report.files import history_json, printable, render_history

    with open_site(load_config(ctx)) as site:
        shelf = shelf_of(site)
    only = source_named(source, shelf.backups) if source else None
    location = shelf.locate(path, only)
    history = find_versions(shelf, location)
    if as_json:
        emit_json(history_json(str(location), history))
    else:
        click.echo(f"{printable(str(location))}\n{render_history(history)}")
    return Exit.PARTIAL if history.unread else Exit.DONE
