"""zrep key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from zrep.cli.common import emit_json, json_option, load_config
from zrep.errors import Exit, UsageError

READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)
NAMES = click.Choice(["control", "read", "restore"])


@click.group("key")
def command() -> None:
    """Make, show and rotate the keys by which zrep reaches other hosts.

    \b
    Examples:
      zrep key create control read
      zrep key rotate control --login root --from 10.0.0.2
    """


@command.command("create")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, type=NAMES)
@click.pass_context
def create(ctx: click.Context, names: tuple[str, ...]) -> int:
    """Make keys: control asks, read reads what is prepared, restore writes what is armed.

    Ed25519, without a passphrase, since they work unattended and can do little. Refused when there
    is one: see `zrep key rotate`. The read key belongs on the target.

    \b
    Example:
      zrep key create control read
    """
    from zrep.engine.key_files import fingerprint, key_file, make
    from zrep.model.keys import KeyName

    config = load_config(ctx)
    for name in names:
        key = key_file(config, KeyName(name))
        make(key)
        click.echo(f"{name}: {key.path}, {fingerprint(key.path)}")
    return Exit.DONE


@command.command("show")
@json_option
@click.pass_context
def show(ctx: click.Context, as_json: bool) -> int:
    """Print path, fingerprint and public half of each key, and whether a rotation is under way.

    \b
    Example:
      zrep key show
    """
    from zrep.engine.keys import describe

    found = [describe(load_config(ctx), name) for name in NAMES.choices]
    emit_json(found) if as_json else click.echo("\n".join(map(_shown, found)))
    return Exit.DONE


def _shown(key: dict[str, str | None]) -> str:
    if key["public"] is None:
        return f"{key['name']}: not on this machine ({key['path']})"
    rotation = f"\n  {key['rotation']}" if key["rotation"] else ""
    return f"{key['name']}: {key['path']}, {key['fingerprint']}\n  {key['public']}{rotation}"


@command.command("rotate")
@click.argument("name", type=NAMES)
@click.option("--login", help="The administrator's user there (default: as ssh is configured).")
@click.option("--identity", type=READABLE, help="The administrator's own private key.")
@click.option("--sudo", is_flag=True, help="The login becomes root by sudo, without a password.")
@click.option(
    "--from",
    "allowed_from",
    required=True,
    help="Addresses the control key may come from, or `any`.",
)
@click.pass_context
def rotate(ctx: click.Context, /, **options: Any) -> int:
    """Replace a key on all machines that accept it: add the new one, try it, remove the old one.

    Goes through an administrator's login like `zrep capsule deploy`. Whatever stops it, the key in
    use is accepted everywhere; run it again to go on. Exit code 4: a machine kept it from ending.

    \b
    Example:
      zrep key rotate control --login root --from 10.0.0.2
    """
    from zrep.cli.progress import Lines
    from zrep.engine.keys import request
    from zrep.engine.keys import rotate as apply

    identity = str(options["identity"].resolve()) if options["identity"] else None
    wanted = "" if options["allowed_from"] == "any" else options["allowed_from"]
    try:
        rotation = request(
            load_config(ctx),
            options["name"],
            login=options["login"],
            identity=identity,
            sudo=options["sudo"],
            allowed_from=wanted,
        )
        apply(rotation, Lines.on_stderr())
    except ValueError as error:
        raise UsageError(str(error), next_step="zrep key rotate --help") from error
    return Exit.DONE
