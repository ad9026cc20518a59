"""zrep umount."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zrep.cli.common import dry_run_option, emit_json, json_option, load_config
from zrep.cli.completion import replica_option, sessions
from zrep.errors import Exit

if TYPE_CHECKING:
    from zrep.engine.requests import Place


@click.command("umount")
@click.argument("session", required=False, shell_complete=sessions)
@click.option("--expired", is_flag=True, help="All sessions whose time is up and that nobody uses.")
@replica_option
@dry_run_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    session: str | None,
    expired: bool,
    replica: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Destroy the clones of a session, or of all expired ones. The backup itself is not touched.

    A session in use is never touched: it stays as it is, and is reported.

    \b
    Examples:
      zrep umount 20220906_082043-1f3a
      zrep umount --expired
      zrep umount 20220906_082043-1f3a --from offsite
    """
    from zrep.engine.requests import place_of
    from zrep.engine.site import open_site

    if expired == (session is not None):
        raise click.UsageError("Name one session (zrep sessions lists them), or say --expired.")
    with open_site(load_config(ctx)) as site:
        place = place_of(site, replica)
        if session is None:
            return _umount_expired(place, dry_run=dry_run, as_json=as_json)
        return _umount_one(place, session, dry_run=dry_run, as_json=as_json)


def _umount_one(place: Place, name: str, *, dry_run: bool, as_json: bool) -> int:
    from zrep.engine.mount import get_session, umount
    from zrep.report.sessions import session_json

    found = get_session(place.sessions(), name)
    if not dry_run:
        umount(place.zfs, found)
    verb = "would destroy" if dry_run else "destroyed"
    if as_json:
        emit_json(session_json(found, place.address))
    else:
        click.echo(f"{verb} session {found.name} of backup {found.backup}")
    return Exit.DONE


def _umount_expired(place: Place, *, dry_run: bool, as_json: bool) -> int:
    import time

    from zrep.engine.mount import umount_expired
    from zrep.report.sessions import render_reaped

    now = int(time.time())
    gone = tuple(s for s in place.sessions() if s.expires < now)
    stays: dict[str, str] = {}
    if not dry_run:
        gone, kept = umount_expired(place.zfs, gone, now)
        stays = {name: str(error) for name, error in kept.items()}
    if as_json:
        emit_json({"destroyed": [s.name for s in gone], "kept": stays})
    else:
        click.echo(render_reaped(gone, stays, planned=dry_run))
    return Exit.PARTIAL if stays else Exit.DONE
