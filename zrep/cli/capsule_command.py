"""zrep capsule."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import click

from zrep.cli.common import load_config
from zrep.errors import UnknownName, UsageError

READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("capsule")
def command() -> None:
    """Render what the other hosts need."""


@command.command("render")
@click.option("--host", help="The files of this source host (a logical name of the deployment).")
@click.option("--target", is_flag=True, help="The files of a remote target.")
@click.option("--replica", help="The files of the host that holds this replica.")
@click.option("--control-key", type=READABLE, help="Public half of the control key.", required=True)
@click.option("--read-key", type=READABLE, help="Public half of the read key.")
@click.option("--from", "allowed_from", default="", help="Addresses the control key may come from.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.pass_context
def render(
    ctx: click.Context,
    host: str | None,
    target: bool,
    replica: str | None,
    control_key: Path,
    read_key: Path | None,
    allowed_from: str,
    out: Path,
) -> None:
    """Write the programs, sudoers rules and authorized keys of one host into a folder.

    Carry the folder there and run its install-source as root; it checks everything before it
    changes anything, and a second run changes nothing.

    \b
    Examples:
      zrep capsule render --host manager-1 --control-key control.pub --read-key read.pub --out m1
      zrep capsule render --replica offsite --control-key control.pub --out offsite
    """
    from zrep.capsule.install import load_hooks, write_tree
    from zrep.capsule.render import PublicKey, Roles, render_host

    config = load_config(ctx)
    try:
        roles = Roles(source=host, target=target, replica=replica)
        control = PublicKey(line=control_key.read_text().strip(), allowed_from=allowed_from)
        read = PublicKey(line=read_key.read_text().strip()) if read_key else None
    except ValueError as error:
        raise UsageError(str(error), next_step="zrep capsule render --help") from error
    _check_name(config.hosts, host, what="host")
    _check_name(config.replicas, replica, what="replica")
    hooks = load_hooks()
    files = render_host(config, roles, hooks, control=control, read=read)
    write_tree(files, out, hooks, user=config.ssh.user)
    click.echo(f"wrote {len(files)} files; on the host, as root: {out}/install-source {out}")


def _check_name(known: Collection[str], name: str | None, *, what: str) -> None:
    if name is not None and name not in known:
        names = ", ".join(sorted(known)) or "none is configured"
        raise UnknownName(f"no {what} {name!r}", why=f"configured: {names}")
