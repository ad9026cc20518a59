"""The saved world in the cache: all machines, set up and running, ready to continue."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from lab import build, deps, store
from lab.accel import choose_accel
from lab.host import capture
from lab.image import Image, ensure_image, images_folder
from lab.lan import start_switch
from lab.node import Node
from lab.nodes import TEMPLATE
from lab.progress import Progress
from lab.qemu import BINARY, hardware
from lab.tables import TABLES, USUAL, Table
from lab.vm import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedWorld:
    """Disks, states and host keys of all nodes, for one image and one accelerator."""

    folder: Path
    image: Image
    accel: str

    def place(self, *, folder: Path, sockets: Path, owner: int | None) -> Place:
        """Where a run of this world lives."""
        return self._place(folder=folder, sockets=sockets, owner=owner, base=self.folder)

    def _place(self, *, folder: Path, sockets: Path, owner: int | None, base: Path) -> Place:
        return Place(
            folder=folder,
            sockets=sockets,
            saved=base,
            image=self.image,
            known_hosts=base / "known_hosts",
            accel=self.accel,
            owner=owner,
            stopping=Event(),
        )

    def build(self, building: Path, progress: Progress, table: Table) -> None:
        """Fill `building` with everything this world is."""
        sockets = store.socket_folder(str(building))
        place = self._place(folder=building, sockets=sockets, owner=os.getpid(), base=building)
        template = Node(TEMPLATE, place)
        nodes = [Node(spec, place) for spec in table.nodes]
        for node in (template, *nodes):
            build.trust(place.known_hosts, name=node.name, public=self.image.bootstrap_key)
        switch = start_switch(sockets / "lan", log=building / "lan.log", owner=place.owner)
        try:
            known_hosts = place.known_hosts
            builder = build.Builder(nodes, progress, known_hosts=known_hosts, hosts=table.hosts)
            builder.build(template)
        finally:
            for node in (template, *nodes):
                node.abandon()
            switch.end(grace=5)
            store.remove(sockets)
        (building / "accel").write_text(self.accel)
        (building / "image").write_text(self.image.key)


def worlds_folder() -> Path:
    return store.cache_root() / "worlds"


def world_key(image: Image, accel: str, table: Table = USUAL) -> str:
    """Changes with the image, the nodes and their setup, and the kind of machine saved for."""
    files = [*build.setup_files(), store.HERE / "nodes.py"]
    words = (build.FORMAT, image.key, _processor(accel), _qemu_version(), *hardware(accel))
    return store.key_of((*words, *table.key_words), files=files)


def _qemu_version() -> str:
    return capture((BINARY, "--version")).splitlines()[0]


def _processor(accel: str) -> str:
    """A state saved with the host's processor continues on that kind only."""
    if accel != "kvm":
        return "emulated"
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return " ".join(sorted({line for line in lines if line.startswith(("model name", "flags"))}))


def load_saved(key: str) -> SavedWorld:
    """A world that is in the cache."""
    folder = worlds_folder() / key
    image = Image(folder=images_folder() / (folder / "image").read_text())
    return SavedWorld(folder=folder, image=image, accel=(folder / "accel").read_text())


def ensure_saved(
    progress: Progress, *, in_use: Callable[[], set[str]], table: Table = USUAL
) -> SavedWorld:
    """Today's world, built if need be; then older ones are removed, unless `in_use` names them."""
    root = store.cache_root()
    with store.locked(root / "build.lock", progress=progress):
        deps.ensure(progress, log=root / "deps.log")
        image = ensure_image(progress)
        accel = choose_accel(image, progress)
        folder = worlds_folder() / world_key(image, accel, table)
        if not folder.exists():
            world = SavedWorld(folder=folder, image=image, accel=accel)
            usual = build.USUAL_SECONDS
            with (
                progress.step("building the world", usual=usual),
                store.completed(folder) as building,
            ):
                world.build(building, progress, table)
            todays = {world_key(image, accel, each) for each in TABLES.values()}
            _prune(keep={*todays, *in_use()})
    return load_saved(folder.name)


def _prune(*, keep: set[str]) -> None:
    store.prune(worlds_folder(), keep=keep)
    worlds = [load_saved(name) for name in keep if (worlds_folder() / name).exists()]
    store.prune(images_folder(), keep={world.image.key for world in worlds})


def clean() -> None:
    """Remove everything the lab has built; nothing may run."""
    root = store.cache_root()
    for name in ("worlds", "images"):
        store.remove(root / name)
