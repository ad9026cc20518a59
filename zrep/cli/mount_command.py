"""zrep mount."""

from __future__ import annotations

import click

from zrep.cli.common import dry_run_option, emit_json, json_option, load_config, operator


@click.command("mount")
@click.argument("backup", metavar="ID")
@click.option("--purpose", default="", help="Why, for whoever looks at zrep sessions.")
@click.option("--ttl", default="24h", show_default=True, help="How long it is meant to stay.")
@dry_run_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    backup: str,
    purpose: str,
    ttl: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Mount a backup read-only and print one path per source. ID may be `latest`.

    \b
    Examples:
      zrep mount latest
      zrep mount 20220906_082043 --purpose 'find the lost report' --ttl 4h
    """
    from zrep.engine.mount import apply_mount, mountpoints
    from zrep.engine.requests import mount_request
    from zrep.engine.site import open_site
    from zrep.report.backups import session_json

    with open_site(load_config(ctx)) as site:
        plan = mount_request(site, backup, owner=operator(), purpose=purpose, ttl=ttl)
        session = plan.session if dry_run else apply_mount(site.target, plan)
    if as_json:
        emit_json(session_json(session))
    elif dry_run:
        click.echo("\n".join(f"would clone {origin} to {to}" for _, origin, to in plan.clones))
    else:
        click.echo(f"session {session.name}, until umounted with: zrep umount {session.name}")
        click.echo("\n".join(f"{key}\t{path}" for key, path in mountpoints(session).items()))
