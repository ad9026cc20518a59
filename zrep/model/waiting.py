"""What a run found gone of a source, and what waits for a person's consent since."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from zrep.frozen import dataclass

# Set on a source's dataset while what its last run found waits for a person's consent.
GUARD = "io.zrep:guard"
NOTHING_WAITS = "-"


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
