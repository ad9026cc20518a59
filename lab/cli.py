"""The command line of the lab. stdout carries results, stderr what goes on."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from lab import saved, store
from lab.errors import LabError
from lab.nodes import NODES
from lab.tables import UAT
from lab.world import World

EXAMPLES = f"""\
nodes: {" ".join(spec.name for spec in NODES)}
with $ZREP_LAB_WORLD=uat: {" ".join(spec.name for spec in UAT.nodes)}

examples:
  lab up target offsite           two nodes, running in seconds once the world is built
  lab ssh target zpool status     a command on a node; without one, a shell
  lab cut target; lab start target
                                  a power cut, and the boot after it
  lab link manager-1 down         pull its network cable
  lab reset                       all running nodes back to the saved state
  lab down                        end all, and forget what they did

The first `up` installs QEMU and others with apt, builds an image and sets the nodes up: about ten
minutes. $ZREP_LAB_DIR says where that is kept (~/.cache/zrep-lab); $ZREP_LAB_RUN names a run of
machines of your own next to the one called `default`.
"""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="lab",
        description="Real hosts for zrep, in virtual machines.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, what: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=what, description=what)

    up = add("up", "have nodes running (all, if none is named), built if need be")
    up.add_argument("nodes", nargs="*", metavar="NODE")
    up.add_argument("--tied", action="store_true", help="end with the process that called this")
    add("down", "end all nodes and forget what they did")
    add("build", "have image and world in the cache, start nothing")
    reset = add("reset", "put nodes (all that run, if none is named) back to the saved state")
    reset.add_argument("nodes", nargs="*", metavar="NODE")
    status = add("status", "what runs, what is built, how much room it takes")
    status.add_argument("--json", action="store_true", help="for programs")
    ssh = add("ssh", "a command on a node as root, or a shell")
    ssh.add_argument("node", metavar="NODE")
    ssh.add_argument("words", nargs=argparse.REMAINDER, metavar="CMD")
    add_node_commands(add)
    add("clean", "end all nodes and remove everything built")
    return top


def add_node_commands(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """The commands for one running node."""
    for name, what in (("push", "copy a file or folder to a node"), ("pull", "and back")):
        copy = add(name, what)
        copy.add_argument("node", metavar="NODE")
        copy.add_argument("file", metavar="FILE")
        copy.add_argument("dest", metavar="DEST", nargs="?")
    for name, what in (
        ("cut", "power cut: the machine is gone at once"),
        ("start", "boot a cut machine from its disks"),
        ("wait", "wait until pools, mounts and services of a node are as the table says"),
        ("crash", "hit the reset button and wait until it is up again"),
    ):
        add(name, what).add_argument("node", metavar="NODE")
    link = add("link", "plug the LAN cable of a node in, or pull it")
    link.add_argument("node", metavar="NODE")
    link.add_argument("state", choices=("up", "down"))


def run(options: argparse.Namespace) -> int:
    world = World.load()
    match options.command:
        case "up":
            world.ensure_up(options.nodes, tied=options.tied, owner=os.getppid())
        case "down":
            world.down()
        case "build":
            world.build()
        case "reset":
            world.reset(options.nodes)
        case "status":
            show_status(world, as_json=options.json)
        case "clean":
            clean()
        case _:
            return run_on_node(world, options)
    return 0


def clean() -> None:
    """End the machines of all runs, and remove everything built."""
    for lock in (store.cache_root() / "runs").glob("*.lock"):
        World.load(run=lock.stem).down()
    saved.clean()


def run_on_node(world: World, options: argparse.Namespace) -> int:
    node = world.node(options.node)
    if options.command != "start" and not node.alive():
        raise LabError(f"{node.name} is not running", hint=f"lab up {node.name}, or lab start")
    match options.command:
        case "ssh":
            return enter(node.ssh_argv(), options.words)
        case "push":
            node.push(options.file, options.dest or "/root/")
        case "pull":
            node.pull(options.file, options.dest or Path(options.file).name)
        case "cut":
            node.power_cut()
        case "start":
            with world.progress.step(f"{node.name} boots", usual=40):
                node.start()
        case "crash":
            with world.progress.step(f"{node.name} is reset and boots", usual=40):
                node.crash()
        case "wait":
            with world.progress.step(f"{node.name} becomes healthy", usual=60):
                node.wait_healthy()
        case "link":
            node.link(options.state == "up")
    return 0


def enter(argv: Sequence[str], words: Sequence[str]) -> int:
    """Become ssh. Words are joined as ssh does it: quote for the node's shell."""
    words = words[1:] if words[:1] == ["--"] else words
    terminal = ("-t",) if not words and sys.stdin.isatty() else ()
    full = (argv[0], *terminal, *argv[1:], *words)
    os.execvp(full[0], full)  # noqa: S606  # the person's ssh, in place of us


def show_status(world: World, *, as_json: bool) -> None:
    report = status(world)
    if as_json:
        print(json.dumps(report, indent=2))
        return
    print(f"cache   {report['cache']}")
    for kind in ("images", "worlds", "runs"):
        for name, size in report[kind].items():
            print(f"{kind[:-1]:7} {name:18} {size / 2**20:8.0f} MiB")
    for row in report["nodes"]:
        print(f"node    {row['name']:12} {row['ip']:12} {'up' if row['up'] else '-'}")


def status(world: World) -> dict[str, Any]:
    """What `lab status --json` prints."""
    root = store.cache_root()
    running = {node.name for node in world.running()}
    sizes = {
        kind: {path.name: store.disk_use(path) for path in sorted((root / kind).glob("*/"))}
        for kind in ("images", "worlds", "runs")
    }
    nodes = [{"name": s.name, "ip": s.address, "up": s.name in running} for s in world.table.nodes]
    return {"cache": str(root), "run": world.run_name, **sizes, "nodes": nodes}


def on_terminate(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted; `ssh` gives the command's own."""
    options = parser().parse_args(argv)
    signal.signal(signal.SIGTERM, on_terminate)
    try:
        return run(options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted; what this command started has been ended", file=sys.stderr)
        return 130
