"""A CapsuleWorld that is reached by a real sshd: gate and capsules behind rendered keys."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.contract.capsule_world import CapsuleWorld, capsule_world
from tests.contract.host_support import SSHD, free_port, make_key, wait_until
from zrep.capsule.audit import Trial
from zrep.capsule.machines import Machine
from zrep.capsule.render import PublicKey, Roles, render_authorized_keys
from zrep.engine.audit import MachineAudit, audit, trials_of
from zrep.engine.progress import Silent
from zrep.engine.site import Site
from zrep.model.names import DatasetName
from zrep.model.policy import Policy
from zrep.model.source import Address, Config, Ssh, Target

SUDO = '#!/bin/sh\n[ "$1" = -n ] || exit 99\nshift\nexec "$@"\n'
CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
MaxStartups 100
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """A source host with sshd; `keys` are written as its authorized_keys."""

    world: CapsuleWorld
    folder: Path
    port: int

    def accept(self, text: str) -> None:
        (self.folder / "authorized_keys").write_text(text)

    def rendered(self) -> str:
        return render_authorized_keys(
            Roles(source="manager-1"), control=self.public("control"), read=self.public("read")
        )

    def public(self, name: str) -> PublicKey:
        line = (self.folder / f"{name}.pub").read_text()
        return PublicKey(line=" ".join(line.split()[:2]))

    @property
    def machine(self) -> Machine:
        address = Address(host="127.0.0.1", port=self.port)
        return Machine(names=("manager-1",), address=address, roles=Roles(source="manager-1"))

    def site(self) -> Site:
        ssh = Ssh(
            user="root",
            control_key=str(self.folder / "control"),
            read_key=str(self.folder / "read"),
            known_hosts=str(self.folder / "known_hosts"),
        )
        return Site(
            Config(
                target=Target(dataset=DatasetName("b/c"), policy=Policy(name="p", keep={})),
                hosts={"manager-1": self.machine.address},
                sets={},
                replicas={},
                services={},
                ssh=ssh,
            )
        )

    def logins(self) -> int:
        return (self.folder / "log").read_text("utf-8", "replace").count("Accepted publickey")

    def audit(self, *names: str, every: int = 1) -> MachineAudit:
        """The trials whose name contains one of `names`, or all; of the requests one in `every`."""

        def chosen(machine: Machine) -> Iterator[Trial]:
            for number, trial in enumerate(trials_of(machine)):
                wanted = not names or any(n in trial.name for n in names)
                if wanted and (number % every == 0 or not trial.name.startswith("say ")):
                    yield trial

        site = self.site()
        (found,) = audit(site, [self.machine], Silent(), trials=chosen)
        site.close()
        return found


@contextmanager
def sshd_world(tmp: Path) -> Iterator[Audited]:
    assert SSHD is not None
    shutil.copy(SSHD, tmp / "sshd")
    (tmp / "sudo").write_text(SUDO)
    (tmp / "sudo").chmod(0o755)
    for name in ("host", "control", "read"):
        make_key(tmp / name)
    with capsule_world(tmp) as world:
        world.run("mount", "--bind", str(tmp / "sudo"), "/usr/bin/sudo")
        world.run("mkdir", "/run/sshd")
        world.run("sh", "-c", "rm /usr/libexec/zrep/zrep-gate-*")
        world.configure("source platform data dir - SRC mounted=yes")
        made = Audited(world=world, folder=tmp, port=free_port())
        (tmp / "etc/shadow").write_text("root:*:20000::::::\n")
        (tmp / "sshd_config").write_text(CONFIG.format(port=made.port, folder=tmp))
        key = (tmp / "host.pub").read_text()
        (tmp / "known_hosts").write_text(f"[127.0.0.1]:{made.port} {key}")
        with serving(made):
            yield made


class serving:  # noqa: N801 - a context manager
    """sshd in the world's namespace."""

    def __init__(self, host: Audited) -> None:
        command = (
            str(host.folder / "sshd"),
            "-D",
            "-f",
            str(host.folder / "sshd_config"),
            "-E",
            str(host.folder / "log"),
        )
        self.process = subprocess.Popen(host.world.argv(command), stdin=subprocess.DEVNULL)
        wait_until(lambda: "listening" in log_of(host))

    def __enter__(self) -> None:
        """It listens."""

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=10)


def log_of(host: Audited) -> str:
    log = host.folder / "log"
    return log.read_text() if log.exists() else ""
