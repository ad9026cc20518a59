"""Which nodes make up a world: the usual one, and one with a second platform beside the first.

Each is built when it is first asked for, and kept in the cache beside the other.
"""

from dataclasses import dataclass

from lab.errors import LabError
from lab.nodes import NODES, NodeSpec, database_host, hosts_file, manager


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Nodes on one LAN that are built and saved together."""

    name: str
    nodes: tuple[NodeSpec, ...]

    @property
    def key_words(self) -> tuple[str, ...]:
        """What the key of such a world says more than that of the usual one."""
        return () if self.name == USUAL.name else (self.name, repr(self.nodes))

    @property
    def hosts(self) -> str:
        """/etc/hosts of every node."""
        known = {spec.name for spec in NODES}
        more = (f"{s.address} {s.name}\n" for s in self.nodes if s.name not in known)
        return hosts_file() + "".join(more)

    def spec_of(self, name: str) -> NodeSpec:
        for spec in self.nodes:
            if spec.name == name:
                return spec
        there = ", ".join(spec.name for spec in self.nodes)
        raise LabError(f"no node is called {name}", hint=f"world {self.name} has {there}")


USUAL = Table(name="usual", nodes=NODES)
UAT = Table(
    name="uat",
    nodes=(
        *(spec for spec in NODES if spec.name not in {"director", "solo"}),
        manager("uat-manager-1", "10.77.0.111", swarm="uat"),
        database_host("uat-cassandra-1", "10.77.0.121", swarm="uat"),
    ),
)
TABLES = {table.name: table for table in (USUAL, UAT)}


def table_called(name: str) -> Table:
    if name not in TABLES:
        raise LabError(f"no world is called {name}", hint=f"there are {', '.join(TABLES)}")
    return TABLES[name]
