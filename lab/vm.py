"""A virtual machine of a run: its process, its disks, its control socket. No ssh commands here."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from lab.errors import LabError, tail
from lab.host import LIFE, Process, capture, leashed
from lab.image import Image
from lab.nodes import NodeSpec
from lab.qemu import BLANK_DISKS, LINK, Machine, Qmp, machine_argv
from lab.ssh import Door, free_port


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the machines of one run share. `saved` holds the disks and states to continue from."""

    folder: Path
    sockets: Path
    saved: Path
    image: Image
    known_hosts: Path
    accel: str
    owner: int | None
    stopping: Event


class VirtualMachine:
    """Known by its folder, where vm.json names its process and its ssh port while there is one."""

    def __init__(self, spec: NodeSpec, place: Place) -> None:
        self.spec = spec
        self.place = place
        self.folder = place.folder / spec.name

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def console(self) -> Path:
        """What the machine wrote to its serial console."""
        return self.folder / "console.log"

    @property
    def disks(self) -> tuple[Path, ...]:
        """The system disk and the blank ones."""
        return tuple(self.folder / f"disk{n}.qcow2" for n in range(len(BLANK_DISKS) + 1))

    def alive(self) -> bool:
        """Whether the machine runs."""
        state = self._state()
        return state is not None and state[0].alive()

    def spawn(self, *, incoming: Path | None = None) -> None:
        """Start the process: it boots, or waits for `cont` after loading the state `incoming`."""
        if self.place.stopping.is_set():
            raise LabError("interrupted")
        port = free_port()
        self.console.unlink(missing_ok=True)
        process = leashed(
            machine_argv(self._machine(), ssh_port=port, incoming=incoming),
            log=self.folder / "qemu.log",
            life=LIFE,
            owner=self.place.owner,
        )
        record = {"pid": process.pid, "born": process.born, "port": port}
        (self.folder / "vm.json").write_text(json.dumps(record))

    def power_cut(self) -> None:
        """The machine is gone at once; its disks hold what it had flushed. `start` boots it."""
        state = self._state()
        if state:
            state[0].end(grace=10)
            self.close()

    def abandon(self) -> None:
        """End the machine, and start no other in this run by this process."""
        self.place.stopping.set()
        self.power_cut()

    def close(self) -> None:
        """End the kept ssh connection; the next command opens a new one."""
        if self._state():
            self.door().close()

    def link(self, up: bool) -> None:  # noqa: FBT001  # link(True) reads well enough
        """Plug the LAN cable in, or pull it."""
        with self.qmp() as qmp:
            qmp.command("set_link", name=LINK, up=up)

    def pause(self) -> None:
        """Stop its processor."""
        self.close()
        with self.qmp() as qmp:
            qmp.command("stop")

    def save(self) -> None:
        """Write the state of the paused machine next to its disks, and end it."""
        with self.qmp() as qmp:
            qmp.command("migrate-set-parameters", max_bandwidth=1 << 40)
            qmp.command("migrate", uri=f"file:{self.folder / 'state'}")
            qmp.wait_migration(seconds=300)
            qmp.command("quit")
        state = self._state()
        if state and not state[0].wait_gone(60):
            raise LabError(f"{self.name} does not end")
        (self.folder / "vm.json").unlink()

    # -- disks

    def blank_disks(self) -> None:
        """A fresh copy of the image, and nothing on the other disks."""
        root, *blank = self.disks
        self.folder.mkdir(parents=True, exist_ok=True)
        _overlay(root, base=self.place.image.disk)
        for path, size in zip(blank, BLANK_DISKS, strict=True):
            capture(("qemu-img", "create", "-q", "-f", "qcow2", str(path), size))

    def overlay_disks(self, saved: Path) -> None:
        """Disks that show the saved ones and keep changes to themselves."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.disks:
            _overlay(path, base=saved / path.name)

    def copy_disks(self, origin: Path) -> None:
        """Copies of another machine's disks."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.disks:
            shutil.copyfile(origin / path.name, path)

    # -- ways in

    def door(self) -> Door:
        """How ssh gets in."""
        state = self._state()
        if state is None:
            raise LabError(f"{self.name} is not up", hint=f"lab up {self.name}")
        return Door(
            node=self.name,
            port=state[1],
            key=self.place.image.ssh_key,
            known_hosts=self.place.known_hosts,
            control=self.place.sockets / f"{self.name}.ssh",
        )

    def wait_ssh(self, seconds: float) -> None:
        """Until ssh is let in; BootFailed if the machine ends, or time is up."""
        self.door().wait_open(seconds=seconds, alive=self.alive)

    def qmp(self) -> Qmp:
        """A connection to the machine's control socket."""
        return Qmp(self._qmp_path())

    def last_words(self) -> str:
        """The ends of what the machine and QEMU said."""
        logs: Sequence[Path] = (self.console, self.folder / "qemu.log")
        return "\n".join(tail(log.read_text(errors="replace")) for log in logs if log.exists())

    def _qmp_path(self) -> Path:
        return self.place.sockets / f"{self.name}.qmp"

    def _state(self) -> tuple[Process, int] | None:
        try:
            record = json.loads((self.folder / "vm.json").read_text())
        except FileNotFoundError:
            return None
        return Process(pid=record["pid"], born=record["born"]), record["port"]

    def _machine(self) -> Machine:
        return Machine(
            name=self.name,
            address=self.spec.address,
            accel=self.place.accel,
            kernel=self.place.image.kernel,
            initrd=self.place.image.initrd,
            disks=self.disks,
            lan=self.place.sockets / "lan",
            qmp=self._qmp_path(),
            console=self.console,
        )


def _overlay(path: Path, *, base: Path) -> None:
    # The relative name lets the whole cache be moved.
    name = os.path.relpath(base, path.parent)
    path.unlink(missing_ok=True)
    capture(("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", name, str(path)))
