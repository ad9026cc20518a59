"""The host zrep runs on."""

from __future__ import annotations

from collections.abc import Sequence

from zrep.frozen import dataclass
from zrep.host.port import Completed
from zrep.host.process import HERE, run


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalHost:
    """Implements zrep.host.port.Host without any connection."""

    name: str = HERE

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        timeout: float = 60.0,
        ok: Sequence[int] = (0,),
    ) -> Completed:
        return run(argv, stdin=stdin, timeout=timeout, ok=ok, where=self.name)

    def bulk_argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        return tuple(argv)

    def close(self) -> None:
        """Nothing to drop."""
