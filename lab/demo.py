"""`make demo`: the main job on real hosts, with the real command, from nothing.

Every command below is run as it is shown, on the node whose prompt is shown; the output is what
it printed. What can be checked is checked: the demo ends with status 1 when a promise fails.
"""

import json
import shlex
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.deploy import QUIESCED, Site, deploy
from lab.errors import LabError
from lab.node import Node
from lab.world import World

SITE = Site(policy="demo", platform=QUIESCED)
POLICY = """\
# For the demo: of backups made by hand the newest one stays, and no other class is counted.
hourly = 0
daily = 0
monthly = 0
manual = 1
"""
MAIL = "manager-1/mail"


class Broken(Exception):
    """A promise that did not hold."""


@dataclass(frozen=True)
class Stage:
    """Tells the story and runs it."""

    world: World

    def say(self, text: str) -> None:
        print(
            "\n"
            + textwrap.fill(
                " ".join(text.split()), 88, initial_indent="# ", subsequent_indent="# "
            ),
            flush=True,
        )

    def at(self, name: str) -> Node:
        return self.world.node(name)

    def show(self, name: str, line: str) -> str:
        """Run `line` on the node and show both; returns what it printed."""
        print(f"root@{name}:~# {line}", flush=True)
        done = self.at(name).run(line, timeout=900, check=False)
        print(textwrap.indent((done.stderr + done.stdout).rstrip(), "  "), flush=True)
        if done.returncode:
            raise Broken(f"{line}: status {done.returncode}")
        return done.stdout

    def ask(self, name: str, line: str) -> Any:
        """The JSON that a zrep command prints, without showing it."""
        return json.loads(self.at(name).run(f"{line} --json", timeout=900).stdout)

    def prove(self, what: str, *values: str) -> None:
        if len(set(values)) != 1 or not values[0]:
            raise Broken(f"{what}: {values}")
        print(f"  proved: {what}: {values[0][:16]}...", flush=True)


def main() -> None:
    begun = time.monotonic()
    world = World.load(run="demo")
    try:
        stage = open_stage(world)
        for act in ACTS:
            act(stage)
        print(f"\nDone in {time.monotonic() - begun:.0f} s.\n{WHERE_NEXT}", flush=True)
    except (Broken, LabError) as error:
        sys.exit(f"the demo failed: {error}")
    finally:
        world.down()


def open_stage(world: World) -> Stage:
    stage = Stage(world)
    stage.say(
        """A platform of real machines comes up: manager-1 runs a Docker Swarm whose services write
        to a Gluster volume at /docker, cassandra-1 a worker with an LVM volume at /docker_local;
        target holds the ZFS pool for backups, offsite another pool far away. The first time the
        machines are built from Debian packages, which takes about ten minutes."""
    )
    world.ensure_up(SITE.nodes, tied=True)
    for name in SITE.nodes:
        world.node(name).run("true")
    with world.progress.step("installing zrep on the nodes", usual=30):
        node = world.node(SITE.runner)
        node.run("mkdir -p /etc/zrep/policies")
        node.push_bytes(POLICY.encode(), "/etc/zrep/policies/demo.toml")
        deploy(world, SITE)
    return stage


def first_backup(stage: Stage) -> None:
    stage.say("This is all that zrep was told. Policies and capsules come with it.")
    stage.show("target", "cat /etc/zrep/zrep.toml")
    stage.say(
        """The first backup. The target asks the source hosts, through keys that can say only a few
        verbs, to pause their containers, to snapshot their volumes and to let go again; then it
        pulls each with rsync and publishes one atomic ZFS snapshot over all of them. So all of it
        is of one instant: see CONSISTENCY below."""
    )
    stage.show("target", "zrep sync platform")


def second_backup(stage: Stage) -> None:
    stage.say("Somebody works: a letter is written, another one changed.")
    stage.show(
        "manager-1",
        "head -c 2M /dev/urandom >/srv/mail/files/big-letter; "
        "echo 'dear all' >/srv/mail/files/letter; ls -l /srv/mail/files | head -5",
    )
    stage.say("The second backup moves and stores only what changed: see WRITTEN.")
    stage.show("target", "zrep sync platform")
    stage.show("target", "zrep list")
    stage.show("target", "zrep show latest")


def replicate(stage: Stage) -> None:
    stage.say("Every backup off-site too: first the plan, then the streams, then nothing to do.")
    stage.show("target", "zrep replicate offsite --dry-run")
    stage.show("target", "zrep replicate offsite")
    stage.show("target", "zrep replicate offsite")
    backup = stage.ask("target", "zrep show latest")
    snapshot = next(c["snapshot"] for c in backup["children"] if c["source"] == MAIL)
    copy = f"{SITE.replica_dataset}/{MAIL}@{snapshot.partition('@')[2]}"
    stage.say("Did it really cross? One checksum over names, owners, modes, links and contents.")
    source = stage.show("manager-1", "tree-sum /srv/mail/files")
    stage.show("offsite", f"mkdir -p /mnt/look && mount -t zfs -o ro {copy} /mnt/look")
    far = stage.show("offsite", "tree-sum /mnt/look/files")
    stage.show("offsite", "umount /mnt/look")
    stage.prove("the source and the off-site copy are the same", source.strip(), far.strip())


def lost_file(stage: Stage) -> None:
    stage.say("Now the letter is deleted. The backup is mounted as a clone, and it is taken back.")
    stage.show("manager-1", "rm /srv/mail/files/letter; cat /srv/mail/files/letter 2>&1 || true")
    session = stage.ask("target", "zrep mount latest --purpose 'a lost letter'")
    path = session["paths"][MAIL]
    stage.show("target", "zrep sessions")
    stage.show("target", f"cat {shlex.quote(path)}/files/letter")
    data = stage.at("target").pull_bytes(f"{path}/files/letter")
    stage.at("manager-1").push_bytes(data, "/srv/mail/files/letter")
    back = stage.show("manager-1", "cat /srv/mail/files/letter")
    stage.prove("the letter is back", back.strip(), "dear all")
    source = stage.at("manager-1").run("sha256sum </srv/mail/files/big-letter").stdout.split()[0]
    clone = stage.at("target").run(f"sha256sum <{path}/files/big-letter").stdout.split()[0]
    stage.prove("the source and the backup's clone are the same", source, clone)
    stage.show("target", f"zrep umount {session['session']}")


def prune(stage: Stage) -> None:
    stage.say("There are two backups now, one more than the policy of this demo keeps.")
    stage.show("target", "zrep prune --dry-run")
    stage.show("target", "zrep prune")
    stage.show("target", "zrep list")


ACTS: tuple[Callable[[Stage], None], ...] = (
    first_backup,
    second_backup,
    replicate,
    prune,
    lost_file,
)
WHERE_NEXT = """
Where to look next:
  lab/lab up && lab/lab ssh target    the same machines, to play with (lab/README.md)
  docs/configuration.md               what goes into zrep.toml
  docs/errors.md                      exit codes and messages
  make test                           everything that zrep promises, run on these machines"""


if __name__ == "__main__":
    main()
