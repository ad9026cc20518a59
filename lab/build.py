"""Builds the world: boots every node of the table, sets it up, sees it healthy, and saves all of
them running, at one instant."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock

from lab import store
from lab.errors import LabError
from lab.node import SCRIPTS, Node
from lab.nodes import NODES
from lab.progress import Progress
from lab.qemu import lan_mac

FORMAT = "1"  # part of the key of a world: a new one makes saved worlds obsolete
USUAL_SECONDS = 120
USUAL_BOOT = 40
SETUP_FILES = (
    *("common.sh", "identity.sh", "swarm-init.sh", "service.sh", "healthy.sh", "settle.sh"),
    *("writer", "mount-docker", "lab-docker-volume.service"),
)


def setup_files() -> list[Path]:
    """Everything of guest/ that goes to a booted node."""
    scripts = {command[0] for spec in NODES for command in spec.setup}
    return sorted(store.HERE / "guest" / name for name in {*scripts, *SETUP_FILES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Swarm:
    """What the workers of a swarm wait for: its manager's word how to join."""

    address: str
    started: Event = field(default_factory=Event)
    token: list[str] = field(default_factory=list)


class Builder:
    """Boots one machine, and sets all nodes up in parallel, as clones of it."""

    def __init__(
        self, nodes: Iterable[Node], progress: Progress, *, known_hosts: Path, hosts: str
    ) -> None:
        self._nodes = list(nodes)
        self._hosts = hosts
        self._progress = progress
        self._known_hosts = known_hosts
        self._keys_lock = Lock()
        self._gate = Lock()
        self._swarms = {n.spec.swarm: Swarm(address=n.ip) for n in self._nodes if n.spec.manager}

    def build(self, template: Node) -> None:
        """Ends with the state of every machine saved. `template` is booted, the others are it."""
        try:
            self._boot_template(template)
        except BaseException:
            template.abandon()
            raise
        self._all(lambda node: self._set_up(node, template.folder))
        with self._progress.step("saving the running machines", usual=15):
            self._all(lambda node: script(node, "settle.sh"))
            self._all(Node.close)
            for node in self._nodes:
                node.pause()
            self._all(Node.save)
        store.remove(template.folder)

    def _boot_template(self, template: Node) -> None:
        with self._progress.step("the first machine boots", usual=USUAL_BOOT):
            template.boot_new()
            self._push_setup(template)
            template.run("sync")
            template.pause()
            template.save()

    def _all(self, action: Callable[[Node], object]) -> None:
        in_parallel(self._nodes, action, abandon=self._abandon)

    def _abandon(self) -> None:
        for node in self._nodes:
            node.abandon()
        for swarm in self._swarms.values():
            swarm.started.set()

    def _set_up(self, node: Node, template: Path) -> None:
        # Members of a swarm take longest: the others get ready one after the other meanwhile.
        with nullcontext() if node.spec.swarm else self._gate:
            with self._progress.step(f"{node.name} is set up"):
                node.clone(template)
                self._give_identity(node)
                for command in node.spec.setup:
                    script(node, *command)
                self._form_swarm(node)
            with self._progress.step(f"{node.name} becomes healthy"):
                node.wait_healthy()

    def _push_setup(self, template: Node) -> None:
        template.push_tree(store.HERE / "guest", [path.name for path in setup_files()], SCRIPTS)
        template.push_bytes(self._hosts.encode(), f"{SCRIPTS}/hosts")

    def _give_identity(self, node: Node) -> None:
        node.set_clock()
        entropy = os.urandom(64).hex()
        words = ("identity.sh", node.name, node.ip, lan_mac(node.ip), entropy)
        public = script(node, *words)
        node.close()
        with self._keys_lock:
            trust(self._known_hosts, name=node.name, public=public)

    def _form_swarm(self, node: Node) -> None:
        swarm = self._swarms.get(node.spec.swarm)
        if swarm is None:
            return
        if not node.spec.manager:
            self._join(node, swarm)
            return
        swarm.token.append(script(node, "swarm-init.sh", node.ip).strip())
        swarm.started.set()
        for member in self._nodes:
            for service in member.spec.services if member.spec.swarm == node.spec.swarm else ():
                script(node, "service.sh", service.name, member.name, service.folder)

    def _join(self, node: Node, swarm: Swarm) -> None:
        if not swarm.started.wait(900) or not swarm.token:
            raise LabError(f"{node.name} has no swarm to join")
        argv = ("docker", "swarm", "join", "--token", swarm.token[0], f"{swarm.address}:2377")
        node.run(argv, timeout=300)


def script(node: Node, name: str, *arguments: str) -> str:
    """Run a script of guest/ on a node; its stdout."""
    return node.run(("sh", f"{SCRIPTS}/{name}", *arguments), timeout=900).stdout


def in_parallel(
    nodes: Iterable[Node], action: Callable[[Node], object], *, abandon: Callable[[], None]
) -> None:
    """One thread per node; the first failure, or an interruption, abandons all of them."""
    todo = list(nodes)
    with ThreadPoolExecutor(max(1, len(todo))) as pool:
        futures = [pool.submit(action, node) for node in todo]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            failed = [f for f in futures if f.done() and f.exception()]
            for future in failed[:1]:
                future.result()
        except BaseException:
            abandon()
            raise


def trust(known_hosts: Path, *, name: str, public: str) -> None:
    """From now on `name` has this host key and no other."""
    others = known_hosts.read_text().splitlines() if known_hosts.exists() else []
    kept = [line for line in others if not line.startswith(f"{name} ")]
    kind, key = public.split()[:2]
    text = "\n".join((*kept, f"{name} {kind} {key}", ""))
    fresh = known_hosts.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(known_hosts)
