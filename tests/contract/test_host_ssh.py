"""What SshHost promises beyond every Host: its one connection, host keys, refusals."""

from __future__ import annotations

import logging
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from tests.contract.host_support import (
    REFUSAL,
    SSHD,
    Sshd,
    free_port,
    make_key,
    running_sshd,
    wait_until,
)
from zrep.errors import AccessRefused, CommandFailed, HostKeyRejected, Unreachable, ZrepError
from zrep.host.process import stream
from zrep.host.ssh_argv import SshEndpoint, rsync_shell, ssh_argv
from zrep.host.ssh_failure import SSH_FAILED, explain_ssh_failure

pytestmark = pytest.mark.skipif(SSHD is None, reason="sshd is not installed (openssh-server)")


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


def test_commands_share_one_connection(sshd: Sshd) -> None:
    before = sshd.logins()
    with sshd.host() as host:
        for _ in range(5):
            host.run(("true",))
        with pytest.raises(CommandFailed):
            host.run(("false",))
        host.run(("true",))
    assert sshd.logins() - before == 1


def test_threads_that_start_together_share_one_connection_too(sshd: Sshd) -> None:
    before = sshd.logins()
    with sshd.host() as host, ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: host.run(("true",)), range(4)))
    assert sshd.logins() - before == 1


def test_a_silent_link_is_given_up_after_the_same_time_on_both_ways(sshd: Sshd) -> None:
    option = socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT
    transport = paramiko.Transport.__init__
    seen = []

    def noted(self: paramiko.Transport, sock: socket.socket, **options: object) -> None:
        seen.append(sock)
        transport(self, sock, **options)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch, sshd.host() as host:
        patch.setattr(paramiko.Transport, "__init__", noted)
        host.run(("true",))
        assert [sock.getsockopt(*option) for sock in seen] == [120_000]
        argv = host.bulk_argv(("true",))
    assert {"ServerAliveInterval=15", "ServerAliveCountMax=8"} <= set(argv)


def test_a_connection_lost_between_commands_is_replaced(sshd: Sshd) -> None:
    with sshd.host() as host:
        host.run(("true",))
        before = sshd.logins()
        sshd.drop_connections()
        assert host.run(("echo", "back")).stdout == "back\n"
    assert sshd.logins() - before == 1


def test_a_command_whose_connection_is_lost_is_never_repeated(sshd: Sshd, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    script = 'echo ran >> "$0"; kill -9 $PPID'
    with sshd.host() as host:
        host.run(("true",))
        with pytest.raises(Unreachable, match="may have run or not"):
            host.run(("sh", "-c", script, str(trace)))
        assert trace.read_text() == "ran\n"
        assert host.run(("echo", "back")).stdout == "back\n"


def test_a_gated_host_gets_the_words_and_nothing_else(sshd: Sshd) -> None:
    gated = replace(sshd.endpoint(key="forced"), gated=True)
    with sshd.host(gated) as host, pytest.raises(CommandFailed) as caught:
        host.run(("probe", "run=1"))
    assert caught.value.stderr == f"{REFUSAL}: probe run=1\n"
    assert caught.value.returncode == 3
    assert _bulk(gated).stderr == f"{REFUSAL}: echo in\n"


def stranger(sshd: Sshd, kind: str = "ed25519") -> str:
    """A key that is not the host's, as `type base64`."""
    path = sshd.folder / f"stranger_{kind}"
    if not path.exists():
        make_key(path, kind)
    return " ".join(path.with_name(path.name + ".pub").read_text("ascii").split()[:2])


def hashed(line: str, folder: Path) -> str:
    """The same line as `ssh-keygen -H` writes it."""
    file = folder / "hashed"
    file.write_text(line)
    subprocess.run(("ssh-keygen", "-q", "-H", "-f", str(file)), check=True, capture_output=True)
    return file.read_text()


ACCEPTED: dict[str, Callable[[Sshd], str]] = {
    "only the type the host likes less": lambda s: s.known_line("ecdsa"),
    "only without the port": lambda s: f"127.0.0.1 {s.host_key()}\n",
    "hashed, an old and a new key of one type": lambda s: hashed(
        f"[127.0.0.1]:{s.port} {stranger(s)}\n{s.known_line()}", s.folder
    ),
    "among lines for others": lambda s: (
        f"# comment\n\n@cert-authority *.example {stranger(s)}\nbroken line\n{s.known_line()}"
    ),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_a_known_host_is_accepted_on_both_ways(sshd: Sshd, case: str) -> None:
    endpoint = sshd.endpoint(known=ACCEPTED[case](sshd))
    with sshd.host(endpoint) as host:
        assert host.run(("echo", "in")).stdout == "in\n"
    assert _bulk(endpoint).stdout == "in\n"


def silent_port() -> tuple[socket.socket, int]:
    """Accepts connections (the kernel does) and never says a word."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=8)
    return listener, listener.getsockname()[1]


def key_file(path: Path, content: str, mode: int) -> str:
    path.write_text(content)
    path.chmod(mode)
    return str(path)


REFUSED: dict[str, tuple[type[ZrepError], str, Callable[[Sshd], SshEndpoint]]] = {
    "unknown host": (
        HostKeyRejected,
        "host key is not known",
        lambda s: s.endpoint(known=f"other.example {s.host_key()}\n"),
    ),
    "changed key": (
        HostKeyRejected,
        "host key has changed",
        lambda s: s.endpoint(known=f"[127.0.0.1]:{s.port} {stranger(s)}\n"),
    ),
    "changed to another type": (
        HostKeyRejected,
        "host key",
        lambda s: s.endpoint(known=f"[127.0.0.1]:{s.port} {stranger(s, 'ecdsa384')}\n"),
    ),
    "revoked key": (
        HostKeyRejected,
        "host key is revoked",
        lambda s: s.endpoint(known=f"@revoked * {s.host_key()}\n{s.known_line()}"),
    ),
    "key not authorized": (
        AccessRefused,
        "login refused",
        lambda s: replace(s.endpoint(), key_file=str(s.folder / "stranger_ed25519")),
    ),
    "no key file": (
        AccessRefused,
        "our key cannot be used",
        lambda s: replace(s.endpoint(), key_file="/nonexistent/key"),
    ),
    "key file is no key": (
        AccessRefused,
        "our key cannot be used",
        lambda s: replace(s.endpoint(), key_file=key_file(s.folder / "garbage", "no key\n", 0o600)),
    ),
    "key file that others may read": (
        AccessRefused,
        "our key cannot be used",
        lambda s: replace(
            s.endpoint(),
            key_file=key_file(s.folder / "open", (s.folder / "user").read_text(), 0o644),
        ),
    ),
    "nobody listens": (Unreachable, "no connection", lambda s: s.endpoint(port=free_port())),
    "name does not resolve": (
        Unreachable,
        "host name cannot be resolved",
        lambda s: replace(s.endpoint(), address="no-such-host.invalid"),
    ),
}


def _bulk(endpoint: SshEndpoint) -> subprocess.CompletedProcess[str]:
    argv = ssh_argv(endpoint, ("echo", "in"))
    return subprocess.run(
        argv, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("case", REFUSED)
def test_both_ways_in_are_refused_alike(
    sshd: Sshd, case: str, capfd: pytest.CaptureFixture[str]
) -> None:
    expected, what, endpoint_for = REFUSED[case]
    stranger(sshd)
    endpoint = endpoint_for(sshd)

    with sshd.host(endpoint) as host, pytest.raises(ZrepError) as caught:
        host.run(("echo", "in"))
    bulk = _bulk(endpoint)
    explained = explain_ssh_failure(bulk.stderr, where="far")

    assert bulk.returncode == SSH_FAILED
    for error in (caught.value, explained):
        assert type(error) is expected, (error, bulk.stderr)
        assert str(error).startswith(f"far: {what}")
        assert error.why
        assert error.next_step
        assert "Traceback" not in str(error)
    assert capfd.readouterr().err == ""  # the library's own complaints stay out of sight


def test_a_changed_key_is_shown_beside_the_expected_one(sshd: Sshd) -> None:
    endpoint = sshd.endpoint(known=f"[127.0.0.1]:{sshd.port} {stranger(sshd)}\n")
    with sshd.host(endpoint) as host, pytest.raises(HostKeyRejected) as caught:
        host.run(("true",))
    for file in ("host_ed25519.pub", "stranger_ed25519.pub"):
        assert _fingerprint(sshd.folder / file) in caught.value.why


def test_an_unknown_key_is_shown_for_comparison(sshd: Sshd) -> None:
    with sshd.host(sshd.endpoint(known="")) as host, pytest.raises(HostKeyRejected) as caught:
        host.run(("true",))
    assert _fingerprint(sshd.folder / "host_ed25519.pub") in caught.value.why
    assert f"has no key of [127.0.0.1]:{sshd.port}" in caught.value.why


def _fingerprint(public: Path) -> str:
    argv = ("ssh-keygen", "-l", "-E", "sha256", "-f", str(public))
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()[1]


def test_a_key_with_a_passphrase_is_refused_before_connecting(sshd: Sshd) -> None:
    make_key(sshd.folder / "locked", passphrase="correct horse")
    nobody_listens = sshd.endpoint(key="locked", port=free_port())
    refusal = pytest.raises(AccessRefused, match="password-protected")
    with sshd.host(nobody_listens) as host, refusal:
        host.run(("true",))


def test_a_port_that_never_answers_is_given_up_in_time(sshd: Sshd) -> None:
    listener, port = silent_port()
    endpoint = replace(sshd.endpoint(port=port), connect_timeout=1)
    with listener, sshd.host(endpoint) as host, pytest.raises(Unreachable, match="no connection"):
        host.run(("true",))


def test_nothing_of_a_failed_login_stays_open(sshd: Sshd) -> None:
    endpoint = sshd.endpoint(known="")
    with sshd.host(endpoint) as host, pytest.raises(HostKeyRejected):
        host.run(("true",))
    wait_until(lambda: not _sockets_to(sshd.port))


def _sockets_to(port: int) -> list[str]:
    """Established connections to `port` in this namespace."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[2].endswith(f":{port:04X}") and row[3] == "01"]


def test_commands_are_logged_ready_to_paste(sshd: Sshd, caplog: pytest.LogCaptureFixture) -> None:
    with sshd.host() as host, caplog.at_level(logging.DEBUG, logger="zrep"):
        host.run(("echo", "pasted it's"))
    (line,) = [r.getMessage() for r in caplog.records if "pasted" in r.getMessage()]
    pasted = subprocess.run(("sh", "-c", line), check=False, capture_output=True, text=True)
    assert pasted.stdout == "pasted it's\n"


@pytest.mark.skipif(not shutil.which("rsync"), reason="rsync is not installed")
def test_rsync_takes_its_remote_shell_from_us(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "original").write_text("content")
    endpoint, lines = sshd.endpoint(), list[str]()
    target = f"{endpoint.address}:{tmp_path}/copy"
    shell = rsync_shell(endpoint)
    stream(("rsync", "-v", "-e", shell, f"{tmp_path}/original", target), on_line=lines.append)
    assert (tmp_path / "copy").read_text() == "content"
    assert "original" in lines


def test_a_session_the_host_will_not_open_is_a_refusal(tmp_path: Path) -> None:
    with running_sshd(tmp_path, extra="MaxSessions 0\n") as server, server.host() as host:
        with pytest.raises(AccessRefused, match="session refused"):
            host.run(("true",))
        bulk = _bulk(server.endpoint())
    assert isinstance(explain_ssh_failure(bulk.stderr), AccessRefused), bulk.stderr


def test_a_host_with_none_of_our_algorithms_is_named_as_such(tmp_path: Path) -> None:
    old = "diffie-hellman-group14-sha1"
    with running_sshd(tmp_path, kex=old) as server, server.host() as host:
        with pytest.raises(Unreachable, match="no common ssh algorithm"):
            host.run(("true",))
        bulk = _bulk(server.endpoint())
    assert "no common ssh algorithm" in str(explain_ssh_failure(bulk.stderr))
