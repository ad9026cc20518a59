"""The table of nodes: data only. A new row is a new machine at the next build.

All machines have the same hardware (qemu.py), since all continue from one booted machine: a
processor, 1 GiB, a system disk, and two blank disks of 8 GiB, vdb and vdc.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A writer: a swarm service that keeps a ledger in `folder` of the node it is bound to."""

    name: str
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One machine.

    `setup` are scripts of guest/ with arguments, run in this order; `checks` are arguments of
    guest/healthy.sh. Nodes with the same `swarm` form one: its `manager` founds it, others join.
    """

    name: str
    address: str
    setup: tuple[tuple[str, ...], ...] = ()
    checks: tuple[str, ...] = ()
    swarm: str = ""
    manager: bool = False
    services: tuple[Service, ...] = ()


def manager(name: str, address: str, *, swarm: str) -> NodeSpec:
    """A docker swarm manager with services on a gluster volume, and mail on a thin LV."""
    volumes = "/docker/var/volumes"
    return NodeSpec(
        name=name,
        address=address,
        setup=(
            ("thin.sh",),
            ("docker.sh",),
            ("gluster.sh",),
            ("tree.sh", f"{volumes}/wordpress_web/files", "200"),
            ("tree.sh", f"{volumes}/wordpress_db/files", "40"),
            ("tree.sh", "/docker/etc/wordpress", "10"),
            ("tree.sh", "/srv/mail/files", "150"),
        ),
        checks=("mount=/docker", "mount=/srv/mail"),
        swarm=swarm,
        manager=True,
        services=(
            Service(name="wordpress_web", folder=f"{volumes}/wordpress_web"),
            Service(name="wordpress_db", folder=f"{volumes}/wordpress_db"),
            Service(name="mail", folder="/srv/mail"),
        ),
    )


def database_host(name: str, address: str, *, swarm: str) -> NodeSpec:
    """A docker swarm worker with a database on a thick LV."""
    folder = "/docker_local/var/volumes/cassandra"
    return NodeSpec(
        name=name,
        address=address,
        setup=(("thick.sh",), ("docker.sh",), ("tree.sh", f"{folder}/files", "300")),
        checks=("mount=/docker_local",),
        swarm=swarm,
        services=(Service(name="cassandra", folder=folder),),
    )


TEMPLATE = NodeSpec(name="template", address="10.77.0.254")
NODES = (
    manager("manager-1", "10.77.0.11", swarm="prod"),
    database_host("cassandra-1", "10.77.0.21", swarm="prod"),
    NodeSpec(
        name="target",
        address="10.77.0.2",
        setup=(("pool.sh", "backup"),),
        checks=("pool=backup",),
    ),
    NodeSpec(
        name="offsite",
        address="10.77.0.3",
        setup=(("pool.sh", "tank"),),
        checks=("pool=tank",),
    ),
    NodeSpec(name="director", address="10.77.0.1"),
    NodeSpec(name="solo", address="10.77.0.50"),
)


def hosts_file() -> str:
    """/etc/hosts of every node."""
    rows = "".join(f"{spec.address} {spec.name}\n" for spec in NODES)
    return f"127.0.0.1 localhost\n::1 localhost\n{rows}"
