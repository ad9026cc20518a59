"""Deploying: the real receiving script and installer in a namespace, and the way there over ssh."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from tests.contract.capsule_world import CapsuleWorld, can_unshare, capsule_world
from tests.contract.host_support import SSHD, Sshd, running_sshd
from tests.contract.sync_world import HOST, PipeSite, Told, folders, pipe_site
from zrep.capsule.bundle import Bundle
from zrep.capsule.machines import Machine, find_machines
from zrep.capsule.render import PublicKey
from zrep.engine.deploy import Deployed, Keys, deploy, plan_deploy, status_of
from zrep.errors import CommandFailed, Exit, HostKeyRejected, HostOutdated, SourceFailed
from zrep.host.admin import AdminLogin, run_script
from zrep.host.port import Completed
from zrep.model.source import BackupSet
from zrep.report.capsules import render_deployed

pytestmark = pytest.mark.skipif(
    not can_unshare() or shutil.which("visudo") is None, reason="no namespaces or no visudo here"
)

SUDO_LIBRARIES = Path("/usr/libexec/sudo")
KEYS = Keys(
    control=PublicKey(line="ssh-ed25519 AAAAC3Nza control", allowed_from="10.0.0.2"),
    read=PublicKey(line="ssh-ed25519 AAAAC3Nzb read"),
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[CapsuleWorld]:
    """A host without anything of ours but sudo, whose libraries are where the world hides all."""
    shutil.copytree(SUDO_LIBRARIES, tmp_path / "sudo")
    with capsule_world(tmp_path) as made:
        made.run("cp", "-r", str(tmp_path / "sudo"), str(SUDO_LIBRARIES))
        made.run("mount", "-t", "tmpfs", "none", "/var/lib")
        made.run("rm", "-r", "/usr/libexec/zrep")
        made.run("mkdir", "-p", "/etc/sudoers.d")
        yield made


@pytest.fixture
def site(world: CapsuleWorld, tmp_path: Path) -> PipeSite:
    made = pipe_site(world, tmp_path, BackupSet(name="platform", sources=folders(world, "web")))
    (tmp_path / "etc/zrep/source.conf").unlink()
    return made


def into(world: CapsuleWorld, *, spoil: bool = False, script: str | None = None) -> object:
    """Carries like an ssh login of root; `spoil` loses the last bytes on the way."""

    def carry(machine: Machine, bundle: Bundle) -> Completed:
        argv = world.argv(("sh", "-c", script or bundle.script))
        archive = bundle.archive[:-600] if spoil else bundle.archive
        done = subprocess.run(argv, input=archive, capture_output=True, check=False, timeout=60)
        if done.returncode:
            raise CommandFailed(argv, done.returncode, done.stderr.decode(), where=machine.name)
        return Completed(
            argv=argv,
            returncode=0,
            stdout=done.stdout.decode(),
            stderr=done.stderr.decode(),
        )

    return carry


def run(site: PipeSite, carry: object) -> Deployed:
    plan = plan_deploy(site.config, find_machines(site.config), KEYS)
    (done,) = deploy(site, plan, carry, Told())  # type: ignore[arg-type]
    return done


def test_a_bare_host_answers_with_the_right_digests_afterwards(
    site: PipeSite, world: CapsuleWorld
) -> None:
    done = run(site, into(world))
    assert done.error is None
    assert status_of([done]) is Exit.DONE
    assert "installed /etc/sudoers.d/zrep" in done.changes
    assert "created user zrep" in done.changes
    mode = world.run("stat", "-c", "%U:%a", "/usr/libexec/zrep/gate", "/etc/sudoers.d/zrep")
    assert mode.stdout.split() == ["root:755", "root:440"]
    keys = world.run("cat", "/var/lib/zrep-operator/.ssh/authorized_keys").stdout
    assert keys.startswith('restrict,from="10.0.0.2",command="/usr/libexec/zrep/gate" ')


def test_a_second_time_changes_nothing_and_leaves_nothing_behind(
    site: PipeSite, world: CapsuleWorld
) -> None:
    run(site, into(world))
    done = run(site, into(world))
    assert (done.changes, done.error) == ((), None)
    assert "nothing to change, verified" in render_deployed([done])
    assert "zrep-deploy" not in world.run("ls", "/run").stdout


def test_what_arrives_incomplete_is_not_installed(site: PipeSite, world: CapsuleWorld) -> None:
    done = run(site, into(world, spoil=True))
    assert isinstance(done.error, SourceFailed)
    assert not world.exists("/usr/libexec/zrep/gate")
    assert "zrep-deploy" not in world.run("ls", "/run").stdout


def test_an_older_installation_is_replaced_and_verified(
    site: PipeSite, world: CapsuleWorld
) -> None:
    run(site, into(world))
    world.run("sh", "-c", "echo >>/usr/libexec/zrep/capsule-lib")
    done = run(site, into(world))
    assert done.changes == ("installed /usr/libexec/zrep/capsule-lib",)
    assert done.error is None


def test_an_installer_that_does_nothing_is_found_out(site: PipeSite, world: CapsuleWorld) -> None:
    """Success is what the host answers, not how the installer ended."""
    run(site, into(world))
    world.run("sh", "-c", "echo >>/usr/libexec/zrep/capsule-lib")
    done = run(site, into(world, script="cat >/dev/null"))
    assert isinstance(done.error, HostOutdated)
    assert status_of([done]) is Exit.CONFIG


def test_a_sudoers_fragment_that_visudo_refuses_stops_everything(
    site: PipeSite, world: CapsuleWorld
) -> None:
    bad = replace(site.config.ssh, user="a b")
    site.config = replace(site.config, ssh=bad)
    done = run(site, into(world))
    assert isinstance(done.error, SourceFailed)
    assert not world.exists("/etc/sudoers.d/zrep")
    assert not world.exists("/usr/libexec/zrep/gate")


def test_the_same_files_make_the_same_archive(site: PipeSite) -> None:
    first = plan_deploy(site.config, find_machines(site.config), KEYS)
    again = plan_deploy(site.config, find_machines(site.config), KEYS)
    assert first[0][1] == again[0][1]
    other = replace(KEYS, control=replace(KEYS.control, allowed_from="10.0.0.3"))
    changed = plan_deploy(site.config, find_machines(site.config), other)
    assert changed[0][1].digest != first[0][1].digest
    assert first[0][0].names == (HOST,)


# ---- the administrator's login ----------------------------------------------------------------


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if SSHD is None:
        pytest.skip("sshd is not installed (openssh-server)")
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


def login(sshd: Sshd, *, known: str | None = None) -> AdminLogin:
    endpoint = sshd.endpoint(known=known)
    return AdminLogin(
        user=endpoint.user, key_file=endpoint.key_file, known_hosts=endpoint.known_hosts
    )


def test_every_byte_reaches_the_script_over_the_real_ssh(sshd: Sshd) -> None:
    every = bytes(range(256)) * 40
    done = run_script(
        login(sshd),
        "127.0.0.1",
        sshd.port,
        script='set -eu\necho "it\'s" $(sha256sum)',
        stdin=every,
        where="far",
    )
    assert done.stdout == f"it's {sha256(every).hexdigest()} -\n"


def test_a_host_key_that_nobody_knows_is_refused(sshd: Sshd) -> None:
    with pytest.raises(HostKeyRejected):
        run_script(
            login(sshd, known=""), "127.0.0.1", sshd.port, script="true", stdin=b"", where="far"
        )


def test_a_script_that_fails_is_a_failed_command_with_its_words(sshd: Sshd) -> None:
    with pytest.raises(CommandFailed, match="no room"):
        run_script(
            login(sshd),
            "127.0.0.1",
            sshd.port,
            script="echo no room >&2; exit 3",
            stdin=b"",
            where="far",
        )
