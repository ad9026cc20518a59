"""How the engine tells what it is doing; the command line decides how that looks."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """May be called from several threads at once."""

    def step(self, text: str) -> None:
        """Something begins or was done."""
        ...

    def moved(self, what: str, done: int, total: int | None) -> None:
        """`done` of `total` bytes of `what` have moved; called often."""
        ...

    def warn(self, text: str) -> None:
        """Something the operator should know although the run goes on."""
        ...


class Silent:
    """Says nothing."""

    def step(self, text: str) -> None: ...

    def moved(self, what: str, done: int, total: int | None) -> None: ...

    def warn(self, text: str) -> None: ...
