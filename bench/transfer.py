"""What zrep adds to rsync, how soon a backup can be looked into, and what `parallel` saves, on the
lab's machines.

A source of many small files of which none has changed: `zrep sync` and plain `rsync` of the same
files between the same hosts, in turns; with inodes in memory from the time before and then, as a
nightly run finds them, with none on either host. `zrep mount` of its backup until `ls` has
printed the first byte of its folder. Two such sources on two hosts, one after the other and both at
once. `python -m bench.transfer [FILES [PART...]]`, of the parts rsync, cold, look and parallel; all
of them with 100,000 files take more than an hour on emulated machines.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from lab.deploy import Site, config_text, deploy, install_config, install_role
from lab.node import Node
from lab.world import World

ROUNDS = 3
PARTS = ("rsync", "cold", "look", "parallel")
SITE = Site(replica="offsite")
ONE = """
[set.platform.source.mail]
host = "manager-1"
method = "lvm"
volume = "vg_docker/tlv_mail"
path = "/srv/mail"
"""
OTHER = """
[set.platform.source.local]
hosts = ["cassandra-1"]
method = "lvm"
volume = "vg_docker_local/lv_docker_local"
path = "/docker_local"
"""
BOTH_AT_ONCE = f"\n[set.platform]\nparallel = 2\n{ONE}{OTHER}"
# The words that zrep's own transfer has (zrep.source.rsync.PROFILE), without its daemon.
PLAIN = (
    "rsync -aHAX --numeric-ids --inplace --no-whole-file --delete-delay --stats "
    "-e 'ssh -i /root/plain -o StrictHostKeyChecking=no' "
    "root@manager-1:/srv/mail/ /backup/plain/ >/dev/null"
)
# When it began and when the first name was there, in seconds, and the session. No program runs in
# between but these two.
LOOK = r"""
begun=$EPOCHREALTIME
zrep mount latest --source manager-1/mail >/tmp/mounted
while IFS=$'\t' read -r words folder; do [ -z "$folder" ] || break; done </tmp/mounted
read -r -n1 name < <(ls "$folder")
listed=$EPOCHREALTIME
[ -n "$name" ] && echo $begun $listed $(sed -n 's/^session \([^ ,]*\), .*/\1/p' /tmp/mounted)
"""
# Folders of a thousand files of a few hundred bytes.
FILL = """
import os, sys
root, count = sys.argv[1], int(sys.argv[2])
for n in range(count):
    if n % 1000 == 0:
        folder = f"{root}/many/{n // 1000}"
        os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{n}", "wb") as file:
        file.write(b"%d\\n" % n * (20 + n % 50))
"""


def main() -> None:
    files = int(sys.argv[1]) if sys.argv[1:] else 100_000
    parts = sys.argv[2:] or PARTS
    world = World.load(run="bench")
    try:
        world.ensure_up(SITE.nodes, tied=True)
        deploy(world, SITE)
        target = world.node("target")
        manager = world.node("manager-1")
        manager.run("lvextend -q -L 2G vg_docker/tlv_mail && xfs_growfs /srv/mail")
        fill(manager, "/srv/mail", files)
        configure(world, ONE)
        print(f"first copy: {timed(target, 'zrep sync >/dev/null'):.1f} s", flush=True)
        if {"rsync", "cold"} & set(parts):
            compare_with_rsync(world, target, parts)
        if "look" in parts:
            look_into(target)
        if "parallel" in parts:
            fill(world.node("cassandra-1"), "/docker_local", files)
            compare_parallel(world, target)
    finally:
        world.down()


def fill(node: Node, folder: str, files: int) -> None:
    print(f"making {files} files in {folder} of {node.name}", flush=True)
    node.push_bytes(FILL.encode(), "/root/fill.py")
    node.run(f"python3 /root/fill.py {folder} {files} && sync", timeout=3600)


def compare_with_rsync(world: World, target: Node, parts: Sequence[str]) -> None:
    target.run(
        "ssh-keygen -q -t ed25519 -N '' -f /root/plain; zfs clone -o compression=gzip-7 -o "
        f"atime=off -o xattr=sa -o acltype=posix {newest_copy(target)} backup/plain"
    )
    key = target.run("cat /root/plain.pub").stdout
    manager = world.node("manager-1")
    manager.run(f"echo '{key.strip()}' >>/root/.ssh/authorized_keys")
    runs: dict[str, Callable[[], float]] = {
        "plain rsync": lambda: timed(target, PLAIN),
        "zrep sync": lambda: timed(target, "zrep sync >/dev/null"),
    }
    if "rsync" in parts:
        print("nothing has changed since:", flush=True)
        tell(take_turns(runs))
    if "cold" in parts:
        print("nothing has changed since, no inode is in memory:", flush=True)
        tell(take_turns(runs, before=lambda: forget((manager, target))))


def forget(nodes: Sequence[Node]) -> None:
    """Neither host has an inode in memory, as when a day went by since the run before; programs
    that run all day, as docker does, still are."""
    for node in nodes:
        node.run("sync; for i in 1 2 3; do echo 2 >/proc/sys/vm/drop_caches; sleep 1; done")


def newest_copy(target: Node) -> str:
    """The snapshot of the source in its backup: a first copy that needs no transfer."""
    line = "zfs list -H -o name -S creation -t snapshot backup/current/manager-1/mail | head -1"
    return target.run(line).stdout.strip()


def look_into(target: Node) -> None:
    """On the machine itself, as an operator sees it."""
    print("a backup is mounted and its folder listed:", flush=True)
    times = []
    for _ in range(ROUNDS):
        begun, listed, session = target.run(LOOK).stdout.split()
        times.append(float(listed) - float(begun))
        target.run(f"zrep umount {session}")
    each = ", ".join(f"{t:.1f}" for t in times)
    print(
        f"  mount to the first byte median {statistics.median(times):.2f} s  ({each})", flush=True
    )


def compare_parallel(world: World, target: Node) -> None:
    configure(world, ONE + OTHER)
    target.run("zrep sync >/dev/null", timeout=3600)
    print("two sources on two hosts, nothing has changed:", flush=True)

    def run(text: str) -> float:
        configure(world, text)
        return timed(target, "zrep sync >/dev/null")

    runs = {
        "one after the other": lambda: run(ONE + OTHER),
        "parallel = 2": lambda: run(BOTH_AT_ONCE),
    }
    tell(take_turns(runs))


def configure(world: World, sources: str) -> None:
    install_config(world, SITE, config_text(replace(SITE, platform=sources)))
    for name in SITE.sources:
        if f'"{name}"' in sources:
            install_role(world, SITE, name, f"--host {name}")


def timed(node: Node, line: str) -> float:
    begun = time.monotonic()
    node.run(line, timeout=3600)
    return time.monotonic() - begun


def take_turns(
    runs: dict[str, Callable[[], float]], before: Callable[[], None] = lambda: None
) -> dict[str, list[float]]:
    """So that what else the machine does falls on all of them; `before` each, untimed."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            before()
            found[name].append(run())
    return found


def tell(found: dict[str, list[float]]) -> None:
    medians = {name: statistics.median(times) for name, times in found.items()}
    first, second = medians
    for name, times in found.items():
        each = ", ".join(f"{t:.1f}" for t in times)
        print(f"  {name:22} median {medians[name]:7.1f} s  ({each})", flush=True)
    print(f"  {second} / {first}: {medians[second] / medians[first]:.2f}", flush=True)


if __name__ == "__main__":
    main()
