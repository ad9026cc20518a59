"""A pool in the layout of the scripts before zrep: adopted where it lies, browsed, gone on with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.deploy import Site
from lab.node import Node
from lab.world import World
from tests.lab.cli import Zrep, tree_sum

IDS = ("20220903_003826", "20220906_082043", "20220907_030000")
MAIL, STRAY = "manager-1@+srv+mail", "solr-9@+docker_local"
CONFIG = "/etc/zrep/old.toml"
REPLICA = """\
[replica.copy]
dataset = "old/copy"
policy = "offsite"
"""
# As the scripts did it: one dataset, folders that rsync wrote to, snapshots by the local clock. The
# copies beside the pool prove what is found later.
MAKE = f"""
set -e
zpool destroy old 2>/dev/null || true
rm -rf /root/was /root/out /var/tmp/old && mkdir -p /root/was
truncate -s 1G /var/tmp/old
zpool create -f -m /old -O compression=gzip-7 old /var/tmp/old
zfs create old/current
mkdir -p '/old/current/{MAIL}/files' '/old/current/{STRAY}/var'
keep() {{
    cp -a '/old/current/{MAIL}' /root/was/$1
    zfs snapshot old/current@snap_$1
}}
cd '/old/current/{MAIL}/files'
echo one >report && chmod 640 report && chown 4711:4712 report && ln -s /etc/passwd sly
head -c 8M /dev/urandom >'../a big one'
head -c 1M /dev/urandom >'/old/current/{STRAY}/var/core'
keep {IDS[0]}
echo the second >report
keep {IDS[1]}
zfs snapshot old/current@by_hand
rm report
keep {IDS[2]}
cd /
zfs create -o canmount=off -o readonly=on old/copy
"""


@pytest.fixture(scope="module")
def node(world: World, local_site: Site) -> Iterator[Node]:
    found = world.node(local_site.target)
    found.run(MAKE)
    text = found.run("cat /etc/zrep/zrep.toml").stdout
    mine = text.replace(f'dataset = "{local_site.dataset}"', 'dataset = "old/current"')
    found.push_bytes((mine.partition("[replica.")[0] + REPLICA).encode(), CONFIG)
    yield found
    found.run("zpool destroy old; rm -rf /var/tmp/old /root/was /root/out")


class Old(Zrep):
    """zrep with the configuration of the old pool."""

    def __call__(self, *args: str, timeout: float = 600, status: int = 0) -> Any:
        return super().__call__("--config", CONFIG, *args, timeout=timeout, status=status)


@pytest.fixture(scope="module")
def zrep(node: Node) -> Old:
    return Old(node)


@pytest.fixture(scope="module")
def imported(zrep: Old, node: Node) -> dict[str, Any]:
    """What `zrep import-layout` said, and what it left alone."""
    before, guids = used(node), snapshots(node)
    plan = zrep.json("import-layout", "--dry-run")
    assert marks(node) == {"-"}
    done: dict[str, Any] = zrep.json("import-layout")
    assert done == plan
    assert snapshots(node) == guids
    assert used(node) - before < 1 << 20
    return done


def used(node: Node) -> int:
    node.run("zpool sync old")
    return int(node.run("zfs get -H -p -o value used old/current").stdout)


def snapshots(node: Node) -> str:
    return node.run("zfs list -H -p -r -t snapshot -o name,guid,createtxg old/current").stdout


def marks(node: Node) -> set[str]:
    argv = "zfs get -H -r -t snapshot -o value io.zrep:imported old/current"
    return set(node.run(argv).stdout.split())


def test_each_snapshot_of_the_scripts_is_listed_and_nothing_else(
    zrep: Old, node: Node, imported: dict[str, Any]
) -> None:
    assert [(f["folder"], f["source"], f["configured"]) for f in imported["folders"]] == [
        (MAIL, "manager-1/mail", True),
        (STRAY, "solr-9/docker_local", False),
    ]
    found = [b for b in zrep.backups() if b["imported"]]
    assert [b["id"] for b in found] == [*reversed(IDS)]
    assert {(b["state"], b["consistency"], *b["classes"]) for b in found} == {
        ("complete", "none", "manual")
    }
    assert zrep.json("show", IDS[0])["children"][0]["folder"] == MAIL
    assert node.run("zfs get -H -o value io.zrep:imported old/current@by_hand").stdout == "-\n"


def test_a_second_import_finds_nothing_to_do(
    zrep: Old, node: Node, imported: dict[str, Any]
) -> None:
    assert imported["imported"]
    all_of_it = "zfs get -H -r -t snapshot -s local all old/current"
    before = node.run(all_of_it).stdout
    assert zrep.json("import-layout")["imported"] == []
    assert zrep.json("import-layout", "--again")["imported"] == []
    assert node.run(all_of_it).stdout == before


@pytest.mark.parametrize("backup", IDS)
def test_a_mounted_one_is_byte_for_byte_what_the_scripts_wrote(
    zrep: Old, node: Node, imported: dict[str, Any], backup: str
) -> None:
    assert imported["imported"]
    session = zrep.json("mount", backup)
    assert set(session["paths"]) == {"manager-1/mail", "solr-9/docker_local"}
    assert tree_sum(node, session["paths"]["manager-1/mail"]) == tree_sum(
        node, f"/root/was/{backup}"
    )
    holds = node.run(f"zfs holds -H old/current@snap_{backup}").stdout.splitlines()
    assert [line.split("\t")[1] for line in holds] == [f"zrep:session:{session['session']}"]
    zrep("umount", session["session"])
    assert node.run(f"zfs holds -H old/current@snap_{backup}").stdout == ""


def test_a_file_is_found_compared_printed_and_copied(
    zrep: Old, node: Node, imported: dict[str, Any]
) -> None:
    assert imported["imported"]
    path = "/srv/mail/files/report"
    found = zrep.json("find", path)
    seen = [(v["size"], v["mode"], v["uid"], v["gid"], v["backups"]) for v in found["versions"]]
    assert seen == [
        (len("one\n"), "0640", 4711, 4712, [IDS[0]]),
        (len("the second\n"), "0640", 4711, 4712, [IDS[1]]),
    ]
    assert [d["after"] for d in found["deleted"]] == [IDS[1]]
    assert zrep("diff", IDS[1], IDS[2]).stdout == "- manager-1/mail/files/report\n"
    assert zrep("cat", IDS[0], path).stdout == "one\n"
    zrep("cat", IDS[0], "manager-1/mail/files/sly", status=5)
    zrep("cp", f"{IDS[1]}:/srv/mail", "/root/out")
    assert tree_sum(node, "/root/out") == tree_sum(node, f"/root/was/{IDS[1]}")


def test_new_backups_lie_beside_the_old_ones_and_prune_keeps_what_is_manual(
    zrep: Old, node: Node, imported: dict[str, Any]
) -> None:
    assert imported["imported"]
    before = tree_sum(node, f"/old/current/{MAIL}")
    zrep("sync")
    newest = zrep.backups()[0]
    assert (newest["imported"], newest["state"]) == (False, "complete")
    assert {c["snapshot"].partition("@")[0] for c in newest["children"]} == {
        "old/current/manager-1/docker",
        "old/current/manager-1/mail",
        "old/current/cassandra-1/local",
    }
    assert tree_sum(node, f"/old/current/{MAIL}") == before
    assert [b["id"] for b in zrep.backups()][1:] == [*reversed(IDS)]
    plan = zrep.json("prune", "--dry-run")["backups"]
    assert {(b["id"], b["fate"]) for b in plan} >= {(i, "keep") for i in IDS}
    assert not [s for b in plan for s in b["snapshots"] if s.endswith("@by_hand")]
    assert "manual: kept for ever" in zrep("explain", IDS[0]).stdout


def test_a_replica_carries_the_history_and_lists_it(
    zrep: Old, node: Node, imported: dict[str, Any]
) -> None:
    assert imported["imported"]
    report = zrep.json("replicate", "copy")
    assert not report["failed"]
    names = node.run("zfs list -H -d 1 -t snapshot -o name old/copy/zrep:imported").stdout
    assert names.split() == [f"old/copy/zrep:imported@snap_{i}" for i in IDS]
    session = zrep.json("mount", IDS[1], "--source", "manager-1/mail", "--from", "copy")
    assert tree_sum(node, session["paths"]["manager-1/mail"]) == tree_sum(
        node, f"/root/was/{IDS[1]}"
    )
    zrep("umount", session["session"], "--from", "copy")
    assert zrep.json("replicate", "copy")["sent"] == []


def test_an_import_can_be_taken_back_and_done_again(
    zrep: Old, node: Node, imported: dict[str, Any]
) -> None:
    assert imported["imported"]
    node.run("zfs inherit -r io.zrep:imported old/current")
    assert not [b for b in zrep.backups() if b["imported"]]
    assert len(zrep.json("import-layout")["imported"]) == len(IDS)
    assert [b["id"] for b in zrep.backups() if b["imported"]] == [*reversed(IDS)]


def test_an_imported_one_goes_when_its_class_lets_it_go_and_no_other(
    zrep: Old, node: Node, imported: dict[str, Any]
) -> None:
    """Frequent ones are not kept at all; the base of the replica is held, by_hand is nobody's."""
    assert imported["imported"]
    zrep("replicate", "copy")
    zrep("import-layout", "--again", "--class", "frequently")
    done = zrep.json("prune")
    assert sorted(done["destroyed"]) == [f"old/current@snap_{i}" for i in IDS[:2]]
    left = node.run("zfs list -H -d 1 -t snapshot -o name old/current").stdout.split()
    assert left == ["old/current@by_hand", f"old/current@snap_{IDS[2]}"]
