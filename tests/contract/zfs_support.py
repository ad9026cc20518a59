"""Worlds for the contract of the Zfs port: the same few powers over a fake pool and a real one.

A real pool is named by ZREP_TEST_POOL and is disposable: datasets made here stay. ssh to this
machine is tried when ZREP_TEST_SSH_KEY and ZREP_TEST_KNOWN_HOSTS name the files it needs.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from zrep.errors import CommandFailed, ZfsError
from zrep.host.local import LocalHost
from zrep.host.port import Completed, Host
from zrep.model.inventory import Dataset, Snapshot
from zrep.model.names import DatasetName, SnapshotName
from zrep.model.plan import SendSpec
from zrep.planner.simulate import datasets, streams
from zrep.planner.simulate.pool import new_pool
from zrep.zfs.cli import CliZfs
from zrep.zfs.fake import FakeZfs, transfer
from zrep.zfs.lzc import LzcZfs
from zrep.zfs.port import Zfs
from zrep.zfs.wording import error_from_text

POOL = os.environ.get("ZREP_TEST_POOL")
SSH_KEY = os.environ.get("ZREP_TEST_SSH_KEY")
KNOWN_HOSTS = os.environ.get("ZREP_TEST_KNOWN_HOSTS")

MIB = 1 << 20


class CountingHost:
    """A Host that counts the commands it runs on the host it stands for."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.commands = 0

    @property
    def name(self) -> str:
        return self._host.name

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        timeout: float = 60.0,
        ok: Sequence[int] = (0,),
    ) -> Completed:
        self.commands += 1
        return self._host.run(argv, stdin=stdin, timeout=timeout, ok=ok)

    def bulk_argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        return self._host.bulk_argv(argv)

    def close(self) -> None:
        self._host.close()


class World(Protocol):
    """A Zfs, a fresh mounted dataset `root` to play in, and what tests do behind ZFS's back."""

    zfs: Zfs
    root: DatasetName

    @property
    def commands(self) -> int:
        """How many programs the implementation ran so far."""
        ...

    def write(self, dataset: DatasetName, size: int = 64 * 1024) -> None:
        """Add incompressible data to a mounted dataset."""
        ...

    def use(self, dataset: DatasetName) -> AbstractContextManager[None]:
        """A process is inside the mounted dataset."""
        ...

    def add_foreign(self) -> None:
        """`not ours@a snapshot` below root, and `@odd one` of root with the hold `a tag`."""
        ...

    def pipe(self, spec: SendSpec, destination: DatasetName) -> None:
        """Send and receive; a refusal of the receiver as the ZfsError it means."""
        ...

    def break_pipe(self, spec: SendSpec, destination: DatasetName) -> None:
        """The same, but the stream ends in the middle."""
        ...


class FakeWorld:
    def __init__(self) -> None:
        self.zfs: Zfs
        self._fake = self.zfs = FakeZfs(new_pool("fake"))
        self.root = DatasetName("fake/t")
        self.zfs.create(self.root, {})

    @property
    def commands(self) -> int:
        return 0

    def write(self, dataset: DatasetName, size: int = 64 * 1024) -> None:
        self._fake.pool = datasets.write(self._fake.pool, dataset, size)

    @contextmanager
    def use(self, dataset: DatasetName) -> Iterator[None]:
        self._fake.pool = datasets.use(self._fake.pool, dataset)
        yield
        self._fake.pool = datasets.use(self._fake.pool, dataset, in_use=False)

    def add_foreign(self) -> None:
        odd = self.root / "not ours"
        self._fake.create(odd, {"com.example:note": "one\ttwo\nthree"})
        self._fake.snapshot([odd.at("a snapshot")], {})
        self._fake.snapshot([self.root.at("odd one")], {})
        self._fake.hold([self.root.at("odd one")], "a tag")

    def pipe(self, spec: SendSpec, destination: DatasetName) -> None:
        transfer(self._fake, spec, self._fake, destination)

    def break_pipe(self, spec: SendSpec, destination: DatasetName) -> None:
        half = streams.send(self._fake.pool, spec).size // 2
        try:
            transfer(self._fake, spec, self._fake, destination, upto=half)
        except CommandFailed:
            return
        raise AssertionError("a broken stream arrived")


class RealWorld:
    def __init__(self, make: Callable[[Host], Zfs], host: Host, pool: str) -> None:
        self._host = CountingHost(host)
        self.zfs = make(self._host)
        self.root = DatasetName(f"{pool}/t-{uuid4().hex[:12]}")
        self.zfs.create(self.root, {})

    @property
    def commands(self) -> int:
        return self._host.commands

    def _path(self, dataset: DatasetName) -> Path:
        return Path(self.zfs.get(dataset, ("mountpoint",))["mountpoint"])

    def write(self, dataset: DatasetName, size: int = 64 * 1024) -> None:
        (self._path(dataset) / uuid4().hex).write_bytes(os.urandom(size))

    @contextmanager
    def use(self, dataset: DatasetName) -> Iterator[None]:
        inside = os.open(self._path(dataset), os.O_RDONLY)
        try:
            yield
        finally:
            os.close(inside)

    def add_foreign(self) -> None:
        odd = f"{self.root}/not ours"
        for command in (
            ("zfs", "create", "-o", "com.example:note=one\ttwo\nthree", odd),
            ("zfs", "snapshot", f"{odd}@a snapshot"),
            ("zfs", "snapshot", f"{self.root}@odd one"),
            ("zfs", "hold", "a tag", f"{self.root}@odd one"),
        ):
            self._host.run(command)

    def pipe(self, spec: SendSpec, destination: DatasetName) -> None:
        self._receive(self._stream(spec), destination)

    def break_pipe(self, spec: SendSpec, destination: DatasetName) -> None:
        stream = self._stream(spec)
        try:
            self._receive(stream[: len(stream) // 2], destination)
        except ZfsError:
            return
        raise AssertionError("a broken stream arrived")

    def _stream(self, spec: SendSpec) -> bytes:
        done = subprocess.run(self.zfs.send_argv(spec), capture_output=True, check=False)
        if done.returncode:
            raise error_from_text(done.stderr.decode(), what="send", where="here")
        return done.stdout

    def _receive(self, stream: bytes, destination: DatasetName) -> None:
        command = self.zfs.receive_argv(destination)
        done = subprocess.run(command, input=stream, capture_output=True, check=False)
        if done.returncode:
            raise error_from_text(done.stderr.decode(), what="receive", where="here")


def ssh_to_here() -> Host:
    """This machine once more, by way of its sshd."""
    from zrep.host.ssh import SshHost
    from zrep.host.ssh_argv import SshEndpoint

    endpoint = SshEndpoint(
        address="localhost", user="root", key_file=SSH_KEY or "", known_hosts=KNOWN_HOSTS or ""
    )
    return SshHost(name="localhost-by-ssh", endpoint=endpoint)


def worlds() -> dict[str, Callable[[], World]]:
    """Every implementation that can run here. On a machine without ZFS that is the fake."""
    found: dict[str, Callable[[], World]] = {"fake": FakeWorld}
    if POOL is not None:
        pool = POOL
        found["cli"] = lambda: RealWorld(CliZfs, LocalHost(), pool)
        found["lzc"] = lambda: RealWorld(LzcZfs, LocalHost(), pool)
        if SSH_KEY and KNOWN_HOSTS:
            host = ssh_to_here()
            found["cli-ssh"] = lambda: RealWorld(CliZfs, host, pool)
    return found


def child(world: World, name: str) -> DatasetName:
    """A new mounted filesystem below the world's root."""
    dataset = world.root / name
    world.zfs.create(dataset, {})
    return dataset


def seen(world: World, dataset: DatasetName) -> Dataset:
    """The dataset as the inventory of the world's root has it."""
    found = world.zfs.inventory(world.root).get(dataset)
    assert found is not None, f"{dataset} is not there"
    return found


def snaps(world: World, dataset: DatasetName) -> list[str]:
    return [s.name.snap for s in seen(world, dataset).snapshots]


def take(world: World, dataset: DatasetName, *names: str) -> list[SnapshotName]:
    """One snapshot after the other."""
    made = [dataset.at(name) for name in names]
    for name in made:
        world.zfs.snapshot((name,), {})
    return made


def story(world: World, dataset: DatasetName, *names: str) -> list[Snapshot]:
    """Snapshots with new data before each, as the inventory shows them."""
    for name in names:
        world.write(dataset)
        take(world, dataset, name)
    return list(seen(world, dataset).snapshots)


def layout(world: World) -> object:
    """All that a refused operation must leave as it was; sizes may move in a real pool."""
    return [
        (
            d.name,
            d.guid,
            d.mounted,
            d.resume_token,
            d.properties,
            d.bookmarks,
            d.snapshots and [replace(s, used=0, written=0, referenced=0) for s in d.snapshots],
        )
        for d in world.zfs.inventory(world.root)
    ]
