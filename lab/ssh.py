"""ssh from this host into a node: OpenSSH over one kept connection per node."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import BootFailed

# Measured on emulated guests: the cheapest of the default algorithms.
CHEAP = ("KexAlgorithms=curve25519-sha256", "Ciphers=aes128-gcm@openssh.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How to get into one node; `known_hosts` names it by its node name."""

    node: str
    port: int
    key: Path
    known_hosts: Path
    control: Path

    def argv(self, *options: str) -> tuple[str, ...]:
        """`ssh ... root@127.0.0.1`, ready for a command to be added."""
        settings = (
            *("BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=yes", "LogLevel=ERROR"),
            *(f"HostKeyAlias={self.node}", f"UserKnownHostsFile={self.known_hosts}"),
            *("GlobalKnownHostsFile=/dev/null", f"ControlPath={self.control}", "ConnectTimeout=30"),
            *(
                "ServerAliveInterval=20",
                "ServerAliveCountMax=9",
                "ForwardAgent=no",
                "UpdateHostKeys=no",
                *CHEAP,
            ),
        )
        words = [word for setting in settings for word in ("-o", setting)]
        place = ("-i", str(self.key), "-p", str(self.port), *words, *options)
        return ("ssh", "-F", "none", *place, "root@127.0.0.1")

    def open(self) -> bool:
        """Have the kept connection; False if the node does not let us in (yet)."""
        if self.ready():
            return True
        self.control.unlink(missing_ok=True)
        master = self.argv("-M", "-N", "-f", "-o", "ControlPersist=yes")
        with contextlib.suppress(subprocess.TimeoutExpired):
            return _quiet(master, timeout=45)
        return False

    def ready(self) -> bool:
        return self.control.exists() and self._control("check")

    def close(self) -> None:
        """End the kept connection."""
        if self.control.exists():
            self._control("exit")
        self.control.unlink(missing_ok=True)

    def _control(self, verb: str) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return _quiet(self.argv("-O", verb), timeout=20)
        return False

    def wait_open(self, *, seconds: float, alive: Callable[[], bool]) -> None:
        """Until the node lets us in; raises BootFailed if its machine ends or time is up."""
        deadline = time.monotonic() + seconds
        while not (self._greets() and self.open()):
            if not alive():
                raise BootFailed(f"{self.node}: its machine ended")
            if time.monotonic() > deadline:
                raise BootFailed(f"{self.node}: no ssh after {seconds:.0f} s")
            time.sleep(0.1)

    def _greets(self) -> bool:
        """The forwarding accepts at once; only the guest's sshd says SSH-2.0."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as probe:
                probe.settimeout(5)
                return probe.recv(4) == b"SSH-"
        except OSError:
            return False


def _quiet(argv: Sequence[str], *, timeout: float) -> bool:
    # The master lives on in the background: it must hold nothing of ours open.
    void = subprocess.DEVNULL
    done = subprocess.run(
        argv, stdin=void, stdout=void, stderr=void, timeout=timeout, check=False, cwd="/"
    )
    return done.returncode == 0


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# Runs in a node: answers every line with its time, then sets the clock by the given seconds.
CLOCK_AGENT = """
import sys, time
print('ready', flush=True)
for line in sys.stdin:
    if line.strip():
        time.clock_settime(time.CLOCK_REALTIME, time.time() + float(line))
        print('set', flush=True)
        break
    print(time.time(), flush=True)
"""


def set_clock(door: Door, *, rounds: int = 5) -> float:
    """Put the node's clock on ours; returns how many seconds it was behind."""
    argv = (*door.argv(), f'exec python3 -I -S -u -c "{CLOCK_AGENT}"')
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True, bufsize=1) as agent:
        if agent.stdin is None or agent.stdout is None or agent.stdout.readline() != "ready\n":
            raise BootFailed(f"{door.node}: its clock cannot be set")
        best = (float("inf"), 0.0)
        for _ in range(rounds):
            sent = time.time()
            agent.stdin.write("\n")
            theirs = float(agent.stdout.readline())
            received = time.time()
            best = min(best, (received - sent, (sent + received) / 2 - theirs))
        agent.stdin.write(f"{best[1]!r}\n")
        agent.stdout.readline()
    return best[1]
