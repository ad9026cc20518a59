"""Plain datasets on this machine: the pools that sections speak of, read with few processes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from zrep.errors import DatasetMissing
from zrep.frozen import dataclass
from zrep.host.local import LocalHost
from zrep.host.port import Host
from zrep.model.housekeeping import DOOMED, Housekeeping
from zrep.model.inventory import Dataset, Inventory
from zrep.model.names import DatasetName
from zrep.model.pool_view import PoolView, view_inventory
from zrep.model.sanoid import number
from zrep.planner.effective import Effective
from zrep.planner.simulate_policy import DatasetPlan, plan_datasets
from zrep.zfs.here import zfs_on
from zrep.zfs.port import Zfs
from zrep.zfs.zpool import pool_capacities

DEFAULT = Housekeeping()
Settings = Callable[[PoolView], Sequence[Effective]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What there is, and the settings that are in force for it."""

    inventory: Inventory
    view: PoolView
    effective: tuple[Effective, ...]

    def plans(self, now: int, timezone: str | None) -> list[DatasetPlan]:
        return plan_datasets(self.effective, self.view, now, timezone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """`paths` are the datasets that sections name; `settings` resolves the sections on a pool."""

    zfs: Zfs
    host: Host
    paths: tuple[str, ...]
    settings: Settings
    keeping: Housekeeping
    timezone: str | None = None

    @property
    def state_dir(self) -> Path:
        return Path(self.keeping.state_dir)

    @property
    def run_dir(self) -> Path:
        return Path(self.keeping.run_dir)

    def inventory(self) -> Inventory:
        """Everything at and below the sections' datasets; what does not exist is left out."""
        found = [d for root in common_roots(self.paths) for d in _tree(self.zfs, root)]
        return Inventory(tuple(sorted(found, key=lambda d: d.name)))

    def observe(self) -> Observed:
        inventory = self.inventory()
        view = view_inventory(inventory)
        effective = tuple(self.settings(view))
        if any(map(_defers, effective)):
            view = self.filled(view)
        return Observed(inventory=inventory, view=view, effective=effective)

    def view(self) -> PoolView:
        """What there is, and how full."""
        return self.filled(view_inventory(self.inventory()))

    def filled(self, view: PoolView) -> PoolView:
        """The same with how full its pools are."""
        names = sorted({dataset.partition("/")[0] for dataset in view.datasets})
        return replace(view, capacities=pool_capacities(self.host, names) if names else {})

    def stuck_by(self, inventory: Inventory, dataset: str) -> Mapping[str, tuple[str, ...]]:
        """What keeps each snapshot of the dataset from being destroyed: holds and clones."""
        found = inventory.get(DatasetName(dataset))
        snapshots = found.snapshots if found else ()
        held = [s.name for s in snapshots if s.userrefs]
        tags = self.zfs.holds(held) if held else {}
        return {
            str(s.name): (
                *(f"hold {tag}" for tag in sorted(tags.get(s.name, ()))),
                *(f"clone {clone}" for clone in s.clones),
            )
            for s in snapshots
            if s.userrefs or s.clones
        }


def open_pools(
    paths: Iterable[str],
    settings: Settings = lambda _: (),
    keeping: Housekeeping = DEFAULT,
    timezone: str | None = None,
) -> Pools:
    host = LocalHost()
    return Pools(
        zfs=zfs_on(host),
        host=host,
        paths=tuple(paths),
        settings=settings,
        keeping=keeping,
        timezone=timezone,
    )


def common_roots(paths: Iterable[str]) -> Iterator[DatasetName]:
    """For each pool the one dataset that has all its paths at or below it.

    tank/a/x, tank/a/y, data -> data, tank/a
    """
    by_pool: dict[str, list[list[str]]] = defaultdict(list)
    for path in paths:
        parts = path.split("/")
        by_pool[parts[0]].append(parts)
    for pool in sorted(by_pool):
        yield DatasetName("/".join(_common(by_pool[pool])))


def _common(all_parts: Sequence[Sequence[str]]) -> Sequence[str]:
    shortest = min(all_parts, key=len)
    differs = (i for i, p in enumerate(shortest) if any(parts[i] != p for parts in all_parts))
    return shortest[: next(differs, len(shortest))]


def _tree(zfs: Zfs, root: DatasetName) -> Iterable[Dataset]:
    try:
        return zfs.inventory(root, only=(DOOMED,))
    except DatasetMissing:
        return ()


def _defers(effective: Effective) -> bool:
    return number(effective.values.get("prune_defer", "")) > 0
