"""A machine with a pool and people who are not root: real sudo, the real gate, a simulated zfs.

All of it in a mount namespace with an /etc, a /run, an /opt and a /usr/local/sbin of its own.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.contract.capsule_world import RUN, CapsuleWorld, capsule_world
from tests.contract.fakes.zfs_pool import play
from zrep.model.backup import Manifest, SourceRecord, State, encode_manifest
from zrep.model.housekeeping import DOOMED
from zrep.model.key import SourceKey
from zrep.model.names import DatasetName
from zrep.model.source import Consistency
from zrep.zfs import argv

CODE = Path(__file__).parents[2]
SUDO_LIBRARIES = Path("/usr/libexec/sudo")
DOOMED_RUN = "20260101_030405"
PEOPLE = {"alice": 64711, "bob": 64712, "carol": 64713}
ROOT = DatasetName("backup/current")
KEYS = tuple(SourceKey("manager-1", name) for name in ("docker", "mail"))
CONFIG = """\
[target]
dataset = "backup/current"
policy = "production"

[deployment.lab]
hosts = { manager-1 = "127.0.0.9" }

[replica.offsite]
host = "127.0.0.8"
dataset = "tank/prod"

[set.platform.source.docker]
host = "manager-1"
method = "dir"
path = "/docker"

[set.platform.source.mail]
host = "manager-1"
method = "dir"
path = "/srv/mail"
"""
SUDOERS = (
    "Defaults env_reset\nDefaults use_pty\nroot ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n"
)
PROGRAM = """#!/bin/sh
exec /opt/base/bin/{python} -I -c 'import runpy, sys
sys.path[:0] = ["/opt/code", "/opt/site"]
sys.argv[:1] = {first}
runpy.run_module("{module}", run_name="__main__", alter_sys=True)' "$@"
"""
SETUP = """
set -eu
mount -t tmpfs -o mode=755 none /opt
mkdir /opt/base /opt/site /opt/code
mount --bind "$1" /opt/base
mount --bind "$2" /opt/site
mount --bind "$3" /opt/code
mount -t tmpfs -o mode=755 none /usr/local/sbin
mount -t tmpfs -o mode=755 none /var/lib
rm -r /usr/libexec/zrep
cp "$4/zfs" "$4/zrep" /usr/local/sbin
[ ! -d "$4/sudo" ] || cp -r "$4/sudo" /usr/libexec/sudo
cp "$4/pool" /run/pool
mkdir -p /run/zrep /var/lib/zrep/runs /var/lib/zrep/restores /var/lib/zrep/drills /etc/zrep/keys
chmod 750 /var/lib/zrep/*
chmod 700 /etc/zrep/keys
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorWorld:
    """`inside` is the machine."""

    inside: CapsuleWorld

    def by(self, login: str, *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
        """What that person gets to see; `env` is all of the environment besides a PATH."""
        uid = str(PEOPLE.get(login, 0))
        become = ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--init-groups")
        words = (f"{key}={value}" for key, value in env.items())
        path = "PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        return self.inside.run(*become, "env", "-i", path, *words, *argv)

    def zrep(self, login: str, *words: str) -> subprocess.CompletedProcess[str]:
        return self.by(login, "zrep", *words)

    def install(self, *who: str) -> subprocess.CompletedProcess[str]:
        """As an administrator would: rendered, then installed as root."""
        out = self.inside.tmp / "operators"
        shutil.rmtree(out, ignore_errors=True)
        done = self.zrep("root", "capsule", "operators", *who, "--out", str(out))
        assert done.returncode == 0, done.stderr
        return self.inside.run(str(out / "install-source"), str(out))

    def pool(self) -> str:
        """The commands that have changed it."""
        return self.inside.run("cat", "/run/pool").stdout


@contextmanager
def operator_world(tmp: Path) -> Iterator[OperatorWorld]:
    _write_programs(tmp)
    (tmp / "pool").write_text(play([words[1:] for words in _backups()]))
    if SUDO_LIBRARIES.is_dir():
        shutil.copytree(SUDO_LIBRARIES, tmp / "sudo")
    with capsule_world(tmp) as inside:
        _write_etc(tmp / "etc")
        folders = (sys.base_prefix, sysconfig.get_path("purelib"), str(CODE), str(tmp))
        done = inside.run("sh", "-c", SETUP, "sh", *folders)
        assert done.returncode == 0, done.stderr
        yield OperatorWorld(inside=inside)


def _write_programs(tmp: Path) -> None:
    python = Path(sys.executable).resolve().name
    for name, module, first in (
        ("zfs", "tests.contract.fakes.zfs_pool", ["zfs", "/run/pool"]),
        ("zrep", "zrep", ["zrep"]),
    ):
        text = PROGRAM.format(python=python, module=module, first=str(first).replace("'", '"'))
        (tmp / name).write_text(text)
        (tmp / name).chmod(0o755)


def _write_etc(etc: Path) -> None:
    for name in ("pam.d", "security"):
        if Path("/etc", name).is_dir():
            shutil.copytree(Path("/etc", name), etc / name)
    (etc / "sudoers.d").mkdir(mode=0o750)
    (etc / "sudoers").write_text(SUDOERS)
    (etc / "sudoers").chmod(0o440)
    (etc / "hosts").write_text(f"127.0.0.1 localhost {Path('/etc/hostname').read_text()}")
    (etc / "zrep/zrep.toml").write_text(CONFIG)
    _write_people(etc)


def _write_people(etc: Path) -> None:
    """carol is in the group lookers; all have an account and no password."""
    lines = {
        "passwd": [f"{name}:x:{uid}:{uid}::/:/bin/sh" for name, uid in PEOPLE.items()],
        "shadow": [f"{name}:*:20000:0:99999:7:::" for name in ("root", *PEOPLE)],
        "group": [
            *(f"{name}:x:{uid}:" for name, uid in PEOPLE.items()),
            "lookers:x:64720:carol",
        ],
    }
    for name, added in lines.items():
        path = etc / name
        before = path.read_text() if path.exists() else ""
        path.write_text("".join((before, *(f"{line}\n" for line in added))))


def _backups() -> Iterator[tuple[str, ...]]:
    """What there is: two backups of both sources, of which the older waits for its end."""
    children = [ROOT / str(key) for key in KEYS]
    for dataset in (ROOT, ROOT / "manager-1", *children):
        yield argv.create_argv(dataset, {}, mount=True)
    manifest = Manifest(
        set_name="platform",
        state=State.COMPLETE,
        consistency=Consistency.NODE,
        sources=tuple(SourceRecord(key=key, ok=True) for key in KEYS),
    )
    for run, marks in ((DOOMED_RUN, {DOOMED: "1700000000"}), (RUN, {})):
        names = [child.at(f"zrep_{run}_hourly") for child in children]
        yield argv.snapshot_argv(names, {**encode_manifest(manifest), **marks})
