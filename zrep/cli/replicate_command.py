"""zrep replicate."""

from __future__ import annotations

import click

from zrep.cli.common import dry_run_option, emit_json, json_option, load_config
from zrep.errors import Exit, exit_of


@click.command("replicate")
@click.argument("name", required=False)
@dry_run_option
@json_option
@click.pass_context
def command(ctx: click.Context, name: str | None, dry_run: bool, as_json: bool) -> int:
    """Bring the replica NAME forward to the target's newest backups.

    Only what is missing there is sent, from the newest snapshot that both sides have. Nothing on
    the replica is rolled back or destroyed; what does not fit is reported.

    \b
    Examples:
      zrep replicate offsite
      zrep replicate offsite --dry-run
    """
    from zrep.engine.replicate import run_replicate, sides_of
    from zrep.engine.site import open_site
    from zrep.report.replica import render_report, render_steps, report_json, steps_json

    with open_site(load_config(ctx)) as site:
        if dry_run:
            steps = sides_of(site, name).plan()
            _emit(as_json, steps_json(steps), render_steps(steps))
            return Exit.DONE
        from zrep.cli.progress import Lines

        report = run_replicate(site, name, Lines.on_stderr())
    _emit(as_json, report_json(report), render_report(report))
    return exit_of(report.trouble)


def _emit(as_json: bool, value: object, text: str) -> None:
    if as_json:
        emit_json(value)
    else:
        click.echo(text)
