"""zrep mount."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from zrep.cli.common import dry_run_option, emit_json, json_option, load_config, operator
from zrep.cli.completion import backup_ids, replica_option, services
from zrep.cli.completion import sources as source_names

if TYPE_CHECKING:
    from zrep.engine.mount import MountPlan
    from zrep.engine.requests import MountWish, Place
    from zrep.engine.site import Site
    from zrep.model.session import Session


@click.command("mount")
@click.argument("backup", metavar="ID", shell_complete=backup_ids)
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="HOST/SOURCE",
    shell_complete=source_names,
    help="Only this source; may be given several times.",
)
@click.option(
    "--service",
    shell_complete=services,
    help="Only the source of this service; prints where its data lies.",
)
@click.option("--rw", "writable", is_flag=True, help="Let the clones be written to.")
@click.option("--ttl", default="24h", show_default=True, help="How long it is meant to stay.")
@click.option("--purpose", default="", help="Why, for whoever looks at zrep sessions.")
@replica_option
@dry_run_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, /, replica: str | None, dry_run: bool, as_json: bool, **wanted: Any
) -> None:
    """Mount a backup as clones of its own and print one path per source.

    ID is a backup's id or the beginning of one, `latest`, `latest~2` (the second complete backup
    before it), or `@TIME`, the newest complete one that began at or before then: `@2026-11-23`
    is any time of that day, `@2026-11-23T10:00` an instant in UTC.

    \b
    Examples:
      zrep mount latest
      zrep mount @2026-11-23 --source manager-1/docker --ttl 4h
      zrep mount latest~1 --service wordpress --purpose 'find the lost report'
      zrep mount latest --from offsite
    """
    from zrep.engine.requests import mount_request, place_of
    from zrep.engine.site import open_site

    with open_site(load_config(ctx)) as site:
        place, wish = place_of(site, replica), _wish(site, **wanted)
        plan = mount_request(place, wish)
        if dry_run:
            _tell_plan(plan, as_json=as_json)
        else:
            _mount(place, plan, wish, as_json=as_json)


def _wish(site: Site, *, service: str | None, **wanted: Any) -> MountWish:
    """Of the options that say what is mounted, and how."""
    from zrep.engine.requests import MountWish, service_of

    return MountWish(owner=operator(), service=service_of(site, service), **wanted)


def _tell_plan(plan: MountPlan, *, as_json: bool) -> None:
    from zrep.report.sessions import session_json

    if as_json:
        emit_json(session_json(plan.session))
    else:
        click.echo("\n".join(f"would clone {origin} to {to}" for _, origin, to in plan.clones))


def _mount(place: Place, plan: MountPlan, wish: MountWish, *, as_json: bool) -> None:
    from zrep.engine.mount import apply_mount, mountpoints
    from zrep.report.sessions import render_mounted, session_json

    session: Session = apply_mount(place.zfs, plan)
    if as_json:
        emit_json(session_json(session, place.address, wish.service))
    else:
        text = render_mounted(
            session,
            mountpoints(session),
            address=place.address,
            replica=place.replica,
            service=wish.service,
        )
        click.echo(text)
