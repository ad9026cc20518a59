"""What monitoring reads of this machine's pools: only what is configured, one process a pool."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from zrep.host.local import LocalHost
from zrep.host.port import Host
from zrep.model.pool_status import PoolStatus
from zrep.model.pool_view import PoolView
from zrep.model.sanoid import RawSection
from zrep.zfs.creations import read_creations
from zrep.zfs.zpool import pool_capacities, read_fills, read_status

_REACHING = ("recursive", "skip_children")


def observe_sections(sections: Iterable[RawSection], host: Host | None = None) -> PoolView:
    """The datasets of the sections, with what is below them where a section reaches there.

    Datasets that do not exist are left out. ZfsError when `zfs` fails otherwise.
    """
    pools: dict[str, list[RawSection]] = defaultdict(list)
    for section in sections:
        if not section.is_template:
            pools[_path(section).partition("/")[0]].append(section)
    views = [
        read_creations(
            host or LocalHost(),
            map(_path, group),
            below=any(key in section.values for section in group for key in _REACHING),
        )
        for group in pools.values()
    ]
    return PoolView(
        datasets=tuple(d for view in views for d in view.datasets),
        snapshots={d: taken for view in views for d, taken in view.snapshots.items()},
    )


def observe_capacities(pools: Iterable[str], host: Host | None = None) -> Mapping[str, int]:
    """How full the pools are, in per cent; those that do not answer are left out."""
    return pool_capacities(host or LocalHost(), pools)


def observe_health(pools: Sequence[str], host: Host | None = None) -> Mapping[str, PoolStatus]:
    """The state of the pools; those that do not exist are left out. ZfsError, CommandTimeout."""
    where = host or LocalHost()
    fills = read_fills(where, pools)
    return {name: read_status(where, fill) for name, fill in fills.items()}


def _path(section: RawSection) -> str:
    return section.values.get("path") or section.name
