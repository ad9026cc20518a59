"""Method zfs on a real dataset of the node `offsite`, whose pool is called tank."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.node import Node
from lab.world import World
from tests.lab.source_hosts import SourceHosts, set_up
from zrep.errors import SourceFailed
from zrep.model.key import SourceKey
from zrep.model.source import Method, Source

RUN = "20260102_030405"
LATER = "20260102_040506"
SNAPSHOT = f"tank/mail@zrep-source_{RUN}_mail"
MAIL = Source(
    key=SourceKey("offsite", "mail"), method=Method.ZFS, volume="tank/mail", path="/srv/mail"
)


@pytest.fixture(scope="module")
def hosts(world: World, tmp_path_factory: pytest.TempPathFactory) -> SourceHosts:
    made = set_up(world, [MAIL], tmp_path_factory.mktemp("rendered"))
    world.node("offsite").run(
        "zfs create -o mountpoint=/srv/mail tank/mail && zfs create tank/mail/inner && "
        "echo one > /srv/mail/a && echo inner > /srv/mail/inner/b && "
        "zfs snapshot tank/mail@before && zfs snapshot tank@before"
    )
    return made


@pytest.fixture
def node(hosts: SourceHosts) -> Node:
    return hosts.world.node("offsite")


@pytest.fixture
def released(node: Node) -> Iterator[None]:
    yield
    node.run("echo | /usr/libexec/zrep/capsule-release", timeout=300)
    assert left(node) == ["tank/mail@before", "tank@before"]


def left(node: Node) -> list[str]:
    """All snapshots, and what is mounted for reading."""
    text = node.run(
        "zfs list -H -o name -t snapshot; grep -o '/run/zrep/mnt/[^ ]*' /proc/self/mountinfo; true"
    ).stdout
    return sorted(text.split())


@pytest.mark.usefixtures("released")
def test_a_dataset_is_read_as_it_was_and_exactly_its_snapshot_goes(
    hosts: SourceHosts, node: Node
) -> None:
    capsules = hosts.capsules("offsite")
    assert [s.problem for s in capsules.probe(set_name="platform").sources] == [None]
    (prepared,) = capsules.snapshot(run=RUN, set_name="platform")
    assert prepared.kind == "zfs"
    assert capsules.snapshot(run=RUN, set_name="platform") == (prepared,)
    node.run("echo two > /srv/mail/a; rm /srv/mail/inner/b")
    mount = node.run("findmnt -rno FSTYPE,SOURCE,OPTIONS /run/zrep/mnt/mail").stdout.split()
    assert mount[:2] == ["zfs", SNAPSHOT]
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(mount[2].split(","))
    done = hosts.pull(MAIL.key, RUN, "/tmp/mail")
    assert done.returncode == 0, done.stderr
    director = hosts.world.node("manager-1")
    assert director.run("cat /tmp/mail/a").stdout == "one\n"
    assert director.run("ls -A /tmp/mail/inner").stdout == ""
    assert [c.problem for c in capsules.check(run=RUN, set_name="platform")] == [None]
    capsules.release(run=RUN, set_name="platform")
    assert left(node) == ["tank/mail@before", "tank@before"]


def test_a_replica_of_the_source_keeps_its_snapshots(hosts: SourceHosts, node: Node) -> None:
    """Received with properties, by name and mark just like ours."""
    capsules = hosts.capsules("offsite")
    capsules.snapshot(run=RUN, set_name="platform")
    node.run(f"zfs send -p {SNAPSHOT} | zfs receive tank/copy")
    capsules.release()
    assert f"tank/copy@zrep-source_{RUN}_mail" in left(node)
    assert SNAPSHOT not in left(node)
    node.run("zfs destroy -r tank/copy")


def test_a_held_snapshot_is_reported_and_removed_once_it_is_free(
    hosts: SourceHosts, node: Node
) -> None:
    capsules = hosts.capsules("offsite")
    capsules.snapshot(run=RUN, set_name="platform")
    node.run(f"zfs hold keep {SNAPSHOT}")
    try:
        with pytest.raises(SourceFailed, match="it's being held"):
            capsules.release()
        assert [x.volume for x in capsules.probe().leftovers] == [SNAPSHOT]
    finally:
        node.run(f"zfs release keep {SNAPSHOT}")
    capsules.release()
    assert left(node) == ["tank/mail@before", "tank@before"]


@pytest.mark.usefixtures("released")
def test_a_destroyed_snapshot_fails_the_check(hosts: SourceHosts, node: Node) -> None:
    capsules = hosts.capsules("offsite")
    capsules.snapshot(run=RUN, set_name="platform")
    node.run(f"umount /run/zrep/mnt/mail && zfs destroy {SNAPSHOT}")
    with pytest.raises(SourceFailed):
        capsules.check(run=RUN, set_name="platform")


def test_an_unmounted_dataset_is_refused(hosts: SourceHosts, node: Node) -> None:
    node.run("zfs unmount tank/mail")
    with pytest.raises(SourceFailed, match="nothing is mounted on /srv/mail"):
        hosts.capsules("offsite").snapshot(run=RUN, set_name="platform")
    node.run("zfs mount tank/mail && zfs mount tank/mail/inner")
    assert left(node) == ["tank/mail@before", "tank@before"]


@pytest.mark.usefixtures("released")
def test_after_a_crash_of_the_host_the_snapshot_is_found_and_removed(
    hosts: SourceHosts, node: Node
) -> None:
    capsules = hosts.capsules("offsite")
    capsules.snapshot(run=RUN, set_name="platform")
    node.run("zpool sync tank; sync")
    node.crash()
    assert [(x.source, x.run) for x in capsules.probe().leftovers] == [("mail", RUN)]
    (prepared,) = capsules.snapshot(run=LATER, set_name="platform")
    assert prepared.module == f"mail.{LATER}"
    assert SNAPSHOT not in left(node)
