"""What the shell offers at TAB: ids, sources, services, replicas and sessions that exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from zrep.engine.site import Site

Complete = Callable[[click.Context, click.Parameter, str], list[str]]
DEFAULT_CONFIG = "/etc/zrep/zrep.toml"


def _from_site(names: Callable[[Site], Iterable[str]]) -> Complete:
    """The names that begin with what is typed; errors are swallowed.

    Here alone: whoever presses TAB has a half-written line before him, into which a message would
    be printed, and the command itself will say the same in full.
    """

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
        from zrep.cli.common import shipped
        from zrep.config import load
        from zrep.engine.site import open_site

        try:
            path = Path(ctx.find_root().params.get("config_path") or DEFAULT_CONFIG)
            config = load(path, policy_dirs=(path.parent / "policies", shipped("policies")))
            with open_site(config) as site:
                return [name for name in names(site) if name.startswith(incomplete)]
        except Exception:  # noqa: BLE001 - see above
            return []

    return complete


def _ids(site: Site) -> Iterable[str]:
    from zrep.engine.observe import backups_at

    return ["latest", *(str(b.id) for b in backups_at(site.target, site.root))]


def _sessions(site: Site) -> Iterable[str]:
    from zrep.engine.mount import list_sessions

    return [s.name for s in list_sessions(site.target, site.sessions_root)]


def _sources(site: Site) -> Iterable[str]:
    """Of the configuration: the pool need not be asked."""
    return sorted({str(s.key) for x in site.config.sets.values() for s in x.sources})


backup_ids = _from_site(_ids)
sessions = _from_site(_sessions)
sources = _from_site(_sources)
services = _from_site(lambda site: sorted(site.config.services))
sets = _from_site(lambda site: sorted(site.config.sets))
deployments = _from_site(lambda site: sorted(site.config.elsewhere))
replicas = _from_site(lambda site: sorted(site.config.replicas))
jobs = _from_site(lambda site: sorted({*site.config.sets, *site.config.replicas}))

replica_option = click.option(
    "--from",
    "replica",
    metavar="REPLICA",
    shell_complete=replicas,
    help="On that replica instead of the target.",
)
source_option = click.option(
    "--source",
    metavar="HOST/SOURCE",
    shell_complete=sources,
    help="Only this source.",
)
