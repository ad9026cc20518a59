"""The audit against a real sshd, the real gate and read capsule, and keys as they are rendered;
and against keys that were weakened, which it must notice."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.contract.capsule_world import RUN, CapsuleWorld, can_unshare, capsule_world
from tests.contract.host_support import SSHD, free_port, make_key, wait_until
from zrep.capsule.audit import Finding, Trial
from zrep.capsule.machines import Machine
from zrep.capsule.render import PublicKey, Roles, render_authorized_keys
from zrep.engine.audit import MachineAudit, audit, status_of, trials_of
from zrep.engine.progress import Silent
from zrep.engine.site import Site
from zrep.errors import Exit
from zrep.model.names import DatasetName
from zrep.model.policy import Policy
from zrep.model.source import Address, Config, Ssh, Target
from zrep.report.capsules import audit_json, render_audit

pytestmark = pytest.mark.skipif(
    not can_unshare() or SSHD is None, reason="no mount namespaces or no sshd here"
)

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


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    tmp = tmp_path_factory.mktemp("audited")
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


def test_everything_is_refused_with_keys_as_rendered(host: Audited) -> None:
    host.accept(host.rendered())
    found = host.audit(every=5)
    assert found.problem == ""
    assert found.count(Finding.REFUSED) == len(found.results), render_audit([found])
    assert len(found.results) >= 50
    assert status_of([found]) is Exit.DONE
    assert f"{len(found.results)} refused, 0 allowed, 0 unproven" in render_audit([found])


def test_while_a_snapshot_is_prepared_reading_is_not_called_refused(host: Audited) -> None:
    host.accept(host.rendered())
    assert host.world.capsule("snapshot", f"run={RUN} set=platform").returncode == 0
    try:
        found = host.audit("no snapshot is prepared")
    finally:
        host.world.capsule("release")
    assert [r.finding for r in found.results] == [Finding.UNPROVEN]
    assert status_of([found]) is Exit.PARTIAL


GATE = "/usr/libexec/zrep/gate"
READ = "sudo -n /usr/libexec/zrep/capsule-rsync-read"
# What asks the gate first, and then does as it was told after all.
LENIENT = f"{GATE} </dev/null || eval $SSH_ORIGINAL_COMMAND"


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("restrict,", "restrict,pty,", "get a terminal"),
        ("restrict,", "restrict,port-forwarding,", "forward a port from here"),
        ("restrict,", "restrict,port-forwarding,", "forward a port from there"),
        ("restrict,", "", "get a terminal"),
        (GATE, LENIENT, "say 'id'"),
        (GATE, LENIENT, "say 'probe;id'"),
        (READ, f"{READ}; eval $SSH_ORIGINAL_COMMAND", "say id"),
        (READ, "eval $SSH_ORIGINAL_COMMAND", "say rsync --server --sender"),
        (f'command="{READ}"', 'command="internal-sftp"', "use sftp"),
    ],
)
def test_a_weakened_key_is_noticed(host: Audited, old: str, new: str, name: str) -> None:
    assert old in host.rendered()
    host.accept(host.rendered().replace(old, new))
    found = host.audit(name)
    assert found.problem == ""
    assert found.count(Finding.ALLOWED) >= 1, render_audit([found])
    assert status_of([found]) is Exit.REFUSED
    assert "ALLOWED" in render_audit([found])


def test_a_key_that_is_pasted_without_its_command_is_noticed(host: Audited) -> None:
    """It opens a shell, in which not even the probe is known."""
    bare = "".join(f"{line[line.index(' ssh-') + 1 :]}\n" for line in host.rendered().splitlines())
    host.accept(bare)
    found = host.audit("say 'id'")
    assert "could not be audited" in render_audit([found])
    assert status_of([found]) is Exit.PARTIAL


def test_a_host_that_does_not_answer_proves_nothing(host: Audited) -> None:
    host.accept("")
    found = host.audit("terminal")
    assert (found.results, found.problem != "") == ((), True)
    assert status_of([found]) is Exit.PARTIAL
    assert audit_json([found])[0]["problem"]


def test_without_the_read_key_here_its_trials_prove_nothing(host: Audited) -> None:
    host.accept(host.rendered())
    site = host.site()
    site.config = replace(site.config, ssh=replace(site.config.ssh, read_key="/nowhere/read"))
    (found,) = audit(site, [host.machine], Silent(), trials=lambda m: list(trials_of(m))[-3:])
    site.close()
    assert {r.finding for r in found.results} == {Finding.UNPROVEN}
