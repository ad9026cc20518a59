"""A pool as a policy sees it: names and creation times, drawn by hand or read from ZFS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from types import MappingProxyType
from typing import NamedTuple

from zrep.frozen import dataclass
from zrep.model.inventory import Inventory


class Taken(NamedTuple):
    """A snapshot by its name after the `@`; `creation` in epoch seconds."""

    snap: str
    creation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """Datasets in the order of `zfs list`, snapshots of each oldest first.

    `held` are full names of snapshots that cannot be destroyed (held, cloned). `capacities` says
    how full pools are, in per cent, and `capacity` how full all others.
    """

    datasets: tuple[str, ...] = ()
    snapshots: Mapping[str, Sequence[Taken]] = field(default_factory=dict, hash=False)
    held: frozenset[str] = frozenset()
    capacity: int = 0
    capacities: Mapping[str, int] = field(default_factory=dict, hash=False)

    def capacity_of(self, dataset: str) -> int:
        """How full the dataset's pool is, in per cent."""
        return self.capacities.get(dataset.partition("/")[0], self.capacity)

    def children(self, dataset: str) -> list[str]:
        """All datasets below, in order, without the dataset itself."""
        prefix = f"{dataset}/"
        return [d for d in self.datasets if d.startswith(prefix)]


def draw_pool(
    datasets: Sequence[str],
    snapshots: Sequence[tuple[str, int]] = (),
    *,
    held: Sequence[str] = (),
    capacity: int = 0,
) -> PoolView:
    """`snapshots` are (`dataset@snap`, creation); those of one second keep their order."""
    found: dict[str, list[Taken]] = {}
    for name, creation in snapshots:
        dataset, _, snap = name.partition("@")
        found.setdefault(dataset, []).append(Taken(snap, creation))
    for taken in found.values():
        taken.sort(key=lambda t: t.creation)
    return PoolView(
        datasets=tuple(datasets), snapshots=found, held=frozenset(held), capacity=capacity
    )


def view_inventory(
    inventory: Inventory, *, capacities: Mapping[str, int] = MappingProxyType({})
) -> PoolView:
    """What ZFS has; a hold or a clone of a snapshot makes it held."""
    stuck = (s.name for s in inventory.snapshots() if s.userrefs or s.clones)
    return PoolView(
        datasets=tuple(str(d.name) for d in inventory),
        snapshots={
            str(d.name): [Taken(s.name.snap, s.creation) for s in d.snapshots] for d in inventory
        },
        held=frozenset(map(str, stuck)),
        capacities=capacities,
    )
