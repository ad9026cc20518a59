"""zrep config."""

from __future__ import annotations

import click

from zrep.cli.common import emit_json, json_option, load_config


@click.group("config")
def command() -> None:
    """Check the configuration."""


@command.command("check")
@json_option
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Read the configuration and its policies; report every error at once with file and line.

    \b
    Example:
      zrep --config ./zrep.toml config check
    """
    config = load_config(ctx.find_root())
    found = {
        "digest": config.digest,
        "sets": {name: [str(s.key) for s in s_.sources] for name, s_ in config.sets.items()},
        "replicas": sorted(config.replicas),
        "services": sorted(config.services),
    }
    if as_json:
        emit_json(found)
    else:
        click.echo(f"{ctx.find_root().obj['config']}: good (digest {config.digest})")
