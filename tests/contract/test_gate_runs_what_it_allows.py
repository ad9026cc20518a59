"""The gate as a program: one spelling per request, a policy that is root's, transfers that end."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from zrep.capsule.gate_main import BROKEN, REFUSED, main, split_request
from zrep.capsule.gate_policy import Role, parse_policy
from zrep.engine.gate import expected_pull
from zrep.host.ssh_argv import SshEndpoint, remote_command

ENDPOINT = SshEndpoint(address="h", user="zrep", key_file="/k", known_hosts="/h", gated=True)
POLICY = '[target]\ndataset = "backup/current"\nsessions = "backup/sessions"\n'

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="the policy must belong to root")


@pytest.mark.parametrize(
    "argv", [("zfs", "version"), ("zfs", "set", "io.zrep:x=a b'c\"d$e", "p"), ("a", "")]
)
def test_a_request_spelled_by_our_ssh_is_understood(argv: tuple[str, ...]) -> None:
    assert split_request(remote_command(ENDPOINT, argv)) == argv


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "zfs  version", " zfs version", "zfs version ", "zfs 'version'", 'zfs "version"',
        "zfs\tversion", "zfs version\n", "zfs version; id", "zfs version & id", "zfs $(id)",
        "zfs `id`", "zfs version #x", "zfs 'version", "zfs version\\", "zfs ver\\sion",
        "zfs version | sh", "zfs version > /etc/x", "zfs *", "zfs ~", "zfs {a,b}",
    ],
)  # fmt: skip
def test_a_request_spelled_otherwise_is_not(text: str) -> None:
    assert split_request(text) is None


def ask(policy: Path, request: str, role: str = "target") -> int:
    return main(
        role,
        pull_argv=expected_pull,
        receiver=lambda allowed: allowed.argv,
        environ={"SSH_ORIGINAL_COMMAND": request},
        policy_file=policy,
        locks=policy.parent,
    )


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "gate.toml"
    path.write_text(POLICY)
    path.chmod(0o644)
    return path


@needs_root
@pytest.mark.parametrize("request_text", ["", "sh", "zfs list", "zfs destroy backup", "zfs 'x"])
def test_a_refusal_says_why_and_ends_with_126(
    policy: Path, request_text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ask(policy, request_text) == REFUSED
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("zrep gate: refused for role target: ")


@needs_root
@pytest.mark.parametrize("mode", [0o666, 0o664, 0o646])
def test_a_policy_that_others_can_write_is_not_used(policy: Path, mode: int) -> None:
    policy.chmod(mode)
    assert ask(policy, "zfs version") == BROKEN


@needs_root
@pytest.mark.parametrize("role", ["replica", "root", ""])
def test_a_role_without_a_policy_is_not_played(policy: Path, role: str) -> None:
    assert ask(policy, "zfs version", role) == BROKEN


@pytest.mark.parametrize(
    "text",
    [
        "[target]\n",
        "[target]\ndataset = 1\n",
        '[target]\ndataset = "a b"\n',
        '[target]\ndataset = "a"\nextra = 1\n',
        '[target]\ndataset = "a"\npulls = 1\n',
        '[target]\ndataset = "a"\npulls = [{ source = "x", address = "h" }]\n',
        '[target]\ndataset = "a"\npulls = [{ source = "x/y" }]\n',
        '[target]\ndataset = "a"\npulls = [{ source = "x/y", address = "h", port = 0 }]\n',
        '[target]\ndataset = "a"\nlogin = "zrep"\n',
        '[target]\ndataset = "a"\nlogin = { user = "zrep" }\n',
        'target = "x"\n',
        "[target\n",
    ],
)
def test_a_policy_with_an_error_is_no_policy(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_policy(text, Role.TARGET)


# A transfer is any program here: what counts is when it is ended, and by whom.
TRANSFER = """
import sys
from zrep.capsule.gate_main import ENVIRONMENT
from zrep.capsule.gate_transfer import run_while_asked
sys.exit(run_while_asked(tuple(sys.argv[2:]), int(sys.argv[1]), environment=ENVIRONMENT))
"""


class Transfer:
    """A run_while_asked in a process of its own, holding the lock `lock`."""

    def __init__(self, lock: Path, *argv: str) -> None:
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.process = subprocess.Popen(
                (sys.executable, "-c", TRANSFER, str(file.fileno()), *argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                pass_fds=(file.fileno(),),
                cwd=Path(__file__).parents[2],
            )
        assert self.process.stdout is not None
        self.child = int(self.process.stdout.readline())

    def hang_up(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()


@pytest.fixture
def transfer(tmp_path: Path) -> Iterator[Transfer]:
    made = Transfer(tmp_path / "lock", "sh", "-c", "echo $$; exec sleep 600")
    yield made
    made.process.kill()
    made.process.wait()


def is_locked(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_transfer_ends_when_the_director_hangs_up(transfer: Transfer, tmp_path: Path) -> None:
    assert is_locked(tmp_path / "lock")
    transfer.hang_up()
    assert transfer.process.wait(10) == 128 + signal.SIGTERM
    assert not Path(f"/proc/{transfer.child}").exists()
    assert not is_locked(tmp_path / "lock")


def test_a_transfer_ends_with_its_gate(transfer: Transfer) -> None:
    transfer.process.terminate()
    assert transfer.process.wait(10) == 128 + signal.SIGTERM
    assert not Path(f"/proc/{transfer.child}").exists()


def test_a_gate_that_is_killed_keeps_the_lock_until_the_transfer_ends(
    transfer: Transfer, tmp_path: Path
) -> None:
    """A second transfer into the dataset must not start beside the first."""
    transfer.process.kill()
    transfer.process.wait()
    assert is_locked(tmp_path / "lock")
    os.kill(transfer.child, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while is_locked(tmp_path / "lock"):
        assert time.monotonic() < deadline


@pytest.mark.parametrize("status", [0, 23, 255])
def test_the_status_of_the_transfer_is_the_gates(tmp_path: Path, status: int) -> None:
    made = Transfer(tmp_path / "lock", "sh", "-c", f"echo $$; exit {status}")
    assert made.process.wait(10) == status
