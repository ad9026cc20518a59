"""How much of a source may be gone from one backup to the next before a person is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

# Set on a source's dataset while what its last run found waits for a person's consent.
GUARD = "io.zrep:guard"
NOTHING_WAITS = "-"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What run `run` would have made of a source: `deletes` files gone, `files` and `size` left."""

    run: str
    deletes: int
    files: int
    size: int


def encode_waiting(waiting: Waiting) -> str:
    return json.dumps(asdict(waiting), separators=(",", ":"))


def decode_waiting(properties: Mapping[str, str]) -> Waiting | None:
    """What waits at a dataset with these properties; what cannot be read counts as nothing.

    Consent given to nothing accepts nothing: a spoilt property makes the guard stricter.
    """
    try:
        words = json.loads(properties.get(GUARD, NOTHING_WAITS))
        return Waiting(
            run=str(words["run"]),
            deletes=int(words["deletes"]),
            files=int(words["files"]),
            size=int(words["size"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
