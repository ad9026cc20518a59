"""The deletion guard: is what a transfer would make of a source still within its allowance? Pure.

It is asked before anything is deleted, and once more with the totals of what was done.
"""

from __future__ import annotations

from zrep.frozen import dataclass
from zrep.model.backup import SourceRecord
from zrep.model.guard import Allowance
from zrep.model.waiting import Waiting

# Below this a source may shrink as it likes.
SMALL = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`deletes` files would be deleted here; the source has `files`, `size` bytes."""

    deletes: int
    files: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One source's allowance, its `last` good backup, and what a person has `accepted`."""

    allowance: Allowance
    last: SourceRecord | None = None
    accepted: Waiting | None = None

    @property
    def deletions(self) -> int:
        """How many files may be deleted; what was accepted comes on top."""
        if self.accepted:
            return self.accepted.deletes + self.allowance.deletions(self.accepted.files)
        return self.allowance.deletions(self.last.files if self.last else 0)

    def excess(self, change: Change) -> str:
        """Why a person must be asked, in words; empty when nobody need be."""
        if change.deletes > self.deletions:
            return f"{change.deletes} files would be deleted, {self.deletions} may be"
        reference = self.accepted or self.last
        if reference is None:
            return ""
        if change.files <= 1 < reference.files:
            return f"the source is empty; the last good backup has {reference.files} files"
        least = reference.size * (100 - self.allowance.shrink) // 100
        if change.size < least and reference.size - change.size > SMALL:
            return f"{change.size} bytes are left of {reference.size} in the last good backup"
        return ""
