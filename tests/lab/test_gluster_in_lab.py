"""Method gluster on the real volume `docker` of manager-1, with services writing on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.ledger import judge as judge_ledger
from lab.node import Node
from lab.world import World
from tests.lab.source_hosts import SourceHosts, set_up
from zrep.errors import SourceFailed
from zrep.model.key import SourceKey
from zrep.model.source import Method, Source
from zrep.source.rsync import Verdict, judge

RUN = "20260102_030405"
LATER = "20260102_040506"
NAME = f"zrep_{RUN}_docker"
SERVICES = ("wordpress_web", "wordpress_db")
DOCKER = Source(
    key=SourceKey("manager-1", "docker"), method=Method.GLUSTER, volume="docker", path="/docker"
)


@pytest.fixture(scope="module")
def hosts(world: World, tmp_path_factory: pytest.TempPathFactory) -> SourceHosts:
    return set_up(world, [DOCKER], tmp_path_factory.mktemp("rendered"))


@pytest.fixture
def node(hosts: SourceHosts) -> Node:
    return hosts.world.node("manager-1")


@pytest.fixture
def released(node: Node) -> Iterator[None]:
    yield
    node.run("echo | /usr/libexec/zrep/capsule-release", timeout=600)
    assert left(node) == ""


def left(node: Node) -> str:
    """Every snapshot, every mount and every volume of one, every state."""
    return node.run(
        "gluster --mode=script snapshot list | grep -v '^No snapshots'; "
        "grep -o '/run/zrep/mnt/[^ ]*\\|/run/gluster/snaps/[^ ]*' /proc/self/mountinfo; "
        "lvs --noheadings -o lv_name vg_docker | grep -v 'tp_docker\\|tlv_'; "
        "ls /run/zrep/state /run/zrep/mnt 2>/dev/null | grep -v :; true",
        timeout=120,
    ).stdout.strip()


def test_the_probe_sees_volume_brick_and_pool(hosts: SourceHosts) -> None:
    report = hosts.capsules("manager-1").probe(set_name="platform")
    assert [s.problem for s in report.sources] == [None]
    assert report.leftovers == ()


@pytest.mark.usefixtures("released")
def test_the_copy_is_of_one_instant_although_services_write(hosts: SourceHosts, node: Node) -> None:
    capsules = hosts.capsules("manager-1")
    (prepared,) = capsules.snapshot(run=RUN, set_name="platform")
    assert prepared.kind == "gluster"
    assert capsules.snapshot(run=RUN, set_name="platform") == (prepared,)
    assert NAME in node.run("ls /var/lib/glusterd/snaps").stdout.split()
    mount = node.run("findmnt -rno FSTYPE,SOURCE,OPTIONS /run/zrep/mnt/docker").stdout.split()
    assert mount[:2] == ["fuse.glusterfs", f"localhost:/snaps/{NAME}/docker"]
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(mount[2].split(","))
    done = hosts.pull(DOCKER.key, RUN, "/tmp/copy")
    assert done.returncode == 0, done.stderr
    for service in SERVICES:
        folder = f"/tmp/copy/var/volumes/{service}"
        texts = [node.run(f"cat {folder}/{n}").stdout for n in ("ledger.log", "intent", "done")]
        verdict = judge_ledger(ledger=texts[0], intent=texts[1], done=texts[2])
        assert verdict.faults == ()
        assert verdict.last_seq > 0
    assert [c.problem for c in capsules.check(run=RUN, set_name="platform")] == [None]
    capsules.release(run=RUN, set_name="platform")
    assert left(node) == ""
    assert NAME not in node.run("ls /var/lib/glusterd/snaps").stdout.split()


@pytest.mark.usefixtures("released")
def test_permissions_of_the_volume_arrive(hosts: SourceHosts, node: Node) -> None:
    node.run("mkdir -p /docker/acl && touch /docker/acl/f && chown 1234:2345 /docker/acl/f")
    node.run("setfacl -m u:4321:rw /docker/acl/f || true")
    hosts.capsules("manager-1").snapshot(run=RUN, set_name="platform")
    assert hosts.pull(DOCKER.key, RUN, "/tmp/acl").returncode == 0
    there = node.run("getfacl -np /docker/acl/f 2>/dev/null | tail -n +2").stdout
    here = node.run("getfacl -np /tmp/acl/acl/f 2>/dev/null | tail -n +2").stdout
    assert here == there


@pytest.mark.usefixtures("released")
def test_a_dead_mount_deletes_nothing_and_is_released(hosts: SourceHosts, node: Node) -> None:
    capsules = hosts.capsules("manager-1")
    capsules.snapshot(run=RUN, set_name="platform")
    assert hosts.pull(DOCKER.key, RUN, "/tmp/dead").returncode == 0
    before = node.run("find /tmp/dead | wc -l").stdout
    node.run(f"pkill -9 -f 'gluster[f]s.*/snaps/{NAME}/docker.*/run/zrep/mnt'")
    done = hosts.pull(DOCKER.key, RUN, "/tmp/dead")
    assert judge(done.returncode, done.stderr, method=Method.GLUSTER).verdict is Verdict.FAILED
    assert node.run("find /tmp/dead | wc -l").stdout == before
    with pytest.raises(SourceFailed):
        capsules.check(run=RUN, set_name="platform")
    capsules.release()
    assert left(node) == ""


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ("s/gluster docker/gluster nosuch/", "Volume (nosuch )?does not exist"),
        ("s| /docker$| /mnt|", "nothing is mounted on /mnt"),
        ("s| /docker$| /srv/mail|", "not volume docker"),
        ("s| /docker$|& metadata_max=1|", "thin pool vg_docker/tp_docker"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(
    hosts: SourceHosts, node: Node, edit: str, why: str
) -> None:
    conf = "/etc/zrep/source.conf"
    node.run(f"cp {conf} /root/kept && sed -i '{edit}' {conf}")
    with pytest.raises(SourceFailed, match=why):
        hosts.capsules("manager-1").snapshot(run=RUN, set_name="platform")
    node.run(f"cp /root/kept {conf}")
    assert left(node) == ""


def test_a_brick_that_is_down_is_refused(hosts: SourceHosts, node: Node) -> None:
    node.run("pkill -9 -f 'glusterf[s]d.*--volfile-id docker'; sleep 2")
    with pytest.raises(SourceFailed, match="0 of 1 bricks of volume docker are up"):
        hosts.capsules("manager-1").snapshot(run=RUN, set_name="platform")
    node.run("gluster --mode=script volume start docker force; sleep 3", timeout=120)
    assert left(node) == ""


@pytest.mark.usefixtures("released")
@pytest.mark.parametrize("verb", ["snapshot", "release"])
def test_a_capsule_killed_anywhere_is_settled_by_the_next(
    hosts: SourceHosts, node: Node, verb: str
) -> None:
    capsules = hosts.capsules("manager-1")
    for seconds in (1.5, 5.0):
        if verb == "release":
            capsules.snapshot(run=RUN, set_name="platform")
        node.run(
            f"echo 'run={RUN} set=platform' >/tmp/request; "
            f"setsid /usr/libexec/zrep/capsule-{verb} </tmp/request >/tmp/killed 2>&1 & pid=$!; "
            f"sleep {seconds}; kill -9 -- -$pid 2>/dev/null; wait; true"
        )
        capsules.snapshot(run=LATER, set_name="platform")
        names = node.run("gluster --mode=script snapshot list", timeout=120).stdout.split()
        assert names == [f"zrep_{LATER}_docker"]
        capsules.release()
        assert left(node) == ""


def test_snapshots_of_others_are_never_removed(hosts: SourceHosts, node: Node) -> None:
    """An administrator's, and one that looks like ours but another host made."""
    foreign = "zrep_20260101_000000_docker"
    create = "gluster --mode=script snapshot create {} docker no-timestamp description {}"
    node.run(create.format("mine", "zrep:manager-1"), timeout=120)
    node.run(create.format(foreign, "zrep:manager-2"), timeout=120)
    hosts.capsules("manager-1").release()
    names = node.run("gluster --mode=script snapshot list", timeout=120).stdout.split()
    assert sorted(names) == ["mine", foreign]
    node.run("gluster --mode=script snapshot delete all", timeout=240)


@pytest.mark.usefixtures("released")
def test_after_a_crash_of_the_host_the_snapshot_is_found_and_removed(
    hosts: SourceHosts, node: Node
) -> None:
    capsules = hosts.capsules("manager-1")
    capsules.snapshot(run=RUN, set_name="platform")
    node.run("sync")
    node.crash()
    node.run("/usr/local/sbin/mount-docker", timeout=400)
    assert [(x.source, x.run) for x in capsules.probe().leftovers] == [("docker", RUN)]
    capsules.release()
    assert left(node) == ""
