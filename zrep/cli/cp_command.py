"""zrep cp."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zrep.cli.common import dry_run_option, emit_json, json_option, load_config
from zrep.cli.completion import source_option

if TYPE_CHECKING:
    from zrep.engine.copy_out import CopyPlan

# A time has colons itself: as much of it as can be one belongs to the id.
_ORIGIN = re.compile(r"(@[0-9TZ:+.\-]+|[^:@/]+):(.+)", re.DOTALL)


def _split(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[str, str]:
    """`latest:/etc/x` -> `latest`, `/etc/x`."""
    found = _ORIGIN.fullmatch(value)
    if found is None:
        raise click.BadParameter(f"{value!r} is not like latest:manager-1/docker/etc/nginx")
    return found[1], found[2]


@click.command("cp")
@click.argument("origin", metavar="ID:PATH", callback=_split)
@click.argument("destination", metavar="DEST", type=click.Path(path_type=Path))
@source_option
@click.option("-f", "--force", is_flag=True, help="Overwrite what is there; merge into a folder.")
@dry_run_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    origin: tuple[str, str],
    destination: Path,
    source: str | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Copy a file or folder out of a backup to this machine, with owners, modes, times and ACLs.

    ID is as for `zrep mount`, PATH as for `zrep find`. DEST is the new name, or a folder to put
    it into. Nothing is overwritten without --force; then a folder's files replace their
    namesakes and all others stay.

    \b
    Examples:
      zrep cp latest:manager-1/docker/etc/nginx /tmp
      zrep cp @2026-11-23T10:00:/docker/etc/nginx/nginx.conf /tmp/nginx.conf.old
    """
    from zrep.engine.browse import shelf_of
    from zrep.engine.copy_out import apply_copy, plan_copy
    from zrep.engine.requests import source_named
    from zrep.engine.site import open_site

    with open_site(load_config(ctx)) as site:
        shelf = shelf_of(site)
    only = source_named(source, shelf.backups) if source else None
    location = shelf.locate(origin[1], only)
    plan = plan_copy(shelf, shelf.find(origin[0], location.key), location, destination, force=force)
    if not dry_run:
        apply_copy(plan)
    _tell(plan, as_json=as_json, planned=dry_run)


def _tell(plan: CopyPlan, *, as_json: bool, planned: bool) -> None:
    from zrep.report.files import entry_json, printable

    if as_json:
        found = {"source": printable(plan.source), "destination": printable(str(plan.destination))}
        emit_json({**found, "overwritten": plan.exists, **entry_json(plan.entry)})
    else:
        verb = "would copy" if planned else "copied"
        click.echo(f"{verb} {printable(plan.source)} to {printable(str(plan.destination))}")
