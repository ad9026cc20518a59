"""zrep umount."""

from __future__ import annotations

import click

from zrep.cli.common import dry_run_option, emit_json, json_option, load_config


@click.command("umount")
@click.argument("session")
@dry_run_option
@json_option
@click.pass_context
def command(ctx: click.Context, session: str, dry_run: bool, as_json: bool) -> None:
    """Destroy the clones of a session. The backup itself is not touched.

    \b
    Example:
      zrep umount 20220906_082043-1f3a
    """
    from zrep.engine.mount import get_session, list_sessions, umount
    from zrep.engine.site import open_site
    from zrep.report.backups import session_json

    with open_site(load_config(ctx)) as site:
        found = get_session(list_sessions(site.target, site.config.target.sessions), session)
        if not dry_run:
            umount(site.target, found)
    verb = "would destroy" if dry_run else "destroyed"
    if as_json:
        emit_json(session_json(found))
    else:
        click.echo(f"{verb} session {found.name} of backup {found.backup}")
