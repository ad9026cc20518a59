"""zrep undelete."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zrep.cli.common import emit_json, json_option, load_config
from zrep.cli.policy_input import config_path, live_pools, sections_option
from zrep.errors import Exit

if TYPE_CHECKING:
    from zrep.engine.undelete import Tree
    from zrep.model.inventory import Snapshot


@click.command("undelete")
@click.argument("names", nargs=-1, metavar="[SNAPSHOT|BACKUP]...")
@click.option("--keep", is_flag=True, help="Hold them too, so that they are never marked again.")
@sections_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, names: tuple[str, ...], keep: bool, file: Path | None, as_json: bool
) -> int:
    """Take back the marks of what waits for its end, or list it when nothing is named.

    A policy that still lets one go marks it again in the next run, and its grace period begins
    anew. With --keep it gets the hold `zrep:keep`, and stays until that is released.

    \b
    Examples:
      zrep undelete
      zrep undelete 20240501_103000
      zrep undelete tank/home@autosnap_2024-05-01_10:30:00_daily --keep
    """
    from zrep.engine.undelete import undelete

    with _trees(ctx, file) as trees:
        found = undelete(trees, names, keep=keep) if names else _waiting(trees)
    if as_json:
        emit_json([{"name": str(s.name), "since": _since(s)} for s in found])
    else:
        what = "spared" if names else "waits"
        lines = [f"{what} {s.name}, marked {_iso(_since(s))}" for s in found]
        click.echo("\n".join(lines) or "nothing is marked")
    return Exit.DONE


@contextmanager
def _trees(ctx: click.Context, file: Path | None) -> Iterator[list[Tree]]:
    """The target's tree and the pools of the sections, as far as the file speaks of them."""
    from zrep.config.load_sections import tables_in
    from zrep.engine.observe import observe_target
    from zrep.engine.site import open_site
    from zrep.engine.undelete import Tree

    tables = tables_in(config_path(ctx, file))
    trees = []
    if "dataset" in tables:
        pools = live_pools(ctx, file)
        trees.append(Tree(zfs=pools.zfs, inventory=pools.inventory()))
    if tables and "target" not in tables:
        yield trees
        return
    with open_site(load_config(ctx, file)) as site:
        inventory = observe_target(site.target, site.root)
        yield [*trees, Tree(zfs=site.target, inventory=inventory)]


def _waiting(trees: list[Tree]) -> list[Snapshot]:
    return [snapshot for tree in trees for snapshot in tree.waiting]


def _since(snapshot: Snapshot) -> int:
    from zrep.model.housekeeping import doomed_since

    return doomed_since(snapshot.properties) or 0


def _iso(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S}Z"
