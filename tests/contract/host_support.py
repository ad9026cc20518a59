"""A real sshd on loopback for the tests of zrep.host: all its own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from zrep.host.ssh import SshHost
from zrep.host.ssh_argv import SshEndpoint

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
WAIT_SECONDS = 5.0
QUICK_KEX = "ecdh-sha2-nistp256"  # both clients know it; what they prefer takes 60 ms longer
REFUSAL = "this key may not do that"

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_ed25519
HostKey {folder}/host_ecdsa
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
LogLevel VERBOSE
MaxStartups 100
KexAlgorithms {kex}
SetEnv HOME={folder}
"""


def wait_until(promise: Callable[[], bool]) -> None:
    """Poll a condition of another process; fails when it does not come true in time."""
    end = time.monotonic() + WAIT_SECONDS
    while not promise():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> str:
    """A new key pair; returns the public line. `kind` is ed25519, ecdsa or ecdsa384."""
    bits = ("-b", "384") if kind == "ecdsa384" else ()
    kind = kind.removesuffix("384")
    argv = ("ssh-keygen", "-q", "-t", kind, *bits, "-N", passphrase, "-f", str(path))
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return path.with_name(path.name + ".pub").read_text("ascii")


def children_of(pid: int) -> set[int]:
    listing = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    return {int(word) for word in listing.split()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sshd:
    """A running sshd with two host keys (ed25519, ecdsa) that accepts two user keys.

    `user` may run anything, `forced` is answered by a command that prints REFUSAL and what was
    asked, and fails.
    """

    folder: Path
    port: int
    pid: int

    def host_key(self, kind: str = "ed25519") -> str:
        """`type base64` of the public key."""
        line = (self.folder / f"host_{kind}.pub").read_text("ascii")
        return " ".join(line.split()[:2])

    def endpoint(
        self, *, key: str = "user", known: str | None = None, port: int | None = None
    ) -> SshEndpoint:
        """`known` is the text of known_hosts; by default it has the host's ed25519 key."""
        file = self.folder / f"known_{time.monotonic_ns()}"
        file.write_text(self.known_line() if known is None else known)
        return SshEndpoint(
            address="127.0.0.1",
            port=port or self.port,
            user=pwd.getpwuid(os.getuid()).pw_name,
            key_file=str(self.folder / key),
            known_hosts=str(file),
            connect_timeout=5,
        )

    def known_line(self, kind: str = "ed25519") -> str:
        return f"[127.0.0.1]:{self.port} {self.host_key(kind)}\n"

    @contextmanager
    def host(self, endpoint: SshEndpoint | None = None) -> Iterator[SshHost]:
        host = SshHost(name="far", endpoint=endpoint or self.endpoint())
        try:
            yield host
        finally:
            host.close()

    def logins(self) -> int:
        return (self.folder / "log").read_text("utf-8", "replace").count("Accepted publickey")

    def drop_connections(self) -> None:
        """Kill the processes that serve the open connections, as a reboot would."""
        for pid in children_of(self.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        wait_until(lambda: not children_of(self.pid))


@contextmanager
def running_sshd(folder: Path, *, kex: str = QUICK_KEX, extra: str = "") -> Iterator[Sshd]:
    """`extra` is more text for sshd_config."""
    assert SSHD is not None
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd's chroot; init makes it at boot
    make_key(folder / "host_ed25519")
    make_key(folder / "host_ecdsa", "ecdsa")
    public = make_key(folder / "user")
    forced = make_key(folder / "forced")
    command = f'restrict,command="echo \\"{REFUSAL}: $SSH_ORIGINAL_COMMAND\\" >&2; exit 3"'
    (folder / "authorized_keys").write_text(f"{public}{command} {forced}")
    port = free_port()
    config = folder / "sshd_config"
    config.write_text(_CONFIG.format(port=port, folder=folder, kex=kex) + extra)
    argv = (SSHD, "-D", "-f", str(config), "-E", str(folder / "log"), *_no_penalties(config))
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _listens(port, process))
            yield Sshd(folder=folder, port=port, pid=process.pid)
        finally:
            process.terminate()


def _no_penalties(config: Path) -> tuple[str, ...]:
    """OpenSSH 9.8 punishes addresses for failed logins; older ones do not know the option."""
    option = ("-o", "PerSourcePenalties=no")
    probe = subprocess.run(
        (str(SSHD), "-t", "-f", str(config), *option), check=False, capture_output=True
    )
    return option if probe.returncode == 0 else ()


def _listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "sshd did not start: see its log"
    with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
