"""What the commands about policies read: sections, and a pool: the real one or a drawn one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zrep.cli.common import shipped
from zrep.cli.moments import read_zone
from zrep.errors import ConfigError
from zrep.frozen import dataclass
from zrep.model.pool_view import PoolView
from zrep.model.sanoid import Compat
from zrep.planner.effective import Effective

if TYPE_CHECKING:
    from zrep.config.sections import Sections
    from zrep.engine.pools import Pools
    from zrep.model.housekeeping import Brake

sections_option = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    help="A sanoid.conf, a TOML file with [dataset] tables, or a policy file.",
)
inventory_option = click.option(
    "--inventory",
    type=click.Path(path_type=Path),
    help="The pool: JSON, or what `zfs list -Hp -o name,creation` prints; - is standard input.",
)


def _brake(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Brake | None:
    from zrep.config.housekeeping import brake
    from zrep.config.values import Wrong

    if value is None:
        return None
    try:
        return brake(int(value) if value.isascii() and value.isdigit() else value)
    except Wrong as wrong:
        raise click.BadParameter(str(wrong)) from None


brake_option = click.option(
    "--max-destroy",
    callback=_brake,
    metavar="N|N%",
    help="The most snapshots that this run may destroy, instead of the configured max_destroy.",
)
compat_option = click.option(
    "--compat",
    type=click.Choice([c.value for c in Compat]),
    default=Compat.DEFAULT.value,
    show_default=True,
    help="bug-for-bug takes every value as sanoid does, for comparing with it.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The settings in force by one file, or the errors for which there are none."""

    file: str
    effective: tuple[Effective, ...]
    errors: tuple[str, ...]


def live_pools(
    ctx: click.Context,
    file: Path | None,
    tz: str | None = None,
    *,
    max_destroy: Brake | None = None,
) -> Pools:
    """The pools of this machine that the sections speak of; ConfigError when they cannot stand."""
    from zrep.engine.pools import open_pools

    read_zone(tz)
    sections = read_sections(ctx, file, roots=())
    refuse_errors(tuple(map(str, sections.problems)))
    if not sections.paths:
        refuse_errors((f"{sections.file}: has no section for any dataset",))

    def settings(pool: PoolView) -> Sequence[Effective]:
        resolved = resolve_sections(sections, pool)
        refuse_errors(resolved.errors)
        return resolved.effective

    keeping = sections.keeping
    if max_destroy is not None:
        keeping = replace(keeping, brake=max_destroy)
    return open_pools(sections.paths, settings, keeping, tz)


def live_view(ctx: click.Context, files: Sequence[Path | None]) -> PoolView:
    """The pools of this machine that the files speak of; the first may be the configuration."""
    from zrep.engine.pools import open_pools

    wanted = [file for i, file in enumerate(files) if file is not None or i == 0]
    paths = [path for file in wanted for path in read_sections(ctx, file, roots=()).paths]
    return open_pools(paths).view()


def refuse_errors(errors: tuple[str, ...]) -> None:
    """ConfigError with all of them when there are any."""
    if errors:
        raise ConfigError(errors, next_step="correct these; nothing is taken or destroyed before")


def read_pool(inventory: Path | None) -> PoolView:
    """The pool in the file, or on standard input; without a file one without datasets."""
    from zrep.config.pool_file import load_pool

    if inventory is None:
        return PoolView()
    if str(inventory) == "-":
        return load_pool(None, sys.stdin.read())
    return load_pool(inventory)


def config_path(ctx: click.Context, file: Path | None) -> Path:
    """The file named by the command, or the configuration."""
    return file or Path(ctx.find_root().obj["config"])


def read_sections(
    ctx: click.Context,
    file: Path | None,
    compat: Compat = Compat.DEFAULT,
    *,
    roots: Sequence[str] = ("tank",),
) -> Sections:
    """The sections of the file, not resolved yet; `roots` are what a policy file stands for."""
    from zrep.config.load_sections import load_sections

    path = config_path(ctx, file)
    dirs = (path.parent / "policies", shipped("policies"))
    return load_sections(path, policy_dirs=dirs, compat=compat, roots=roots)


def resolve_file(
    ctx: click.Context,
    file: Path | None,
    pool: PoolView,
    compat: Compat = Compat.DEFAULT,
    *,
    remark: bool = True,
) -> Resolved:
    """What the file's sections come to on this pool; remarks about it go to stderr."""
    roots = [d for d in pool.datasets if d.rpartition("/")[0] not in pool.datasets] or ["tank"]
    sections = read_sections(ctx, file, compat, roots=roots)
    return resolve_sections(sections, pool, compat, remark=remark)


def resolve_sections(
    sections: Sections,
    pool: PoolView,
    compat: Compat = Compat.DEFAULT,
    *,
    remark: bool = True,
) -> Resolved:
    """What the sections come to on this pool; remarks about it go to stderr."""
    from zrep.planner.effective import resolve

    path = sections.file
    if sections.problems:
        return Resolved(file=path, effective=(), errors=tuple(map(str, sections.problems)))
    found = resolve(sections.sections, pool.children, compat)
    errors = sorted(sections.placed(f) for f in found.refused)
    remarks = [sections.placed(f) for f in found.findings if not f.refused]
    remarks += sections.absent(pool.datasets) if pool.datasets and not errors else []
    for text in sorted((*sections.remarks, *remarks)) if remark else ():
        click.echo(f"note: {text}", err=True)
    return Resolved(
        file=path,
        effective=() if errors else found.effective,
        errors=tuple(map(str, errors)),
    )
