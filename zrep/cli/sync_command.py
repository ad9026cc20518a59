"""zrep sync."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from zrep.cli.common import dry_run_option, emit_json, json_option, load_config
from zrep.errors import Exit, exit_of


@click.command("sync")
@click.argument("set_name", metavar="[SET]", required=False)
@click.option(
    "--accept-deletions",
    "accept",
    metavar="HOST/SOURCE",
    multiple=True,
    help="Agree to what the last run refused to delete of this source; may be repeated.",
)
@dry_run_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, set_name: str | None, accept: tuple[str, ...], dry_run: bool, as_json: bool
) -> int:
    """Pull every source of SET and publish one backup.

    All source snapshots are taken first, while containers are paused if the set says so, then each
    is pulled into its own dataset and verified; one atomic ZFS snapshot of the verified ones is the
    backup. Exit code 4: some sources failed and the backup was published as partial; 10 although
    there is a backup: a host did not confirm that its containers run again.

    \b
    Examples:
      zrep sync                 the only set there is
      zrep sync platform --dry-run
      zrep sync --accept-deletions manager-1/docker
    """
    from zrep.cli.progress import Lines
    from zrep.engine.site import open_site
    from zrep.engine.sync import plan_sync, sync
    from zrep.report.recovery_sheet import papers
    from zrep.report.sync import plan_json, render_plan, render_report, report_json

    with open_site(load_config(ctx)) as site:
        if dry_run:
            backup_set = site.backup_set(set_name)
            plan = plan_sync(site, backup_set, now=datetime.now(UTC), accept=accept)
            emit_json(plan_json(plan)) if as_json else click.echo(render_plan(plan))
            return Exit.DONE
        report = sync(site, set_name, Lines.on_stderr(), accept=accept, papers=papers())
    emit_json(report_json(report)) if as_json else click.echo(render_report(report))
    if report.still_paused is not None:
        raise report.still_paused
    return exit_of(report.trouble)
