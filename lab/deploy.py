"""Installs zrep on the lab's nodes: programs, keys, known hosts, configuration, capsules.

The order and the files are those of a real installation; only the transport is the lab's own
root login. `runner` is the node on which zrep runs, `target` the one with the pool.
"""

import io
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from lab.node import Node
from lab.world import World

ROOT = Path(__file__).resolve().parent.parent
TREES = ("zrep", "hooks", "policies")
HERE = "/opt/zrep"
# Emulated machines that share two processors with others take their time.
SLOW = 600.0
LAUNCHER = f"""#!/bin/sh
exec /usr/bin/python3 -I -c '
import sys
sys.path.insert(0, "{HERE}")
from zrep.__main__ import main
main()' "$@"
"""
VOLUMES = """
[set.platform.source.mail]
host = "manager-1"
method = "lvm"
volume = "vg_docker/tlv_mail"
path = "/srv/mail"

[set.platform.source.local]
hosts = ["cassandra-1"]
method = "lvm"
volume = "vg_docker_local/lv_docker_local"
path = "/docker_local"
"""

# Each volume of its own instant, and the Gluster volume as its files are met: what most tests need.
SOURCES = f"""
[set.platform.source.docker]
host = "manager-1"
method = "dir"
path = "/docker"
mounted = true
{VOLUMES}"""
# All volumes of one instant.
QUIESCED = f"""
[set.platform]
quiesce = {{ docker = true, max_pause = "60s" }}

[set.platform.source.docker]
host = "manager-1"
method = "gluster"
volume = "docker"
path = "/docker"
{VOLUMES}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Who plays which role. `sources` are logical host names, which are node names here.

    `platform` is the part of zrep.toml that says what is backed up.
    """

    runner: str = "target"
    target: str = "target"
    replica: str = "offsite"
    sources: tuple[str, ...] = ("manager-1", "cassandra-1")
    policy: str = "production"
    dataset: str = "backup/current"
    replica_dataset: str = "tank/platform"
    platform: str = SOURCES

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.runner, self.target, self.replica, *self.sources)))


def config_text(site: Site, *, extra: str = "") -> str:
    """The zrep.toml of this site."""
    hosts = ", ".join(f'{name} = "{name}"' for name in site.sources)
    remote = f'host = "{site.target}"\n' if site.runner != site.target else ""
    return f"""\
[target]
dataset = "{site.dataset}"
{remote}policy = "{site.policy}"

[deployment.lab]
hosts = {{ {hosts} }}
{site.platform}
[replica.{site.replica}]
host = "{site.replica}"
dataset = "{site.replica_dataset}"
policy = "offsite"
{extra}"""


def deploy(world: World, site: Site) -> None:
    """Everything a fresh world needs before the first `zrep sync`."""
    with ThreadPoolExecutor(len(site.nodes)) as pool:
        wait_for(pool.submit(_install_programs, world, site, name) for name in site.nodes)
        install_keys(world, site)
        install_config(world, site, config_text(site))
        _create_datasets(world, site)
        # While one node installs what was rendered for it, the next one's is rendered.
        rendered = ((name, render_role(world, site, role)) for name, role in _roles(site))
        wait_for(pool.submit(_install_rendered, world.node(n), files) for n, files in rendered)


def wait_for(jobs: Iterable[Future[None]]) -> None:
    """All of them are begun first; the first failure is raised when all have ended."""
    begun = list(jobs)
    wait(begun)
    for job in begun:
        job.result()


def _install_programs(world: World, site: Site, name: str) -> None:
    install_tree_sum(world, name)
    if name in {site.runner, site.target, site.replica}:
        install_program(world, name)


def _create_datasets(world: World, site: Site) -> None:
    world.node(site.target).run(
        f"zfs list -H {site.dataset} >/dev/null 2>&1 || "
        f"zfs create -p -o compression=gzip-7 -o atime=off -o xattr=sa -o acltype=posix "
        f"{site.dataset}"
    )
    world.node(site.replica).run(
        f"zfs list -H {site.replica_dataset} >/dev/null 2>&1 || "
        f"zfs create -p -o canmount=off -o readonly=on -o xattr=sa -o acltype=posix "
        f"{site.replica_dataset}"
    )


def _roles(site: Site) -> Iterator[tuple[str, str]]:
    """Which nodes get what from `zrep capsule render`, with its options."""
    for name in site.sources:
        yield name, f"--host {name}"
    yield site.replica, f"--replica {site.replica}"
    if site.target != site.runner:
        yield site.target, "--target"


def install_program(world: World, name: str) -> None:
    """The package trees under /opt/zrep, and the `zrep` command."""
    node = world.node(name)
    node.run(f"rm -rf {HERE}.new && mkdir -p {HERE}.new /usr/local/bin")
    node.push_bytes(_archive(TREES), f"{HERE}.new/zrep.tar")
    node.run(
        f"cd {HERE}.new && tar -xf zrep.tar && rm zrep.tar && chown -R root:root . && "
        f"rm -rf {HERE} && mv {HERE}.new {HERE}"
    )
    node.push_bytes(LAUNCHER.encode(), "/usr/local/bin/zrep")
    node.run("chmod 755 /usr/local/bin/zrep")


def install_tree_sum(world: World, name: str) -> None:
    """The program that proves copies."""
    node, path = world.node(name), "/usr/local/bin/tree-sum"
    node.push_bytes((ROOT / "lab/guest/tree-sum.sh").read_bytes(), path)
    node.run(f"chmod 755 {path}")


def _archive(trees: Iterable[str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for tree in trees:
            tar.add(ROOT / tree, arcname=tree, filter=_plain)
    return buffer.getvalue()


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in info.name else info


def install_keys(world: World, site: Site) -> None:
    """The control key on the runner, the read key on the target, known hosts on both."""
    _make_key(world, site.runner, "control")
    _make_key(world, site.target, "read")
    known = "".join(f"{n} {host_key(world, n)}\n" for n in site.nodes)
    for name in {site.runner, site.target}:
        world.node(name).push_bytes(known.encode(), "/etc/zrep/known_hosts")


def _make_key(world: World, name: str, key: str) -> None:
    path = f"/etc/zrep/keys/{key}"
    world.node(name).run(
        f"mkdir -p -m 700 /etc/zrep/keys && "
        f"{{ test -e {path} || ssh-keygen -q -t ed25519 -N '' -C zrep-{key} -f {path}; }}"
    )


def host_key(world: World, name: str) -> str:
    """`ssh-ed25519 AAAA...`, read on the node itself."""
    text = world.node(name).run("cat /etc/ssh/ssh_host_ed25519_key.pub").stdout
    return " ".join(text.split()[:2])


def public_key(world: World, name: str, key: str) -> str:
    return world.node(name).run(f"cat /etc/zrep/keys/{key}.pub").stdout


def install_config(world: World, site: Site, text: str) -> None:
    for name in {site.runner, site.target}:
        world.node(name).run("mkdir -p /etc/zrep")
        world.node(name).push_bytes(text.encode(), "/etc/zrep/zrep.toml")


def install_role(
    world: World, site: Site, name: str, role: str, *, keys: Iterable[str] = ("control", "read")
) -> None:
    """Render on the runner what `name` needs, carry it over, and install it there as root.

    `keys` are those that it is to accept.
    """
    _install_rendered(world.node(name), render_role(world, site, role, keys=keys))


def render_role(
    world: World, site: Site, role: str, *, keys: Iterable[str] = ("control", "read")
) -> bytes:
    """An archive of the files for one machine."""
    runner = world.node(site.runner)
    options = ""
    for key in keys:
        owner = site.runner if key == "control" else site.target
        runner.push_bytes(public_key(world, owner, key).encode(), f"/tmp/{key}.pub")
        options += f" --{key}-key /tmp/{key}.pub"
    runner.run(
        f"rm -rf /tmp/render && zrep capsule render {role}{options} --out /tmp/render && "
        "tar -C /tmp/render -cf /tmp/render.tar .",
        timeout=SLOW,
    )
    return runner.pull_bytes("/tmp/render.tar")


def _install_rendered(node: Node, files: bytes) -> None:
    node.push_bytes(files, "/tmp/rendered.tar")
    node.run(
        "rm -rf /tmp/rendered && mkdir /tmp/rendered && "
        "tar -C /tmp/rendered -xf /tmp/rendered.tar && /tmp/rendered/install-source /tmp/rendered",
        timeout=SLOW,
    )


def make_restore_key(world: World, site: Site) -> None:
    _make_key(world, site.target, "restore")
