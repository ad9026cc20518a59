"""zrep cat."""

from __future__ import annotations

import sys

import click

from zrep.cli.common import load_config
from zrep.cli.completion import backup_ids, source_option


@click.command("cat")
@click.argument("backup", metavar="ID", shell_complete=backup_ids)
@click.argument("path")
@source_option
@click.pass_context
def command(ctx: click.Context, backup: str, path: str, source: str | None) -> None:
    """Print a file as a backup has it. ID is as for `zrep mount`, PATH as for `zrep find`.

    \b
    Examples:
      zrep cat latest manager-1/docker/etc/nginx/nginx.conf
      zrep cat @2026-11-23 /docker/etc/nginx/nginx.conf > nginx.conf
    """
    from zrep.engine.browse import content_of, shelf_of
    from zrep.engine.requests import source_named
    from zrep.engine.site import open_site

    with open_site(load_config(ctx)) as site:
        shelf = shelf_of(site)
    only = source_named(source, shelf.backups) if source else None
    location = shelf.locate(path, only)
    for chunk in content_of(shelf, shelf.find(backup, location.key), location):
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
