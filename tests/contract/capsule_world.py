"""A source host in a mount namespace: the real capsules at their real paths, real bind mounts.

/run, /etc and /usr/libexec are private to it, so nothing of this machine is changed.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zrep.errors import CommandFailed
from zrep.host.port import Completed

HOOKS = Path(__file__).parents[2] / "hooks"
RUN = "20260102_030405"
LATER = "20260102_040506"

_SETUP = """
set -eu
mount -t tmpfs none /run
mkdir -p "$1/etc/zrep" "$1/src"
for f in passwd group nsswitch.conf ld.so.cache; do
    [ ! -e /etc/$f ] || cp /etc/$f "$1/etc/$f"
done
mount --bind "$1/etc" /etc
mount -t tmpfs none /usr/libexec
cp -p -R "$2" /usr/libexec/zrep
mount --bind "$1/src" "$1/src"
echo ready
exec cat
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapsuleWorld:
    """`pid` holds the namespace; `tmp/src` is a mounted source path, `tmp/etc` its /etc."""

    pid: int
    tmp: Path

    @property
    def source(self) -> Path:
        return self.tmp / "src"

    def argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        user = () if os.getuid() == 0 else ("--user", "--preserve-credentials")
        return ("nsenter", f"--target={self.pid}", *user, "--mount", "--", *argv)

    def run(self, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(argv), input=stdin, capture_output=True, text=True, check=False, timeout=60
        )

    def capsule(self, verb: str, request: str = "") -> subprocess.CompletedProcess[str]:
        return self.run(f"/usr/libexec/zrep/capsule-{verb}", stdin=f"{request}\n")

    def configure(self, *lines: str) -> None:
        """Write source.conf; `SRC` stands for the source path."""
        text = "".join(f"{line}\n" for line in lines).replace("SRC", str(self.source))
        conf = self.tmp / "etc/zrep/source.conf"
        conf.write_text(text)
        conf.chmod(0o644)

    def mounts(self) -> list[str]:
        out = self.run("findmnt", "-rno", "TARGET").stdout.split()
        return sorted(path for path in out if path.startswith("/run/zrep/mnt/"))

    def exists(self, path: str) -> bool:
        return self.run("test", "-e", path).returncode == 0


class WorldHost:
    """The Host port onto the capsules of a CapsuleWorld, as the gate would start them."""

    def __init__(self, world: CapsuleWorld, name: str = "manager-1") -> None:
        self.world = world
        self.name = name

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        timeout: float = 60.0,  # noqa: ARG002 - the port's
        ok: Sequence[int] = (0,),
    ) -> Completed:
        assert stdin is None
        done = self.world.capsule(argv[0], " ".join(argv[1:]))
        if done.returncode not in ok:
            raise CommandFailed(tuple(argv), done.returncode, done.stderr, where=self.name)
        return Completed(
            argv=tuple(argv), returncode=done.returncode, stdout=done.stdout, stderr=done.stderr
        )

    def bulk_argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        return self.world.argv(argv)

    def close(self) -> None:
        """Nothing to drop."""


def can_unshare() -> bool:
    return subprocess.run((*_unshare(), "true"), capture_output=True, check=False).returncode == 0


def _unshare() -> tuple[str, ...]:
    return ("unshare", "--mount") if os.getuid() == 0 else ("unshare", "--map-root-user", "--mount")


@contextmanager
def capsule_world(tmp: Path) -> Iterator[CapsuleWorld]:
    with subprocess.Popen(
        (*_unshare(), "sh", "-c", _SETUP, "sh", str(tmp), str(HOOKS)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        yield CapsuleWorld(pid=holder.pid, tmp=tmp)
        assert holder.stdin is not None
        holder.stdin.close()
