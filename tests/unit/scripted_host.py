"""A Host whose programs print what was written down for them, by the first words of their argv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from zrep.errors import CommandFailed
from zrep.host.port import Completed


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    stdout: str = ""
    stderr: str = ""
    returncode: int = 0


@dataclass
class ScriptedHost:
    """`script` is by beginning of the command line; `asked` is every command that was run."""

    script: Mapping[str, Says] = field(default_factory=dict)
    name: str = "here"
    asked: list[str] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        timeout: float = 60.0,
        ok: Sequence[int] = (0,),
    ) -> Completed:
        assert stdin is None
        assert timeout > 0
        line = " ".join(argv)
        self.asked.append(line)
        (said,) = [says for begin, says in self.script.items() if line.startswith(begin)]
        if said.returncode not in ok:
            raise CommandFailed(tuple(argv), said.returncode, said.stderr, where=self.name)
        return Completed(
            argv=tuple(argv),
            returncode=said.returncode,
            stdout=said.stdout,
            stderr=said.stderr,
        )

    def bulk_argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        return tuple(argv)

    def close(self) -> None:
        """Nothing is open."""
