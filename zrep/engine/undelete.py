"""Taking back marks: of a snapshot by its full name, of a whole backup by its id."""

from __future__ import annotations

from collections.abc import Sequence

from zrep.engine.destroy import unmark
from zrep.errors import UnknownName
from zrep.frozen import dataclass
from zrep.model.housekeeping import doomed_since
from zrep.model.inventory import Inventory, Snapshot
from zrep.zfs.port import Zfs

KEEP_TAG = "zrep:keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """One place where marked snapshots may be."""

    zfs: Zfs
    inventory: Inventory

    @property
    def waiting(self) -> tuple[Snapshot, ...]:
        marked = (s for s in self.inventory.snapshots() if doomed_since(s.properties) is not None)
        return tuple(sorted(marked, key=lambda s: (s.creation, s.name)))


def undelete(trees: Sequence[Tree], names: Sequence[str], *, keep: bool) -> tuple[Snapshot, ...]:
    """What was spared, held as well when `keep`; UnknownName when a name fits nothing marked."""
    chosen = [(tree, [s for s in tree.waiting if _is_meant(s, names)]) for tree in trees]
    found = tuple(s for _, some in chosen for s in some)
    for name in names:
        if not any(_is_meant(s, (name,)) for s in found):
            raise UnknownName(
                f"no marked snapshot or backup {name!r}",
                next_step="zrep undelete lists what is marked",
            )
    for tree, some in chosen:
        if keep:
            tree.zfs.hold([s.name for s in some], KEEP_TAG)
        unmark(tree.zfs, some)
    return found


def _is_meant(snapshot: Snapshot, names: Sequence[str]) -> bool:
    label = snapshot.label
    return str(snapshot.name) in names or (label is not None and str(label.id) in names)
