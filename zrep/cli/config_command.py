"""zrep config."""

from __future__ import annotations

from pathlib import Path

import click

from zrep.cli.common import emit_json, json_option, load_config
from zrep.cli.policy_input import (
    compat_option,
    inventory_option,
    read_pool,
    refuse_errors,
    resolve_file,
    sections_option,
)
from zrep.config.idle import find_idle
from zrep.errors import Exit, UsageError
from zrep.model.pool_view import PoolView
from zrep.model.sanoid import Compat


@click.group("config")
def command() -> None:
    """Check, convert and show the configuration."""


@command.command("check")
@json_option
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> int:
    """Read the configuration and its policies; report every error at once with file and line.

    \b
    Examples:
      zrep --config ./zrep.toml config check
      zrep --config /etc/sanoid/sanoid.conf config check
    """
    if Path(ctx.find_root().obj["config"]).suffix in {".conf", ".ini"}:
        return _check_sections(ctx, as_json=as_json)
    config = load_config(ctx.find_root())
    warnings = [str(w) for w in find_idle(config.text, str(Path(ctx.find_root().obj["config"])))]
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    found = {
        "digest": config.digest,
        "sets": {name: [str(s.key) for s in s_.sources] for name, s_ in config.sets.items()},
        "replicas": sorted(config.replicas),
        "services": sorted(config.services),
        "warnings": warnings,
    }
    if as_json:
        emit_json(found)
    else:
        click.echo(f"{ctx.find_root().obj['config']}: good (digest {config.digest})")
    return Exit.DONE


def _check_sections(ctx: click.Context, *, as_json: bool) -> int:
    read = resolve_file(ctx, None, PoolView())
    refuse_errors(read.errors)
    names = [e.section for e in read.effective]
    emit_json({"sections": names}) if as_json else click.echo(f"{read.file}: good")
    return Exit.DONE


@command.command("show")
@sections_option
@inventory_option
@compat_option
@json_option
@click.pass_context
def show(
    ctx: click.Context, file: Path | None, inventory: Path | None, compat: str, as_json: bool
) -> int:
    """Show what the dataset sections come to for each dataset.

    \b
    Examples:
      zrep config show --config /etc/sanoid/sanoid.conf --inventory pool.json --json
      zfs list -Hp -o name,creation | zrep config show --config new.toml --inventory -
    """
    from zrep.report.effective import effective_json, render_effective

    read = resolve_file(ctx, file, read_pool(inventory), Compat(compat))
    if as_json:
        emit_json(effective_json(read.effective, read.errors))
        return Exit.CONFIG if read.errors else Exit.DONE
    refuse_errors(read.errors)
    click.echo(render_effective(read.effective))
    return Exit.DONE


@command.command("convert")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write it to this new file.")
@click.option("--force", is_flag=True, help="Write what sanoid makes of values that are refused.")
def convert(file: Path, output: Path | None, force: bool) -> int:
    """Write a sanoid.conf as TOML: the same meaning and order, with all comments.

    \b
    Examples:
      zrep config convert /etc/sanoid/sanoid.conf
      zrep config convert sanoid.conf --output datasets.toml
    """
    from zrep.config.load_sections import convert_file

    text, remarks = convert_file(file, force=force)
    for remark in remarks:
        click.echo(f"note: {remark}", err=True)
    if output is None:
        click.echo(text, nl=False)
        return Exit.DONE
    try:
        with output.open("x") as new:
            new.write(text)
    except OSError as error:
        raise UsageError(f"{output} cannot be written", why=str(error.strerror)) from None
    return Exit.DONE
