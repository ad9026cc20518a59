"""Against a real sshd: the agent of whoever runs zrep opens nothing and goes nowhere, and a host's
key that nobody has entered is refused however often one tries."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.host_support import SSHD, Sshd, make_key, running_sshd, wait_until
from zrep.errors import AccessRefused, HostKeyRejected
from zrep.host.ssh_argv import SshEndpoint, ssh_argv
from zrep.host.ssh_failure import SSH_FAILED

pytestmark = pytest.mark.skipif(
    SSHD is None or shutil.which("ssh-agent") is None, reason="no sshd or no ssh-agent here"
)


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        make_key(server.folder / "stranger")
        yield server


@pytest.fixture
def agent(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An agent of the person's own, with the key that opens the host."""
    socket = tmp_path / "agent"
    argv = ("ssh-agent", "-D", "-a", str(socket))
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as process:
        wait_until(socket.exists)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        subprocess.run(
            ("ssh-add", "-q", str(sshd.folder / "user")), check=True, stdin=subprocess.DEVNULL
        )
        yield socket
        process.terminate()


def bulk(endpoint: SshEndpoint, *words: str) -> subprocess.CompletedProcess[str]:
    """The OpenSSH client, with all that is in our environment."""
    return subprocess.run(
        ssh_argv(endpoint, words),
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.usefixtures("agent")
def test_the_keys_of_an_agent_open_nothing(sshd: Sshd) -> None:
    endpoint = replace(sshd.endpoint(), key_file=str(sshd.folder / "stranger"))
    with sshd.host(endpoint) as host, pytest.raises(AccessRefused):
        host.run(("true",))
    assert bulk(endpoint, "true").returncode == SSH_FAILED


@pytest.mark.usefixtures("agent")
def test_an_agent_is_not_forwarded(sshd: Sshd) -> None:
    asked = 'echo "agent: $SSH_AUTH_SOCK"'
    with sshd.host() as host:
        assert host.run(("sh", "-c", asked)).stdout == "agent: \n"
    assert bulk(sshd.endpoint(), "sh", "-c", asked).stdout == "agent: \n"


def test_a_host_key_that_was_refused_is_refused_again_and_learnt_nowhere(sshd: Sshd) -> None:
    endpoint = sshd.endpoint(known="")
    own = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".ssh/known_hosts"
    before = own.read_bytes() if own.exists() else None
    for _ in range(2):
        with sshd.host(endpoint) as host, pytest.raises(HostKeyRejected):
            host.run(("true",))
        assert bulk(endpoint, "true").returncode == SSH_FAILED
    assert Path(endpoint.known_hosts).read_text() == ""
    assert (own.read_bytes() if own.exists() else None) == before
