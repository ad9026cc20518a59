"""zrep sessions."""

from __future__ import annotations

import click

from zrep.cli.common import emit_json, json_option, load_config
from zrep.cli.completion import replica_option


@click.command("sessions")
@replica_option
@json_option
@click.pass_context
def command(ctx: click.Context, replica: str | None, as_json: bool) -> None:
    """List the backups that are mounted, by whom and until when.

    \b
    Examples:
      zrep sessions
      zrep sessions --from offsite
    """
    from zrep.engine.requests import place_of
    from zrep.engine.site import open_site
    from zrep.report.sessions import render_sessions, session_json

    with open_site(load_config(ctx)) as site:
        place = place_of(site, replica)
        sessions = place.sessions()
    if as_json:
        emit_json([session_json(s, place.address) for s in sessions])
    else:
        click.echo(render_sessions(sessions))
