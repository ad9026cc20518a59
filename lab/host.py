"""Commands on this machine: run to the end, or started to live on under a leash."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError, tail

LEASH = Path(__file__).with_name("leash.py")
LIFE = 6 * 3600.0  # of any machine, should everything else that ends it fail


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that we started, safe against reuse of its pid: `born` is its start time."""

    pid: int
    born: int

    @classmethod
    def of(cls, pid: int) -> "Process":
        return cls(pid=pid, born=start_time(pid) or 0)

    def alive(self) -> bool:
        return self.born != 0 and start_time(self.pid) == self.born

    def signal(self, number: signal.Signals) -> None:
        if self.alive():
            os.kill(self.pid, number)

    def end(self, *, grace: float = 0.0) -> None:
        """Stop it, politely for `grace` seconds, and see it gone."""
        if grace:
            self.signal(signal.SIGTERM)
            self.wait_gone(grace)
        self.signal(signal.SIGKILL)
        if not self.wait_gone(20):
            raise LabError(f"process {self.pid} does not end")

    def wait_gone(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def start_time(pid: int) -> int | None:
    """Start of a living process in clock ticks since boot; None for the dead and for zombies."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def capture(argv: Sequence[str], *, timeout: float = 60, check: bool = True) -> str:
    """Stdout of a short command."""
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if check and done.returncode:
        raise LabError(f"{argv[0]} failed with exit code {done.returncode}\n{tail(done.stderr)}")
    return done.stdout


def logged(argv: Sequence[str], *, log: Path, timeout: float) -> None:
    """Run a long command with its output in `log`; nothing of it survives an interruption."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, process_group=0
        )
        try:
            code = process.wait(timeout=timeout)
        except BaseException:
            _end_group(process)
            raise
    if code:
        raise LabError(
            f"{argv[0]} failed with exit code {code}\n{tail(log.read_text(errors='replace'))}",
            hint=f"read {log}",
        )


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    for number, seconds in ((signal.SIGTERM, 20.0), (signal.SIGKILL, 10.0)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        except PermissionError:  # sudo runs as root: root must send the signal
            capture(["sudo", "-n", "kill", f"-{int(number)}", f"-{process.pid}"], check=False)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def elevated(argv: Sequence[str]) -> tuple[str, ...]:
    """The same command as root."""
    if os.geteuid() == 0:
        return tuple(argv)
    if shutil.which("sudo") is None:
        raise LabError("this step needs root, and there is no sudo", hint="run it as root")
    return ("sudo", *argv)


def leashed(argv: Sequence[str], *, log: Path, life: float, owner: int | None) -> Process:
    """Start `argv` in the background for at most `life` seconds, at most as long as `owner`."""
    tie = ["--owner", str(owner)] if owner else []
    with log.open("ab") as out:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", str(LEASH), *tie, "--life", str(life), "--", *argv],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    process = Process.of(child.pid)
    _reap_later(child)
    return process


def _reap_later(child: "subprocess.Popen[bytes]") -> None:
    """Let go of it: `alive` counts a zombie as dead, so nobody has to wait for it."""
    child.returncode = 0
