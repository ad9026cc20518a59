"""Backups that can be brought back, without virtual machines: real capsules in a mount namespace,
the real rsync over pipes, a simulated pool whose snapshots and clones are copies of folders, and a
swarm that is a few small programs.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.contract.capsule_world import CapsuleWorld, capsule_world
from tests.contract.sync_world import HOST, ROOT, FolderZfs, PipeSite, PipeTarget, folders
from zrep.capsule.render import render_source_conf
from zrep.model.housekeeping import Housekeeping
from zrep.model.key import SourceKey
from zrep.model.names import DatasetName, SnapClass, SnapshotName
from zrep.model.policy import Policy
from zrep.model.source import Address, BackupSet, Config, Service, Target

SESSIONS = DatasetName("backup/sessions")
ARM = "/usr/libexec/zrep/zrep-arm"
WEB, MAIL = SourceKey(HOST, "web"), SourceKey(HOST, "mail")

# A service is a file "COUNT PATH"; as long as COUNT is not 0 one container of it writes to PATH.
_DOCKER = """#!/bin/sh
W={folder}
[ "$1 $2" = '-H unix:///var/run/docker.sock' ] || exit 99
shift 2
echo "$*" >> $W/calls
[ ! -e $W/down ] || {{ echo 'Cannot connect to the Docker daemon' >&2; exit 1; }}
for last; do :; done
case "$1 $2" in
    'info --format') [ -e $W/worker ] && echo false || echo true ;;
    'ps -q')
        for file in $W/services/*; do
            read -r count path < $file
            [ "$count" = 0 ] || echo ${{file##*/}}
        done
        ;;
    'inspect --format')
        shift 3
        for id; do
            read -r count path < $W/services/$id
            echo "/$id.1 $path"
            echo
        done
        ;;
    'service inspect')
        [ -e $W/services/$last ] || {{ echo "no such service: $last" >&2; exit 1; }}
        [ -e $W/global-$last ] && echo global || cut -d ' ' -f 1 $W/services/$last
        ;;
    'service scale')
        name=${{last%=*}}
        read -r count path < $W/services/$name
        [ ! -e $W/refuse-$name ] || {{ echo "cannot scale $name" >&2; exit 1; }}
        echo "${{last#*=}} $path" > $W/services/$name
        ;;
    'service ps')
        [ ! -e $W/stubborn-$last ] || echo 'Running 3 minutes ago'
        read -r count path < $W/services/$last
        while [ "$count" -gt 0 ]; do
            echo 'Running 5 seconds ago'
            count=$((count - 1))
        done
        ;;
    *) exit 98 ;;
esac
"""

_SYSTEMCTL = """#!/bin/sh
W={folder}
echo "systemctl $*" >> $W/calls
case $1 in
    is-active) [ ! -e $W/down ] || exit 3 ;;
    stop) touch $W/down ;;
    start) [ -e /etc/systemd/system/docker.service.d/zrep-restore.conf ] || rm -f $W/down ;;
    daemon-reload) ;;
    *) exit 98 ;;
esac
"""


class CopyZfs(FolderZfs):
    """A FolderZfs whose snapshots and clones are copies."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.copies = folder.with_name("copies")
        self.sessions = folder.with_name("sessions")
        self.create(SESSIONS, {"mountpoint": str(self.sessions), "canmount": "off"})

    def place(self, dataset: DatasetName) -> Path:
        if dataset.is_below(SESSIONS):
            return self.sessions / dataset.relative_to(SESSIONS)
        return super().place(dataset)

    def snapshot(self, names: Sequence[SnapshotName], properties: Mapping[str, str]) -> None:
        super().snapshot(names, properties)
        for name in names:
            copy_tree(self.place(name.dataset), self.copies / str(name))

    def clone(
        self, snapshot: SnapshotName, dataset: DatasetName, properties: Mapping[str, str]
    ) -> None:
        super().clone(snapshot, dataset, properties)
        copy_tree(self.copies / str(snapshot), self.place(dataset))

    def destroy(self, dataset: DatasetName) -> None:
        super().destroy(dataset)
        shutil.rmtree(self.place(dataset))


def copy_tree(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(("cp", "-a", "-T", str(source), str(to)), check=True)


@dataclass
class TwoWayTarget(PipeTarget):
    """What writes reaches the write capsule, what reads the read capsule."""

    write_shell: Path = Path("/nowhere")

    def bulk_argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        words = super().bulk_argv(argv)
        if "::" not in argv[-1]:
            return words
        at = words.index("-e") + 1
        return (*words[:at], str(self.write_shell), *words[at + 1 :])


class RestoreSite(PipeSite):
    """A PipeSite that can be restored to; its services are files below `swarm`."""

    def __init__(self, config: Config, world: CapsuleWorld, tmp: Path) -> None:
        super().__init__(config, world, tmp)
        self.swarm = tmp / "swarm"
        self.pool = CopyZfs(tmp / "copied" / "pool")
        shell = tmp / "write-shell"
        words = " ".join(world.argv(("/usr/libexec/zrep/capsule-rsync-write",)))
        shell.write_text(f"#!/bin/sh\nexec {words}\n")
        shell.chmod(0o755)
        self.pipe = TwoWayTarget(shell=self.pipe.shell, write_shell=shell)

    def live(self, key: SourceKey) -> Path:
        return self.world.source / key.name

    def counts(self) -> dict[str, int]:
        files = sorted((self.swarm / "services").iterdir())
        return {file.name: int(file.read_text().split()[0]) for file in files}

    def calls(self) -> list[str]:
        return (self.swarm / "calls").read_text().splitlines()

    def set_fault(self, name: str) -> None:
        (self.swarm / name).touch()

    def clear_fault(self, name: str) -> None:
        (self.swarm / name).unlink()

    def arm(self, *words: str) -> None:
        done = self.world.run(ARM, *(words or ("--all",)))
        assert done.returncode == 0, done.stderr


def contents(top: Path) -> dict[str, str]:
    files = (p for p in top.rglob("*") if p.is_file() and not p.is_symlink())
    return {str(p.relative_to(top)): p.read_text() for p in sorted(files)}


@contextmanager
def restore_site(tmp: Path) -> Iterator[RestoreSite]:
    """Two sources with three services: `web` (folders a, b) and `mail`; nothing is armed."""
    with capsule_world(tmp) as world:
        _install_swarm(world, tmp)
        sources = folders(world, "web", "mail")
        for folder in ("a", "b"):
            (world.source / "web" / folder).mkdir()
        config = _config(tmp, BackupSet(name="platform", sources=sources))
        conf = tmp / "etc/zrep/source.conf"
        conf.write_text(render_source_conf(config, HOST))
        conf.chmod(0o644)
        yield RestoreSite(config, world, tmp)


def _config(tmp: Path, backup_set: BackupSet) -> Config:
    policy = Policy(name="p", keep={SnapClass.HOURLY: 24})
    services = (
        Service(name="first", source=WEB, paths=("a",), swarm=("first_web", "first_db")),
        Service(name="second", source=WEB, paths=("b",), swarm=("second",)),
        Service(name="post", source=MAIL, paths=("box", "etc"), swarm=("post",)),
    )
    return Config(
        target=Target(dataset=ROOT, policy=policy, address=None),
        hosts={HOST: Address(host=HOST)},
        sets={backup_set.name: backup_set},
        replicas={},
        services={service.name: service for service in services},
        keeping=Housekeeping(state_dir=str(tmp / "state"), run_dir=str(tmp / "run")),
        deployment="prod",
    )


def _install_swarm(world: CapsuleWorld, tmp: Path) -> None:
    swarm = tmp / "swarm"
    for folder in ("services", "bin"):
        (swarm / folder).mkdir(parents=True)
    src = world.source
    running = {"first_web": (2, "web/a"), "first_db": (1, "web/a"), "second": (3, "web/b")}
    for name, (count, path) in {**running, "post": (1, "mail/box")}.items():
        (swarm / "services" / name).write_text(f"{count} {src / path}\n")
    for name, text in {"docker": _DOCKER, "systemctl": _SYSTEMCTL}.items():
        (swarm / "bin" / name).write_text(text.format(folder=swarm))
        (swarm / "bin" / name).chmod(0o755)
    (swarm / "var").mkdir()
    for here, there in (("bin", "/usr/sbin"), ("var", "/var/lib")):
        assert world.run("mount", "--bind", str(swarm / here), there).returncode == 0


def without(site: RestoreSite, name: str) -> None:
    """The same site without that service: its containers are unknown to zrep."""
    left = {n: s for n, s in site.config.services.items() if n != name}
    site.config = replace(site.config, services=left)
