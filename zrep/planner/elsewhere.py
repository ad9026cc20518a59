"""Restoring into another deployment: the configuration as that one sees it, and what must match.

Nothing that is made from here on knows an address of the deployment that the backups are of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from zrep.errors import Refused, UnknownName
from zrep.model.backup import Backup
from zrep.model.key import SourceKey
from zrep.model.source import BackupSet, Config, Deployment

_NUMBER = re.compile(r"\d+$")


def seen_from(config: Config, name: str) -> Config:
    """The same platform on the hosts of deployment `name`, and no other deployment's addresses.

    Sources of hosts that it does not have are left out. UnknownName.
    """
    if name == config.deployment:
        return replace(config, elsewhere={})
    if name not in config.elsewhere:
        known = ", ".join(sorted({config.deployment, *config.elsewhere} - {""}))
        raise UnknownName(
            f"no deployment {name!r}",
            why=f"configured: {known or 'none'}",
            next_step=f"add [deployment.{name}]",
        )
    there = config.elsewhere[name]
    sets = {s.name: _set_on(s, there.hosts) for s in config.sets.values()}
    return replace(
        config,
        hosts=there.hosts,
        sets={n: s for n, s in sets.items() if s.hosts or s.paused_hosts},
        deployment=name,
        elsewhere={},
        meaning="",
        text="",
        origin=config.deployment,
        scrub=there.scrub,
        scrub_time=there.scrub_time,
    )


def _set_on(backup_set: BackupSet, hosts: Mapping[str, object]) -> BackupSet:
    quiesce = backup_set.quiesce
    return replace(
        backup_set,
        sources=tuple(s for s in backup_set.sources if s.key.host in hosts),
        quiesce=replace(quiesce, hosts=tuple(h for h in quiesce.hosts if h in hosts)),
    )


def destination_of(config: Config, name: str) -> Config:
    """As `seen_from`, for restoring into it: Refused unless it takes data of ours."""
    there: Deployment | None = config.elsewhere.get(name)
    if there is not None and config.deployment not in there.accepts:
        raise Refused(
            f"deployment {name} takes no data of {config.deployment}",
            why="its allow_restore_from does not name it",
            next_step=f'to allow it: allow_restore_from = ["{config.deployment}"] '
            f"in [deployment.{name}]",
        )
    return seen_from(config, name)


def check_topology(
    config: Config, backup: Backup, wanted: Sequence[SourceKey], *, clusters: bool
) -> None:
    """Refused, with all that does not match, unless everything `wanted` has its place.

    `config` is as `destination_of` makes it; `clusters`: their members take part.
    """
    uneven = _uneven(config, backup, wanted) if clusters else ()
    problems = [*_missing(config, wanted), *uneven]
    if problems:
        raise Refused(
            f"{config.deployment} is not built as the backup of {config.origin} is",
            where=f"backup {backup.id}",
            why="; ".join(problems),
            next_step=f"correct [deployment.{config.deployment}], or name with --source what "
            "has its place there",
        )


def _missing(config: Config, wanted: Sequence[SourceKey]) -> Iterator[str]:
    for host in sorted({key.host for key in wanted} - set(config.hosts)):
        keys = ", ".join(str(key) for key in sorted(wanted) if key.host == host)
        yield f"it has no {host}, to which {keys} belongs"


def _uneven(config: Config, backup: Backup, wanted: Sequence[SourceKey]) -> Iterator[str]:
    """Members of a cluster share its data out among them: as many must take it as gave it."""
    for name, stem in sorted({(key.name, _stem(key.host)) for key in wanted}):
        gave = {k.host for k in backup.keys if k.name == name and _stem(k.host) == stem}
        take = _members(config, name, stem, cluster=len(gave) > 1)
        if len(take) != len(gave) and (len(gave) > 1 or len(take) > 1):
            yield (
                f"source {name} is of {_listed(gave)} in the backup and would be of "
                f"{_listed(take)} there: a cluster needs as many members as it had"
            )


def _members(config: Config, name: str, stem: str, *, cluster: bool) -> set[str]:
    """The hosts there that have such a source; of a cluster all that are called like members."""
    known = {s.key.host for x in config.sets.values() for s in x.sources if s.key.name == name}
    return {h for h in config.hosts if _stem(h) == stem and (cluster or h in known)}


def _stem(host: str) -> str:
    return _NUMBER.sub("", host)


def _listed(hosts: set[str]) -> str:
    return f"{len(hosts)} ({', '.join(sorted(hosts))})" if hosts else "none"
