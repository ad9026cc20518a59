"""Rotating keys against a real sshd: whatever stops it, the key in use is accepted, and going on
ends it."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.capsule_world import can_unshare
from tests.contract.host_support import SSHD
from tests.contract.sshd_world import Audited, sshd_world
from zrep.capsule.bundle import Bundle
from zrep.capsule.machines import Machine
from zrep.capsule.render import AUTHORIZED_KEYS, render_source_conf
from zrep.engine import key_files, keys
from zrep.engine.keys import Rotation, rotate
from zrep.engine.progress import Silent
from zrep.errors import ConfigError, PartialResult, Refused, Unreachable, UsageError
from zrep.host.port import Completed
from zrep.model.key import SourceKey
from zrep.model.keys import KeyName, Phase, phase_of
from zrep.model.source import BackupSet, Config, Method, Source

pytestmark = pytest.mark.skipif(
    not can_unshare() or SSHD is None, reason="no mount namespaces or no sshd here"
)


class CrashError(RuntimeError):
    """What ends zrep in a test, in the place of kill -9."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    with sshd_world(tmp_path_factory.mktemp("rotated")) as made:
        yield made


@pytest.fixture
def config(host: Audited, tmp_path: Path) -> Config:
    """Fresh keys, accepted by the host."""
    source = Source(
        key=SourceKey("manager-1", "data"), method=Method.DIR, path=str(host.world.source)
    )
    plain = host.site().config
    ssh = replace(
        plain.ssh,
        control_key=str(tmp_path / "control"),
        read_key=str(tmp_path / "read"),
        restore_key=str(tmp_path / "restore"),
    )
    made = replace(plain, ssh=ssh, sets={"platform": BackupSet(name="platform", sources=(source,))})
    conf = host.folder / "etc/zrep/source.conf"
    conf.write_text(render_source_conf(made, "manager-1"))
    for name in (KeyName.CONTROL, KeyName.READ):
        key_files.make(key_files.key_file(made, name))
    keys._install(rotation(host, made, KeyName.CONTROL), None, Silent())
    return made


def rotation(
    host: Audited, config: Config, name: KeyName, *, before: Callable[[], None] = lambda: None
) -> Rotation:
    def carry(_: Machine, bundle: Bundle) -> Completed:
        """Only what rotation is about: who may log in."""
        before()
        with tarfile.open(fileobj=io.BytesIO(bundle.archive)) as tar:
            member = tar.extractfile(f"root{AUTHORIZED_KEYS}")
            assert member is not None
            host.accept(member.read().decode())
        return Completed(argv=(), returncode=0, stdout="", stderr="")

    return Rotation(
        config=config,
        key=key_files.key_file(config, name),
        machines=[host.machine],
        carry=carry,
    )


def accepted(host: Audited) -> set[str]:
    """The public halves in authorized_keys."""
    lines = (host.folder / "authorized_keys").read_text().splitlines()
    return {line[line.index("ssh-ed25519") :] for line in lines}


def line(config: Config, name: KeyName, suffix: str = "") -> str:
    return key_files.public_line(key_files.key_file(config, name).beside(suffix))


@pytest.mark.parametrize("name", [KeyName.CONTROL, KeyName.READ])
def test_afterwards_only_the_new_key_is_accepted(
    host: Audited, config: Config, name: KeyName
) -> None:
    before = {n: line(config, n) for n in (KeyName.CONTROL, KeyName.READ)}
    rotate(rotation(host, config, name), Silent())
    after = {n: line(config, n) for n in (KeyName.CONTROL, KeyName.READ)}
    assert {n for n in before if before[n] != after[n]} == {name}
    assert accepted(host) == set(after.values())
    path = key_files.key_file(config, name).path
    assert path.with_name(f"{path.name}.pub").read_text().startswith(after[name])
    assert {p.name for p in path.parent.iterdir() if p.name.startswith(path.name)} == {
        path.name,
        f"{path.name}.pub",
    }
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("name", "every"), [(KeyName.CONTROL, 4), (KeyName.READ, 2)])
def test_a_crash_before_any_change_of_a_file_locks_nobody_out(
    host: Audited, config: Config, name: KeyName, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended before its n-th step, for all n; then the key in use must be accepted."""
    for last in range(1, 40, every):
        with monkeypatch.context() as patch:
            steps = crash_at(last, patch)
            try:
                rotate(rotation(host, config, name, before=steps), Silent())
            except CrashError:
                pass
            else:
                break
        assert line(config, name) in accepted(host), f"step {last}"
        keys._try_all(rotation(host, config, name), Path(rotation_path(config, name)), Silent())
        rotate(rotation(host, config, name), Silent())
        assert accepted(host) == {line(config, n) for n in (KeyName.CONTROL, KeyName.READ)}
    assert last >= 6, "the crashes were meant to fall between the steps"


def rotation_path(config: Config, name: KeyName) -> str:
    return str(key_files.key_file(config, name).path)


def crash_at(last: int, patch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Every change of a key file and every installation counts as a step."""
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        if count == last:
            raise CrashError

    for name in ("replace", "hardlink_to", "unlink"):
        real = getattr(Path, name)

        def counted(*args: object, real: Callable[..., object] = real, **kwargs: object) -> object:
            step()
            return real(*args, **kwargs)

        patch.setattr(Path, name, counted)
    return step


def test_a_machine_that_is_not_reached_keeps_the_old_key_in_use(
    host: Audited, config: Config
) -> None:
    def unreachable() -> None:
        raise Unreachable("no connection", where="manager-1")

    before = line(config, KeyName.CONTROL)
    with pytest.raises(PartialResult, match="no connection"):
        rotate(rotation(host, config, KeyName.CONTROL, before=unreachable), Silent())
    assert line(config, KeyName.CONTROL) == before
    assert before in accepted(host)
    rotate(rotation(host, config, KeyName.CONTROL), Silent())
    assert before not in accepted(host)


def test_a_new_key_that_is_not_accepted_is_never_used(
    host: Audited, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine whose authorized_keys is written by somebody else as well."""
    before = line(config, KeyName.CONTROL)
    only_old = (host.folder / "authorized_keys").read_text()
    monkeypatch.setattr(Audited, "accept", lambda *_: None)
    with pytest.raises(PartialResult, match="login refused"):
        rotate(rotation(host, config, KeyName.CONTROL), Silent())
    assert line(config, KeyName.CONTROL) == before
    assert (host.folder / "authorized_keys").read_text() == only_old


def test_a_key_of_another_machine_stays_accepted_by_its_public_half(
    host: Audited, config: Config
) -> None:
    """The read key is on the target, when that is not the director."""
    read = line(config, KeyName.READ)
    Path(config.ssh.read_key).unlink()
    rotate(rotation(host, config, KeyName.CONTROL), Silent())
    assert read in accepted(host)
    Path(f"{config.ssh.read_key}.pub").unlink()
    with pytest.raises(UsageError, match="no read key here"):
        rotate(rotation(host, config, KeyName.CONTROL), Silent())
    assert read in accepted(host)


def test_a_key_that_exists_is_not_made_anew(config: Config) -> None:
    before = line(config, KeyName.CONTROL)
    with pytest.raises(Refused, match="exists"):
        key_files.make(key_files.key_file(config, KeyName.CONTROL))
    assert line(config, KeyName.CONTROL) == before


def test_a_key_that_is_not_there_is_not_rotated(host: Audited, config: Config) -> None:
    with pytest.raises(Refused, match="no restore key"):
        rotate(rotation(host, config, KeyName.RESTORE), Silent())


def test_fingerprints_are_those_of_ssh_keygen(config: Config) -> None:
    path = Path(config.ssh.control_key)
    said = subprocess.run(("ssh-keygen", "-lf", str(path)), capture_output=True, text=True).stdout  # noqa: PLW1510
    assert key_files.fingerprint(path) in said.split()


def test_a_file_that_is_no_key_is_an_error_with_its_name(config: Config) -> None:
    Path(config.ssh.control_key).write_text("no key")
    with pytest.raises(ConfigError, match="control"):
        key_files.public_line(Path(config.ssh.control_key))


@pytest.mark.parametrize(
    ("there", "phase"),
    [
        ((), Phase.MAKE),
        ((".next",), Phase.ADD),
        ((".next", ".old"), Phase.ADD),
        ((".old",), Phase.REMOVE),
    ],
)
def test_the_files_say_how_far_a_rotation_has_come(there: tuple[str, ...], phase: Phase) -> None:
    assert phase_of(there) is phase
