"""How much of a source may be gone from one backup to the next before a person is asked."""

from __future__ import annotations

from zrep.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What may go without asking.

    `count` files or `percent` of the last good backup's, whichever is more; and `shrink` per cent
    of its bytes.
    """

    count: int = 100
    percent: int = 25
    shrink: int = 50

    def deletions(self, files: int) -> int:
        """How many of `files` files may be deleted."""
        return max(self.count, files * self.percent // 100)
