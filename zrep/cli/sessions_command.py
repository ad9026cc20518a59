"""zrep sessions."""

from __future__ import annotations

import click

from zrep.cli.common import emit_json, json_option, load_config


@click.command("sessions")
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List the backups that are mounted, by whom and until when.

    \b
    Example:
      zrep sessions
    """
    from zrep.engine.mount import list_sessions
    from zrep.engine.site import open_site
    from zrep.report.backups import render_sessions, session_json

    with open_site(load_config(ctx)) as site:
        sessions = list_sessions(site.target, site.config.target.sessions)
    if as_json:
        emit_json([session_json(s) for s in sessions])
    else:
        click.echo(render_sessions(sessions))
