"""zrep recover."""

from __future__ import annotations

import click

from zrep.cli.common import dry_run_option, emit_json, json_option, load_config
from zrep.errors import Exit


@click.command("recover")
@dry_run_option
@json_option
@click.pass_context
def command(ctx: click.Context, dry_run: bool, as_json: bool) -> int:
    """Thaw and release whatever crashed runs left on the source hosts.

    Every sync does this for its own set before it begins; this does it now, for all sets, and
    refuses while one of them is being backed up. Running it again does no harm. Restores that are
    not done are named, and left to `zrep restore --resume`. Exit code 10: a
    host did not confirm that its containers run again.

    \b
    Examples:
      zrep recover
      zrep recover --dry-run    show what is left and touch nothing
    """
    from zrep.engine.recover import observe_leftovers, recover
    from zrep.engine.restore_left import left_restores
    from zrep.engine.site import open_site
    from zrep.report.recover import leftovers_json, render_leftovers, render_report, report_json

    with open_site(load_config(ctx)) as site:
        for left in left_restores(site.config.keeping):
            click.echo(f"warning: {left}", err=True)
        if dry_run:
            found = observe_leftovers(site)
            emit_json(leftovers_json(found)) if as_json else click.echo(render_leftovers(found))
            return Exit.DONE
        from zrep.cli.progress import Lines

        report = recover(site, Lines.on_stderr())
    emit_json(report_json(report)) if as_json else click.echo(render_report(report))
    return report.status
