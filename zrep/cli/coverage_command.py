"""zrep coverage."""

from __future__ import annotations

import click

from zrep.cli.common import emit_json, json_option, load_config


@click.command("coverage")
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> int:
    """Show what containers use on the source hosts and no source covers.

    Folders and volumes of running containers, and the state of the swarm itself. Every sync warns
    of the same. Exit code 4: there is something.

    \b
    Example:
      zrep coverage
    """
    from zrep.engine.coverage import observe_coverage
    from zrep.engine.site import open_site
    from zrep.report.coverage import coverage_json, render_coverage

    with open_site(load_config(ctx)) as site:
        found = observe_coverage(site)
    emit_json(coverage_json(found)) if as_json else click.echo(render_coverage(found))
    return found.status
