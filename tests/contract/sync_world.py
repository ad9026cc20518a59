"""A whole run of zrep without virtual machines: real capsules in a mount namespace, real rsync over
a pipe in ssh's place, and a simulated pool whose datasets are folders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.contract.capsule_world import CapsuleWorld, WorldHost
from zrep.capsule.render import render_source_conf
from zrep.engine.progress import Silent
from zrep.engine.site import Site
from zrep.host.local import LocalHost
from zrep.host.port import Completed, Host
from zrep.model.housekeeping import Housekeeping
from zrep.model.key import SourceKey
from zrep.model.names import DatasetName, SnapClass
from zrep.model.policy import Policy
from zrep.model.source import Address, BackupSet, Config, Method, Source, Target
from zrep.planner.simulate.pool import new_pool
from zrep.zfs.fake import FakeZfs
from zrep.zfs.port import Zfs

ROOT = DatasetName("backup/current")
HOST = "manager-1"


class FolderZfs(FakeZfs):
    """A simulated pool; every dataset that is made is a folder below `folder` too."""

    def __init__(self, folder: Path) -> None:
        super().__init__(new_pool("backup"))
        self.folder = folder
        self.create(ROOT, {"mountpoint": str(folder)})

    def create(
        self, dataset: DatasetName, properties: Mapping[str, str], *, mount: bool = True
    ) -> None:
        super().create(dataset, properties, mount=mount)
        self.place(dataset).mkdir(parents=True, exist_ok=True)

    def place(self, dataset: DatasetName) -> Path:
        return self.folder if dataset == ROOT else self.folder / dataset.relative_to(ROOT)


@dataclass
class PipeTarget:
    """The target: whatever rsync would reach by ssh is the read capsule of the world."""

    shell: Path
    name: str = "target"
    said: list[tuple[str, ...]] = field(default_factory=list)
    before: Callable[[Sequence[str]], None] = lambda _: None

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        timeout: float = 60.0,
        ok: Sequence[int] = (0,),
    ) -> Completed:
        return LocalHost().run(argv, stdin=stdin, timeout=timeout, ok=ok)

    def bulk_argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        words = list(argv)
        words[words.index("-e") + 1] = str(self.shell)
        self.said.append(tuple(words))
        self.before(words)
        return tuple(words)

    def close(self) -> None:
        """Nothing is open."""


class PipeSite(Site):
    """A Site of one source host, HOST, that is a CapsuleWorld."""

    def __init__(self, config: Config, world: CapsuleWorld, tmp: Path) -> None:
        super().__init__(config)
        self.world = world
        self.pool = FolderZfs(tmp / "pool")
        self.pipe = PipeTarget(shell=read_shell(world, tmp))

    @property
    def target(self) -> Zfs:
        return self.pool

    @property
    def target_host(self) -> Host:
        return self.pipe

    def source_host(self, name: str) -> Host:
        return WorldHost(self.world, name)

    def passes(self) -> list[tuple[str, ...]]:
        """The rsyncs since the last call, each as what is not the same in all of them."""
        marks = ("--dry-run", "--max-delete", "--bwlimit")
        found = [tuple(w for w in said if w.startswith(marks)) for said in self.pipe.said]
        self.pipe.said.clear()
        return found


class Told(Silent):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def step(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.lines.append(f"warning: {text}")


def read_shell(world: CapsuleWorld, tmp: Path) -> Path:
    path = tmp / "shell"
    words = " ".join(world.argv(("/usr/libexec/zrep/capsule-rsync-read",)))
    path.write_text(f"#!/bin/sh\nexec {words}\n")
    path.chmod(0o755)
    return path


def folders(world: CapsuleWorld, *names: str) -> tuple[Source, ...]:
    """Sources of method dir, each a folder of the world's source path."""
    for name in names:
        (world.source / name).mkdir()
    return tuple(
        Source(key=SourceKey(HOST, n), method=Method.DIR, path=str(world.source / n)) for n in names
    )


def pipe_site(world: CapsuleWorld, tmp: Path, backup_set: BackupSet) -> PipeSite:
    """Set up as `zrep capsule deploy` would: the capsules, and source.conf as rendered."""
    config = Config(
        target=Target(
            dataset=ROOT, policy=Policy(name="p", keep={SnapClass.HOURLY: 24}), address=None
        ),
        hosts={HOST: Address(host=HOST)},
        sets={backup_set.name: backup_set},
        replicas={},
        services={},
        keeping=Housekeeping(state_dir=str(tmp / "state"), run_dir=str(tmp / "run")),
    )
    conf = world.tmp / "etc/zrep/source.conf"
    conf.write_text(render_source_conf(config, HOST))
    conf.chmod(0o644)
    return PipeSite(config, world, tmp)


def with_set(site: PipeSite, **changes: object) -> None:
    """The same site with a changed set; what is rendered for the host must stay the same."""
    (name,) = site.config.sets
    changed = replace(site.config.sets[name], **changes)  # type: ignore[arg-type]
    site.config = replace(site.config, sets={name: changed})


def web_and_mail(world: CapsuleWorld, tmp: Path) -> PipeSite:
    """A set of two folders: 300 small files, and one."""
    sources = folders(world, "web", "mail")
    for n in range(300):
        (world.source / "web" / f"f{n}").write_text(str(n))
    (world.source / "mail/inbox").write_text("dear")
    return pipe_site(world, tmp, BackupSet(name="platform", sources=sources))
