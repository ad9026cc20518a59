"""zrep status."""

from __future__ import annotations

import time

import click

from zrep.cli.common import emit_json, json_option, load_config
from zrep.errors import Exit


@click.command("status")
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> int:
    """Show how the last run of each set, of each replica and of pruning ended.

    Also which restores are not done, and how the last drill ended. Only files of this machine are
    read: no pool and no other host is asked, and anybody may ask who may read the configuration.
    Exit code 0 whatever they say; for monitoring there is `zrep check runs`.

    \b
    Examples:
      zrep status
      zrep status --json
    """
    from zrep.engine.overview import observe_overview
    from zrep.report.status import render_status, status_json

    seen, now = observe_overview(load_config(ctx)), int(time.time())
    emit_json(status_json(seen, now)) if as_json else click.echo(render_status(seen, now))
    return Exit.DONE
