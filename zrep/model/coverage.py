"""What containers write to and no source covers."""

from __future__ import annotations

from zrep.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Uncovered:
    """A path on a host that no source of any set contains; `users` are what writes to it."""

    host: str
    path: str
    users: tuple[str, ...]

    def __str__(self) -> str:
        users = f" ({', '.join(self.users)})" if self.users else ""
        return f"{self.host}:{self.path}{users}"
