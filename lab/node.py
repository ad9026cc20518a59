"""One node of a running world: its machine, and what can be done with and to it."""

import io
import json
import shlex
import subprocess
import tarfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Event

from lab.errors import BootFailed, CommandFailed, LabError, tail
from lab.host import LIFE, Process, capture, leashed
from lab.image import Image
from lab.nodes import NodeSpec
from lab.qemu import LINK, Machine, Qmp, machine_argv
from lab.ssh import Door, free_port, set_clock

BOOT_SECONDS = 420.0
BOOTS = 3
REOPEN_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the nodes of one run share. `saved` holds the disks and states to continue from."""

    folder: Path
    sockets: Path
    saved: Path
    image: Image
    known_hosts: Path
    accel: str
    owner: int | None
    stopping: Event


class Node:
    """A machine of the lab as tests see it. Commands run as root, over ssh."""

    def __init__(self, spec: NodeSpec, place: Place) -> None:
        self.spec = spec
        self._place = place
        self._folder = place.folder / spec.name
        self._folder.mkdir(parents=True, exist_ok=True)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def ip(self) -> str:
        """Address in the LAN of the lab."""
        return self.spec.address

    @property
    def console(self) -> Path:
        """What the machine wrote to its serial console."""
        return self._folder / "console.log"

    # -- commands and files

    def run(
        self,
        command: str | Sequence[str],
        *,
        input: str | None = None,  # noqa: A002  # subprocess calls it so
        timeout: float = 120,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell line, or the words of an argv; raises CommandFailed on another code than 0."""
        line = command if isinstance(command, str) else shlex.join(command)
        done = self._ssh(line, data=(input or "").encode(), timeout=timeout)
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if check and done.returncode:
            raise CommandFailed(node=self.name, command=line, code=done.returncode, stderr=err)
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
        self._checked(f"cat > {shlex.quote(dest)}", data=data, timeout=600)

    def pull(self, source: str, dest: Path | str) -> None:
        """Copy a file of the node to this host."""
        Path(dest).write_bytes(self.pull_bytes(source))

    def pull_bytes(self, source: str) -> bytes:
        """What a file of the node holds."""
        return self._checked(f"cat -- {shlex.quote(source)}", timeout=600)

    def ssh_argv(self) -> tuple[str, ...]:
        """The ssh command up to the point where the remote command goes."""
        return self._door().argv()

    def _ssh(
        self, line: str, *, data: bytes, timeout: float
    ) -> "subprocess.CompletedProcess[bytes]":
        door = self._door()
        if not door.ready():
            self._wait_ssh(REOPEN_SECONDS)
        return subprocess.run(
            (*door.argv(), line), input=data, capture_output=True, timeout=timeout, check=False
        )

    def _checked(self, line: str, *, data: bytes = b"", timeout: float) -> bytes:
        done = self._ssh(line, data=data, timeout=timeout)
        if done.returncode:
            stderr = done.stderr.decode(errors="replace")
            raise CommandFailed(node=self.name, command=line, code=done.returncode, stderr=stderr)
        return done.stdout

    def _unpack(self, members: Iterable[tuple[Path, str]], dest: str) -> None:
        where = shlex.quote(dest)
        line = f"mkdir -p {where} && tar -C {where} -xf - --no-same-owner"
        self._checked(line, data=_tar(members), timeout=600)

    # -- the machine

    def alive(self) -> bool:
        """Whether its virtual machine runs."""
        state = self._state()
        return state is not None and state[0].alive()

    def power_cut(self) -> None:
        """The machine is gone at once; its disks hold what it had flushed. `start` boots it."""
        state = self._state()
        if state:
            state[0].end(grace=10)
            self.close()

    def abandon(self) -> None:
        """End the machine, and start no other in this run by this process."""
        self._place.stopping.set()
        self.power_cut()

    def close(self) -> None:
        """End the kept ssh connection; the next command opens a new one."""
        if self._state():
            self._door().close()

    def start(self) -> None:
        """Boot from the disks as they are; returns when ssh answers."""
        if self.alive():
            raise LabError(f"{self.name} is running", hint=f"lab cut {self.name} first")
        if not self._disks()[0].exists():
            raise LabError(f"{self.name} has no disks yet", hint=f"lab up {self.name}")
        self._boot(fresh=False)

    def boot_new(self) -> None:
        """Boot a new machine from the image with blank disks."""
        self._boot(fresh=True)

    def resume(self) -> None:
        """Continue from the saved state, forgetting everything since; the clock is set."""
        self.power_cut()
        saved = self._place.saved / self.name
        for attempt in range(1, BOOTS + 1):
            self._overlay_disks(saved)
            try:
                self._spawn(incoming=saved / "state")
                self._continue_saved()
                self._wait_ssh(120)
                break
            except LabError as error:
                self._give_up_after(attempt, error)
        self.set_clock()

    reset = resume

    def crash(self) -> None:
        """Hit the reset button, and wait until the machine is up again."""
        with self._qmp() as qmp:
            qmp.command("set-action", reboot="reset")
            qmp.command("system_reset")
            qmp.wait_event("RESET")
            qmp.command("set-action", reboot="shutdown")
        self._door().close()
        self._wait_ssh(BOOT_SECONDS)
        self.set_clock()

    def link(self, up: bool) -> None:  # noqa: FBT001  # link(True) reads well enough
        """Plug the LAN cable in, or pull it."""
        with self._qmp() as qmp:
            qmp.command("set_link", name=LINK, up=up)

    def set_clock(self) -> float:
        """Put its clock on this host's; returns how many seconds it was behind."""
        return set_clock(self._door())

    def pause(self) -> None:
        """Stop its processor."""
        self.close()
        with self._qmp() as qmp:
            qmp.command("stop")

    def save(self) -> None:
        """Write the state of the paused machine next to its disks, and end it."""
        with self._qmp() as qmp:
            qmp.command("migrate-set-parameters", max_bandwidth=1 << 40)
            qmp.command("migrate", uri=f"file:{self._folder / 'state'}")
            qmp.wait_migration(seconds=300)
            qmp.command("quit")
        state = self._state()
        if state and not state[0].wait_gone(60):
            raise LabError(f"{self.name} does not end")
        (self._folder / "vm.json").unlink()

    # -- below

    def _boot(self, *, fresh: bool) -> None:
        for attempt in range(1, BOOTS + 1):
            try:
                if fresh:
                    self._new_disks()
                self._spawn(incoming=None)
                self._wait_ssh(BOOT_SECONDS)
                return
            except BootFailed as error:
                self._give_up_after(attempt, error)

    def _give_up_after(self, attempt: int, error: LabError) -> None:
        self.power_cut()
        if attempt == BOOTS:
            logs = [self.console, self._folder / "qemu.log"]
            text = "\n".join(tail(log.read_text(errors="replace")) for log in logs if log.exists())
            raise BootFailed(
                f"{error} ({attempt} tries); the end of its console:\n{text}",
                hint=f"read {self._folder}",
            ) from error

    def _spawn(self, *, incoming: Path | None) -> None:
        place, port = self._place, free_port()
        if place.stopping.is_set():
            raise LabError("interrupted")
        self.console.unlink(missing_ok=True)
        process = leashed(
            machine_argv(self._machine(), ssh_port=port, incoming=incoming),
            log=self._folder / "qemu.log",
            life=LIFE,
            owner=place.owner,
        )
        record = {"pid": process.pid, "born": process.born, "port": port}
        (self._folder / "vm.json").write_text(json.dumps(record))

    def _continue_saved(self) -> None:
        self._wait_socket()
        with self._qmp() as qmp:
            qmp.wait_migration(seconds=120)
            qmp.command("cont")

    def _wait_socket(self) -> None:
        for _ in range(600):
            if not self.alive():
                break
            try:
                with self._qmp():
                    return
            except LabError:
                time.sleep(0.05)
        raise BootFailed(f"{self.name}: its machine does not start")

    def _machine(self) -> Machine:
        place = self._place
        return Machine(
            name=self.name,
            address=self.spec.address,
            memory=self.spec.memory,
            accel=place.accel,
            kernel=place.image.kernel,
            initrd=place.image.initrd,
            disks=self._disks(),
            lan=place.sockets / "lan",
            qmp=self._qmp_path(),
            console=self.console,
        )

    def _disks(self) -> tuple[Path, ...]:
        return tuple(self._folder / f"disk{n}.qcow2" for n in range(len(self.spec.disks) + 1))

    def _new_disks(self) -> None:
        root, *blank = self._disks()
        _overlay(root, base=self._place.image.disk)
        for path, size in zip(blank, self.spec.disks, strict=True):
            capture(("qemu-img", "create", "-q", "-f", "qcow2", str(path), size))

    def _overlay_disks(self, saved: Path) -> None:
        for path in self._disks():
            _overlay(path, base=saved / path.name)

    def _state(self) -> tuple[Process, int] | None:
        try:
            record = json.loads((self._folder / "vm.json").read_text())
        except FileNotFoundError:
            return None
        return Process(pid=record["pid"], born=record["born"]), record["port"]

    def _door(self) -> Door:
        state = self._state()
        if state is None:
            raise LabError(f"{self.name} is not up", hint=f"lab up {self.name}")
        return Door(
            node=self.name,
            port=state[1],
            key=self._place.image.ssh_key,
            known_hosts=self._place.known_hosts,
            control=self._place.sockets / f"{self.name}.ssh",
        )

    def _qmp_path(self) -> Path:
        return self._place.sockets / f"{self.name}.qmp"

    def _qmp(self) -> Qmp:
        return Qmp(self._qmp_path())

    def _wait_ssh(self, seconds: float) -> None:
        self._door().wait_open(seconds=seconds, alive=self.alive)


def _overlay(path: Path, *, base: Path) -> None:
    path.unlink(missing_ok=True)
    argv = ("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(base), str(path))
    capture(argv)


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
