"""Which machines the configuration speaks of, and what each of them is to zrep. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zrep.capsule.render import Roles
from zrep.errors import ConfigError, UnknownName
from zrep.frozen import dataclass
from zrep.model.source import Address, Config

TARGET = "target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One place to log in to. `names` are what it is called: logical hosts, target, replicas."""

    names: tuple[str, ...]
    address: Address
    roles: Roles

    @property
    def name(self) -> str:
        return self.names[0]


def find_machines(config: Config) -> tuple[Machine, ...]:
    """Every machine that needs files of ours; one that plays several parts is one machine.

    ConfigError when one would have to play two that exclude each other.
    """
    parts: dict[Address, list[tuple[str, str]]] = {}
    for part, name, address in _parts(config):
        parts.setdefault(address, []).append((part, name))
    return tuple(_machine(address, found) for address, found in parts.items())


def _parts(config: Config) -> Iterator[tuple[str, str, Address]]:
    sets = config.sets.values()
    for host in sorted({h for s in sets for h in (*s.hosts, *s.paused_hosts)}):
        yield "source", host, config.hosts[host]
    if config.target.address:
        yield "target", TARGET, config.target.address
    for name, replica in sorted(config.replicas.items()):
        if replica.address:
            yield "replica", name, replica.address


def _machine(address: Address, parts: Sequence[tuple[str, str]]) -> Machine:
    names = {part: [n for p, n in parts if p == part] for part, _ in parts}
    if doubled := [f"{part}s {', '.join(n)}" for part, n in names.items() if len(n) > 1]:
        raise ConfigError(
            tuple(f"{address} is {d}: one machine can be only one of them" for d in doubled)
        )
    try:
        roles = Roles(
            source=names.get("source", [None])[0],
            target="target" in names,
            replica=names.get("replica", [None])[0],
        )
    except ValueError as error:
        raise ConfigError((f"{address}: {error}",)) from error
    return Machine(names=tuple(n for _, n in parts), address=address, roles=roles)


def pick_machines(machines: Sequence[Machine], names: Sequence[str]) -> tuple[Machine, ...]:
    """Those called by any of `names`, all of them without names; UnknownName."""
    known = sorted({n for m in machines for n in m.names})
    for name in names:
        if name not in known:
            raise UnknownName(f"no host {name!r}", why=f"configured: {', '.join(known) or 'none'}")
    return tuple(m for m in machines if not names or {*m.names} & {*names})
