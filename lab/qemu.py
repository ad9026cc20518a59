"""QEMU: the command line of a machine, and its control socket (QMP)."""

import json
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab.errors import LabError

BINARY = "qemu-system-x86_64"
LINK = "lan"
MEMORY = 1024
BLANK_DISKS = ("8G", "8G")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Everything a virtual machine is made of."""

    name: str
    address: str
    accel: str
    kernel: Path
    initrd: Path
    disks: tuple[Path, ...]
    lan: Path
    qmp: Path
    console: Path


def machine_argv(machine: Machine, *, ssh_port: int, incoming: Path | None) -> tuple[str, ...]:
    """Command line; with `incoming` the machine continues from that saved state."""
    state = ("-incoming", f"file:{incoming}") if incoming else ()
    return (
        BINARY,
        *("-name", machine.name, "-nodefaults", "-no-user-config", "-display", "none"),
        *("-machine", "pc", "-smp", "1", "-m", str(MEMORY), *accel_argv(machine.accel)),
        *("-kernel", str(machine.kernel), "-initrd", str(machine.initrd)),
        *("-append", kernel_line(machine)),
        *disks_argv(machine.disks),
        *network_argv(machine, ssh_port=ssh_port),
        *("-qmp", f"unix:{machine.qmp},server=on,wait=off"),
        *("-chardev", f"file,id=console,path={machine.console},append=on"),
        *("-serial", "chardev:console"),
        "-no-reboot",  # a panic ends the machine; `crash` lifts this for its reset
        *state,
    )


def hardware(accel: str) -> tuple[str, ...]:
    """What must be the same for a saved state to continue."""
    here = Path()
    machine = Machine(
        name="",
        address="0.0.0.0",  # noqa: S104  # not listened on: stands for any node
        accel=accel,
        kernel=here,
        initrd=here,
        disks=(here,) * (1 + len(BLANK_DISKS)),
        lan=here,
        qmp=here,
        console=here,
    )
    return (*machine_argv(machine, ssh_port=0, incoming=None), *BLANK_DISKS)


def accel_argv(accel: str) -> tuple[str, ...]:
    """Emulation gets a bounded translation cache: the default is a GiB per machine."""
    if accel == "kvm":
        return ("-accel", "kvm", "-cpu", "host")
    return ("-accel", "tcg,thread=single,tb-size=256", "-cpu", "max")


def kernel_line(machine: Machine) -> str:
    words = ("root=/dev/vda", "rw", "console=ttyS0", "panic=-1", "net.ifnames=0", "mitigations=off")
    return " ".join((*words, f"lab.name={machine.name}", f"lab.lan={machine.address}/24"))


def disks_argv(disks: Sequence[Path]) -> tuple[str, ...]:
    """cache=unsafe spares the host's fsync; what the guest flushed still survives a power cut."""
    options = "if=virtio,format=qcow2,cache=unsafe,discard=unmap"
    words = [("-drive", f"file={disk},{options}") for disk in disks]
    return tuple(word for pair in words for word in pair)


def network_argv(machine: Machine, *, ssh_port: int) -> tuple[str, ...]:
    """eth0: nothing but ssh from this host; eth1: the LAN, a unix socket of the switch."""
    forward = f"hostfwd=tcp:127.0.0.1:{ssh_port}-10.0.2.15:22"
    return (
        *("-netdev", f"user,id=door,ipv6=off,restrict=on,{forward}"),
        *("-device", "virtio-net-pci,netdev=door,mac=52:54:00:10:02:15"),
        *("-netdev", f"vde,id=vde,sock={machine.lan}"),
        *("-device", f"virtio-net-pci,netdev=vde,id={LINK},mac={lan_mac(machine.address)}"),
    )


def lan_mac(address: str) -> str:
    """10.77.0.11 -> 52:54:0a:4d:00:0b"""
    return "52:54:" + ":".join(f"{int(part):02x}" for part in address.split("."))


class Qmp:
    """A connection to a machine's control socket; use it as a context manager."""

    def __init__(self, path: Path, *, timeout: float = 60) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        self._events: list[str] = []
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise LabError(f"no machine answers at {path}: {error}") from error
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self._message()
        self.command("qmp_capabilities")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()

    def command(self, name: str, /, **arguments: object) -> Any:
        """The answer to one command; argument names are written with _ for -."""
        wired = {key.replace("_", "-"): value for key, value in arguments.items()}
        request = {"execute": name, "arguments": wired}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            message = self._message()
            if "error" in message:
                raise LabError(f"QEMU refused {name}: {message['error'].get('desc')}")
            if "return" in message:
                return message["return"]

    def wait_event(self, name: str) -> None:
        """Until QEMU has reported the event since this connection began."""
        while name not in self._events:
            self._message()

    def wait_migration(self, *, seconds: float) -> None:
        """Until the state of the machine is written, or read."""
        deadline = time.monotonic() + seconds
        while (status := self.command("query-migrate").get("status")) != "completed":
            if status == "failed" or time.monotonic() > deadline:
                raise LabError(f"saving or loading the machine's state: {status}")
            time.sleep(0.05)

    def _message(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise LabError("QEMU closed its control socket")
        message: dict[str, Any] = json.loads(line)
        if "event" in message:
            self._events.append(message["event"])
        return message
