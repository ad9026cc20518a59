"""A platform of two docker hosts, and the commands of zrep on it: real capsules and the real rsync,
small programs in the places of docker and systemd, and a simulated pool whose datasets are folders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.contract.capsule_world import CapsuleWorld, WorldHost
from tests.contract.docker_world import DockerWorld, docker_world
from tests.contract.sync_world import HOST, ROOT, PipeSite, PipeTarget, Told, read_shell
from zrep.capsule.render import render_source_conf
from zrep.cli.main import run
from zrep.engine.journal import Journal
from zrep.engine.lock import exclusive
from zrep.engine.source_hosts import SourceHosts
from zrep.engine.sync import Run, SyncReport, plan_sync
from zrep.host.port import Host
from zrep.model.housekeeping import Housekeeping
from zrep.model.key import SourceKey
from zrep.model.names import SnapClass
from zrep.model.policy import Policy
from zrep.model.source import Address, BackupSet, Config, Method, Quiesce, Source, Target

FIRST, LAST = "cassandra-1", HOST
NAMES = (FIRST, LAST)
BEFORE = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
COMMANDS = ("docker", "list", "mount", "restore", "sessions", "sync")

Zrep = Callable[..., int]


class PlatformSite(PipeSite):
    """A Site of DockerWorlds, each with one source, `data`, and containers db.HOST and web.HOST."""

    def __init__(self, config: Config, worlds: Mapping[str, DockerWorld], tmp: Path) -> None:
        super().__init__(config, worlds[HOST], tmp)
        self.worlds = worlds
        self.pipe = PipeTarget(shell=_either_shell(worlds, tmp))

    def source_host(self, name: str) -> Host:
        return WorldHost(self.worlds[name], name)

    def copied(self, host: str) -> dict[str, str]:
        files = (self.pool.folder / host / "data").iterdir()
        return {file.name: file.read_text() for file in files}

    def paused(self) -> set[str]:
        return {name for world in self.worlds.values() for name in world.paused()}

    def prepared(self) -> list[str]:
        return [mount for world in self.worlds.values() for mount in world.mounts()]


def published(site: PipeSite) -> list[str]:
    """Every snapshot of the pool, whoever made it."""
    return sorted(str(s.name) for s in site.pool.inventory(ROOT).snapshots())


def back_up(site: PipeSite, moment: datetime = BEFORE) -> SyncReport:
    """One run that began at that moment: two runs of one second would have one id."""
    with exclusive(site.run_dir, "set-platform") as lock:
        plan = plan_sync(site, site.backup_set(None), now=moment)
        with Journal(site.state_dir, "sync-platform", str(plan.label.id)) as journal:
            hosts = SourceHosts(site, plan.set, str(plan.label.id), journal, Told())
            return Run(site, plan, hosts, lock).execute()


def commands(site: PipeSite, patch: pytest.MonkeyPatch) -> Zrep:
    """`zrep WORDS` and its exit status; in the place of a configuration file there is that site."""

    @contextmanager
    def opened(_: object) -> Iterator[PipeSite]:
        yield site

    patch.setattr("zrep.engine.site.open_site", opened)
    for name in COMMANDS:
        patch.setattr(f"zrep.cli.{name}_command.load_config", lambda _: site.config)
    return lambda *words: run(words)


@contextmanager
def platform_site(tmp: Path) -> Iterator[PlatformSite]:
    with ExitStack() as stack:
        worlds: dict[str, DockerWorld] = {}
        for name in NAMES:
            (tmp / name).mkdir()
            worlds[name] = stack.enter_context(docker_world(tmp / name))
            for service in ("db", "web"):
                worlds[name].set_container(f"{service}.{name}", "running")
            for number in range(3):
                (worlds[name].source / f"file{number}").write_text(f"{name} {number}")
        config = _config(tmp, worlds)
        for name, world in worlds.items():
            (world.tmp / "etc/zrep/source.conf").write_text(render_source_conf(config, name))
        yield PlatformSite(config, worlds, tmp)
        assert [world.violations() for world in worlds.values()] == ["", ""]


def _config(tmp: Path, worlds: Mapping[str, CapsuleWorld]) -> Config:
    sources = tuple(
        Source(key=SourceKey(name, "data"), method=Method.DIR, path=str(world.source))
        for name, world in worlds.items()
    )
    quiesce = Quiesce(docker=True, max_pause=30)
    policy = Policy(name="p", keep={SnapClass.HOURLY: 24})
    return Config(
        target=Target(dataset=ROOT, policy=policy, address=None),
        hosts={name: Address(host=name) for name in worlds},
        sets={"platform": BackupSet(name="platform", sources=sources, quiesce=quiesce)},
        replicas={},
        services={},
        keeping=Housekeeping(state_dir=str(tmp / "state"), run_dir=str(tmp / "run")),
    )


def _either_shell(worlds: Mapping[str, CapsuleWorld], tmp: Path) -> Path:
    """What rsync starts in the place of ssh: its first word is the host."""
    path = tmp / "either"
    cases = "".join(f"{n}) exec {read_shell(w, w.tmp)} ;;\n" for n, w in worlds.items())
    path.write_text(f"#!/bin/sh\ncase $1 in\n{cases}esac\nexit 255\n")
    path.chmod(0o755)
    return path
