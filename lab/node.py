"""One node of a running world, as tests see it: commands, files, faults. All as root, over ssh."""

import io
import shlex
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

from lab.errors import BootFailed, CommandFailed, LabError
from lab.ssh import set_clock
from lab.vm import VirtualMachine

BOOT_SECONDS = 420.0
RESUME_SECONDS = 120.0
REOPEN_SECONDS = 60.0
BOOTS = 3
SCRIPTS = "/root/lab"  # where the set-up scripts are in a node


# The kernel's throttling of writeback once waited for ever here (a mount, in rq_qos_wait), and it
# has no use for disks like these.
UNTHROTTLED = "for f in /sys/block/vd*/queue/wbt_lat_usec; do echo 0 >$f; done"


class Node(VirtualMachine):
    """A machine of the lab with somebody inside."""

    @property
    def ip(self) -> str:
        """Address in the LAN of the lab."""
        return self.spec.address

    # -- commands and files

    def run(
        self,
        command: str | Sequence[str],
        *,
        input: str | None = None,  # noqa: A002  # subprocess calls it so
        timeout: float = 120,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell line, or the words of an argv; CommandFailed on another code than 0."""
        line = command if isinstance(command, str) else shlex.join(command)
        done = self._ssh(line, data=(input or "").encode(), timeout=timeout)
        if check:
            self._must_succeed(done, line)
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        return subprocess.CompletedProcess(line, done.returncode, out, err)

    def push(self, source: Path | str, dest: str) -> None:
        """Copy a file or folder to the path `dest` (into it, if it ends with /), owned by root."""
        path = Path(source)
        name = PurePosixPath(dest, path.name) if dest.endswith("/") else PurePosixPath(dest)
        self._unpack([(path, str(name).lstrip("/"))], "/")

    def push_tree(self, base: Path, names: Iterable[str], dest: str) -> None:
        """Copy files and folders, named relative to `base`, to the same places below `dest`."""
        self._unpack([(base / name, name) for name in names], dest)

    def push_bytes(self, data: bytes, dest: str) -> None:
        """Write a file of the node."""
        self._bytes(f"cat > {shlex.quote(dest)}", data=data)

    def pull(self, source: str, dest: Path | str) -> None:
        """Copy a file of the node to this host."""
        Path(dest).write_bytes(self.pull_bytes(source))

    def pull_bytes(self, source: str) -> bytes:
        """What a file of the node holds."""
        return self._bytes(f"cat -- {shlex.quote(source)}")

    def ssh_argv(self) -> tuple[str, ...]:
        """The ssh command up to the point where the remote command goes."""
        return self.door().argv()

    def set_clock(self) -> float:
        """Put its clock on this host's; returns how many seconds it was behind."""
        return set_clock(self.door())

    def _settle(self) -> None:
        """What every node needs that runs again."""
        self.set_clock()
        self.run(UNTHROTTLED)

    # -- life and faults; see also power_cut and link

    def start(self) -> None:
        """Boot from the disks as they are, after a power cut; returns when ssh answers."""
        if self.alive():
            raise LabError(f"{self.name} is running", hint=f"lab cut {self.name} first")
        if not self.disks[0].exists():
            raise LabError(f"{self.name} has no disks yet", hint=f"lab up {self.name}")
        self._until_up(lambda: None, self._boot)
        self._settle()

    def wait_healthy(self, *, timeout: float = 600) -> None:
        """Until its pools, mounts and writers are as the table says, after a boot for example."""
        writers = (f"writer={service.folder}" for service in self.spec.services)
        self.run(("sh", f"{SCRIPTS}/healthy.sh", *self.spec.checks, *writers), timeout=timeout)

    def boot_new(self) -> None:
        """Boot a new machine from the image with blank disks."""
        self._until_up(self.blank_disks, self._boot)

    def resume(self) -> None:
        """Continue from the saved state, forgetting everything since; the clock is set."""
        saved = self.place.saved / self.name
        self._until_up(lambda: self.overlay_disks(saved), lambda: self._continue(saved))
        self._settle()

    reset = resume

    def clone(self, origin: Path) -> None:
        """Continue from the saved state of another machine, on copies of its disks."""
        self._until_up(lambda: self.copy_disks(origin), lambda: self._continue(origin))

    def crash(self) -> None:
        """Hit the reset button, and wait until the machine is up again."""
        with self.qmp() as qmp:
            qmp.command("set-action", reboot="reset")
            qmp.command("system_reset")
            qmp.wait_event("RESET")
        self.close()
        self.wait_ssh(BOOT_SECONDS)
        with self.qmp() as qmp:  # not earlier: the firmware resets once more while it starts
            qmp.command("set-action", reboot="shutdown")
        self._settle()

    def _until_up(self, make_disks: Callable[[], None], begin: Callable[[], None]) -> None:
        """Try a few times: a machine may fail to come up for reasons of its host."""
        for attempt in range(1, BOOTS + 1):
            self.power_cut()
            make_disks()
            try:
                begin()
            except LabError as error:
                self._give_up_after(attempt, error)
            else:
                return

    def _give_up_after(self, attempt: int, error: LabError) -> None:
        last_words = self.last_words()
        self.power_cut()
        if attempt == BOOTS or self.place.stopping.is_set():
            raise BootFailed(
                f"{error} ({attempt} tries); its last words:\n{last_words}",
                hint=f"read {self.folder}",
            ) from error

    def _boot(self) -> None:
        self.spawn()
        self.wait_ssh(BOOT_SECONDS)

    def _continue(self, saved: Path) -> None:
        self.spawn(incoming=saved / "state")
        self._wait_qmp()
        with self.qmp() as qmp:
            qmp.wait_migration(seconds=RESUME_SECONDS)
            qmp.command("cont")
        self.wait_ssh(RESUME_SECONDS)

    def _wait_qmp(self) -> None:
        deadline = time.monotonic() + RESUME_SECONDS
        while self.alive() and time.monotonic() < deadline:
            try:
                self.qmp().close()
            except LabError:
                time.sleep(0.05)
            else:
                return
        raise BootFailed(f"{self.name}: its machine does not start")

    # -- ssh

    def _ssh(
        self, line: str, *, data: bytes, timeout: float
    ) -> "subprocess.CompletedProcess[bytes]":
        door = self.door()
        if not door.ready():
            self.wait_ssh(REOPEN_SECONDS)
        return subprocess.run(
            (*door.argv(), line), input=data, capture_output=True, timeout=timeout, check=False
        )

    def _bytes(self, line: str, *, data: bytes = b"") -> bytes:
        done = self._ssh(line, data=data, timeout=600)
        self._must_succeed(done, line)
        return done.stdout

    def _must_succeed(self, done: "subprocess.CompletedProcess[bytes]", line: str) -> None:
        if done.returncode:
            stderr = done.stderr.decode(errors="replace")
            raise CommandFailed(node=self.name, command=line, code=done.returncode, stderr=stderr)

    def _unpack(self, members: Iterable[tuple[Path, str]], dest: str) -> None:
        where = shlex.quote(dest)
        line = f"mkdir -p {where} && tar -C {where} -xf - --no-same-owner"
        self._bytes(line, data=_tar(members))


def _tar(members: Iterable[tuple[Path, str]]) -> bytes:
    """An archive of files and folders under the given names, all of root."""
    buffer = io.BytesIO()

    def as_root(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        info.uid = info.gid = 0
        info.uname = info.gname = "root"
        return None if "__pycache__" in info.name else info

    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, name in members:
            archive.add(path, arcname=name, filter=as_root)
    return buffer.getvalue()
