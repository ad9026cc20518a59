"""How a recovery sheet speaks of hosts: a shell variable for each, set once at its top. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Self

from zrep.frozen import dataclass
from zrep.model.source import Address, Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """`variables` by logical host; no two are the same."""

    addresses: Mapping[str, Address] = field(hash=False)
    variables: Mapping[str, str] = field(hash=False)

    @classmethod
    def of(cls, config: Config) -> Self:
        variables: dict[str, str] = {}
        for name in sorted(config.hosts):
            plain = "H_" + "".join(c.upper() if c.isalnum() else "_" for c in name)
            taken = sum(v == plain or v.startswith(f"{plain}__") for v in variables.values())
            variables[name] = f"{plain}__{taken + 1}" if taken else plain
        return cls(addresses=config.hosts, variables=variables)

    def assignments(self) -> Iterator[str]:
        for name, variable in self.variables.items():
            yield f"{variable}={shlex.quote(self.addresses[name].host)}   # {name}"

    def shell(self, name: str) -> str:
        """rsync's -e."""
        return shlex.quote(f"ssh -p {self.addresses[name].port}")

    def ssh(self, name: str, *command: str) -> str:
        """A command of constant words, run there; the remote shell reads it once more."""
        return self.ssh_text(name, shlex.join(command))

    def ssh_text(self, name: str, command: str) -> str:
        port = self.addresses[name].port
        return f'ssh -n -p {port} "root@${self.variables[name]}" {shlex.quote(command)}'

    def remote(self, name: str, path: str) -> str:
        """rsync's name of a path there."""
        variable = f"${self.variables[name]}"
        host = f"[{variable}]" if ":" in self.addresses[name].host else variable
        return f'"root@{host}:"{shlex.quote(path)}'
