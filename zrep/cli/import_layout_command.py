"""zrep import-layout."""

from __future__ import annotations

from typing import Any

import click

from zrep.cli.common import dry_run_option, emit_json, json_option, load_config
from zrep.cli.completion import sets
from zrep.errors import Exit
from zrep.model.names import SnapClass


@click.command("import-layout")
@click.option(
    "--set", "set_name", metavar="SET", shell_complete=sets, help="Whose backups they become."
)
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="FOLDER=HOST/SOURCE",
    help="Which source a folder is; may be given several times.",
)
@click.option(
    "--class",
    "classes",
    multiple=True,
    type=click.Choice([c.value for c in SnapClass]),
    help="What they count for, instead of manual; may be given several times.",
)
@click.option("--again", is_flag=True, help="Describe anew what was imported before.")
@dry_run_option
@json_option
@click.pass_context
def command(ctx: click.Context, /, dry_run: bool, as_json: bool, **wanted: Any) -> int:
    """Adopt the snapshots that the scripts before zrep made of the target's dataset.

    Each `snap_YYYYMMDD_HHMMSS` becomes a backup of that id, its folders `HOST@+PATH` the sources
    of that host and path, by properties that are written on the snapshot. No data is copied, moved
    or destroyed, and other snapshots are left alone. A folder that no source is configured for
    becomes one of its own name. Exit code 4: something was skipped.

    \b
    Examples:
      zrep import-layout --dry-run
      zrep import-layout
      zrep import-layout --map 'mail-1@+srv+mail=mail-1/mail' --class monthly
    """
    from zrep.cli.progress import Lines
    from zrep.engine.import_layout import Wish, import_layout, observe_import
    from zrep.engine.site import open_site
    from zrep.report.import_layout import import_json, render_import

    wanted["classes"] = tuple(map(SnapClass, wanted["classes"]))
    with open_site(load_config(ctx)) as site:
        do = observe_import if dry_run else import_layout
        plan = do(site, Wish(**wanted), Lines.on_stderr())
    text = render_import(plan, planned=dry_run)
    emit_json(import_json(plan)) if as_json else click.echo(text)
    return Exit.PARTIAL if plan.skipped else Exit.DONE
