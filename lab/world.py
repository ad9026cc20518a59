"""The running lab, as the command line and the tests use it."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from lab import build, saved, store
from lab.errors import LabError
from lab.host import Process
from lab.lan import start_switch
from lab.node import Node
from lab.progress import Progress
from lab.saved import SavedWorld, load_saved
from lab.tables import USUAL, Table, table_called
from lab.vm import Place

USUAL_RESUME = 10


class World:
    """One run of the deployment: machines, and the network between them.

    >>> world = World.load()
    >>> world.ensure_up(["target", "offsite"])
    >>> world.node("target").run("zpool list -H -o name").stdout
    'backup\\n'
    """

    def __init__(self, run: str, progress: Progress, table: Table = USUAL) -> None:
        self.progress = progress
        self.table = table
        self.run_name = run
        self._folder = store.cache_root() / "runs" / run
        self._sockets = store.socket_folder(str(self._folder))

    @classmethod
    def load(cls, *, run: str | None = None, quiet: bool = False, table: str | None = None) -> Self:
        """The run $ZREP_LAB_RUN, or `default`; runs know nothing of each other.

        `table`, or $ZREP_LAB_WORLD, says which nodes there are (`usual`, `uat`).
        """
        nodes = table_called(table or os.environ.get("ZREP_LAB_WORLD", USUAL.name))
        name = run or os.environ.get("ZREP_LAB_RUN", "default")
        return cls(name, Progress(quiet=quiet), nodes)

    def build(self) -> SavedWorld:
        """Have image and world in the cache."""
        return saved.ensure_saved(self.progress, in_use=worlds_in_use, table=self.table)

    def ensure_up(
        self, names: Sequence[str] = (), *, tied: bool = True, owner: int | None = None
    ) -> None:
        """Have the named nodes (all, if none) running; what is missing is built first.

        Running nodes are left as they are, others continue from the saved state. With `tied`, the
        machines end with the process `owner` (this one) at the latest.
        """
        owner = (owner or os.getpid()) if tied else None
        specs = [self.table.spec_of(name) for name in names] or list(self.table.nodes)
        world = self.build()
        with self._locked():
            self._begin_run(world, owner=owner)
            place = self._place(owner=owner)
            absent = [n for n in (Node(spec, place) for spec in specs) if not n.alive()]
            if absent:
                with self.progress.step(f"resuming {listing(absent)}", usual=USUAL_RESUME):
                    self._resume(absent)

    def node(self, name: str) -> Node:
        """A node of this run, up or not."""
        return Node(self.table.spec_of(name), self._place())

    def running(self) -> list[Node]:
        """The nodes whose machines run."""
        if self._record() is None:
            return []
        place = self._place()
        return [node for node in (Node(spec, place) for spec in self.table.nodes) if node.alive()]

    def reset(self, names: Sequence[str] = ()) -> None:
        """Put the named nodes (all that run, if none) back to the saved state, running."""
        with self._locked():
            nodes = [self.node(name) for name in names] or self.running()
            with self.progress.step(f"resetting {listing(nodes)}", usual=USUAL_RESUME):
                self._resume(nodes)

    def down(self) -> None:
        """End all machines of this run and forget what they did."""
        with self._locked():
            self._end_run()

    # -- the run on disk: run.json names its world and its switch

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = self._folder.with_name(f"{self.run_name}.lock")
        with store.locked(lock, progress=self.progress):
            yield

    def _record(self) -> tuple[str, Process] | None:
        return read_record(self._folder)

    def _place(self, *, owner: int | None = None) -> Place:
        record = self._record()
        if record is None:
            raise LabError("nothing is up", hint="lab up")
        world = load_saved(record[0])
        tie = owner if owner is not None else read_owner(self._folder)
        return world.place(folder=self._folder, sockets=self._sockets, owner=tie)

    def _begin_run(self, world: SavedWorld, *, owner: int | None) -> None:
        record = self._record()
        if record and record[0] != world.folder.name and self.running():
            raise LabError("the machines that run are of an older world", hint="lab down, lab up")
        if record and record[0] == world.folder.name and record[1].alive():
            return
        self._end_run()
        self._folder.mkdir(parents=True)
        lan = store.socket_folder(str(self._folder)) / "lan"
        switch = start_switch(lan, log=self._folder / "lan.log", owner=owner)
        record_text = json.dumps(
            {
                "world": world.folder.name,
                "switch": switch.pid,
                "switch_born": switch.born,
                "owner": owner,
            }
        )
        (self._folder / "run.json").write_text(record_text)

    def _resume(self, nodes: Sequence[Node]) -> None:
        def abandon() -> None:
            for node in nodes:
                node.abandon()

        try:
            build.in_parallel(nodes, Node.resume, abandon=abandon)
        except BaseException:
            abandon()
            if not self.running():
                self._end_run()
            raise

    def _end_run(self) -> None:
        record = self._record()
        if record:
            for node in self.running():
                node.power_cut()
            record[1].end(grace=5)
        store.remove(self._folder)
        store.remove(self._sockets)


def read_record(run: Path) -> tuple[str, Process] | None:
    """World and switch of a run; None if there is no such run (any more)."""
    try:
        record = json.loads((run / "run.json").read_text())
    except FileNotFoundError:
        return None
    if not (saved.worlds_folder() / record["world"]).exists():
        return None
    return record["world"], Process(pid=record["switch"], born=record["switch_born"])


def read_owner(run: Path) -> int | None:
    """The process that the machines of a run end with; None when they end with none."""
    try:
        owner: int | None = json.loads((run / "run.json").read_text()).get("owner")
    except FileNotFoundError:
        return None
    return owner


def worlds_in_use() -> set[str]:
    """Keys of the worlds whose runs have a living switch."""
    records = (read_record(run) for run in (store.cache_root() / "runs").glob("*/"))
    return {record[0] for record in records if record and record[1].alive()}


def listing(nodes: Sequence[Node]) -> str:
    return ", ".join(node.name for node in nodes)
