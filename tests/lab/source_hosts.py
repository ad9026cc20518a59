"""Source hosts of the lab with the files rendered for a configuration; manager-1 has both keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.world import World
from tests.lab.test_capsules_in_lab import KEYS, Caller, endpoint
from zrep.capsule.install import load_hooks, write_tree
from zrep.capsule.render import PublicKey, Roles, render_host
from zrep.host.port import Completed
from zrep.host.ssh_argv import rsync_shell
from zrep.model.key import SourceKey
from zrep.model.names import DatasetName
from zrep.model.policy import Policy
from zrep.model.source import Address, BackupSet, Config, Source, Target
from zrep.source.capsules import Capsules
from zrep.source.rsync import RsyncPull, module_name, pull_argv

DIRECTOR = "manager-1"


@dataclass(frozen=True)
class SourceHosts:
    """The capsules of every host of the configuration, and rsync with the read key."""

    world: World

    def capsules(self, host: str) -> Capsules:
        return Capsules(Caller(self.world.node(DIRECTOR), host))

    def pull(self, key: SourceKey, run: str, to: str) -> Completed:
        argv = pull_argv(
            RsyncPull(
                host=key.host,
                module=module_name(key.name, run),
                destination=to,
                shell=rsync_shell(endpoint(key.host, "read")),
            )
        )
        node = self.world.node(DIRECTOR)
        node.run(["mkdir", "-p", to])
        done = node.run(argv, check=False, timeout=900)
        return Completed(
            argv=argv, returncode=done.returncode, stdout=done.stdout, stderr=done.stderr
        )


def configuration(*sources: Source) -> Config:
    """One set `platform` of these sources; hosts are called what the nodes are."""
    return Config(
        target=Target(dataset=DatasetName("backup/current"), policy=Policy(name="p", keep={})),
        hosts={s.key.host: Address(host=s.key.host) for s in sources},
        sets={"platform": BackupSet(name="platform", sources=sources)},
        replicas={},
        services={},
    )


def set_up(world: World, sources: Sequence[Source], tmp: Path) -> SourceHosts:
    """Clean nodes with rendered files installed, which trust keys that manager-1 makes."""
    config = configuration(*sources)
    names = sorted({DIRECTOR, *config.hosts})
    world.ensure_up(names, tied=True)
    for name in names:
        world.node(name).reset()
    director = world.node(DIRECTOR)
    director.run(f"mkdir -p -m 700 {KEYS}")
    keys = {}
    for key in ("control", "read"):
        director.run(f"ssh-keygen -q -t ed25519 -N '' -C {key} -f {KEYS}/{key}")
        keys[key] = PublicKey(line=director.run(f"cat {KEYS}/{key}.pub").stdout.strip())
    known = ""
    for name in config.hosts:
        words = world.node(name).run("cat /etc/ssh/ssh_host_ed25519_key.pub").stdout.split()
        known += f"{name} {words[0]} {words[1]}\n"
    director.push_bytes(known.encode(), f"{KEYS}/known_hosts")
    hooks = load_hooks()
    for name in config.hosts:
        files = render_host(
            config, Roles(source=name), hooks, control=keys["control"], read=keys["read"]
        )
        write_tree(files, tmp / name, hooks, user="zrep")
        world.node(name).push_tree(tmp, (name,), "/tmp/rendered")
        world.node(name).run(f"/tmp/rendered/{name}/install-source /tmp/rendered/{name}")
    return SourceHosts(world)
