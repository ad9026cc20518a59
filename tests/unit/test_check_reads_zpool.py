"""What `zpool` prints becomes a pool's state; its complaints become errors, or an absence."""

from __future__ import annotations

import pytest

from tests.unit.scripted_host import Says, ScriptedHost
from tests.unit.zpool_outputs import DRAID_SPARED, LIST_DEGRADED, SPARE_IN_USE, STATUSES
from zrep.engine.check import observe_capacities, observe_health
from zrep.errors import ZfsError
from zrep.model.pool_status import PoolFill, PoolStatus, Vdev
from zrep.zfs.zpool import list_argv, parse_list, parse_status, pool_capacities, status_argv

ONLINE = "tank\t10737418240\t79\tONLINE\t2254857830\n"
CLOSED = "gone\t-\t-\tUNAVAIL\t-\n"


def listing(stdout: str = "", stderr: str = "", returncode: int = 0) -> ScriptedHost:
    return ScriptedHost({"zpool list": Says(stdout=stdout, stderr=stderr, returncode=returncode)})


def test_a_line_of_zpool_list_is_a_fill() -> None:
    (fill,) = parse_list(LIST_DEGRADED)
    assert fill == PoolFill(
        name="store", health="DEGRADED", size=9981503995904, free=6935315337216, capacity=30
    )


def test_a_pool_that_cannot_be_opened_has_no_sizes() -> None:
    assert list(parse_list(CLOSED)) == [PoolFill(name="gone", health="UNAVAIL")]


@pytest.mark.parametrize("line", ["tank", "tank\t1\t2\tONLINE", "tank\tx\t2\tONLINE\t1"])
def test_another_line_is_an_error(line: str) -> None:
    with pytest.raises(ZfsError, match="cannot read the pools"):
        pool_capacities(listing(line), ["tank"])


def test_all_capacities_come_from_one_process() -> None:
    host = listing(ONLINE + LIST_DEGRADED + CLOSED)
    assert pool_capacities(host, ["tank", "store", "gone", "tank"]) == {"tank": 79, "store": 30}
    assert host.asked == [" ".join(list_argv(["gone", "store", "tank"]))]


def test_a_pool_that_does_not_exist_has_no_capacity_and_hides_no_other() -> None:
    host = listing(ONLINE, "cannot open 'nope': no such pool\n", 1)
    assert observe_capacities(["nope", "tank"], host) == {"tank": 79}


def test_what_cannot_be_a_pool_is_never_asked_for() -> None:
    host = listing()
    assert pool_capacities(host, ["-f", "5", "", "a b\n"]) == {}
    assert host.asked == []


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("cannot open 'tank': no such pool\ncannot open 'b': I/O error\n", 1),
        ("The ZFS modules are not loaded.\nTry running '/sbin/modprobe zfs' as root\n", 1),
        ("", 1),
        ("setpriv: failed to execute zpool: No such file or directory", 127),
    ],
)
def test_any_other_complaint_is_an_error(said: str, status: int) -> None:
    with pytest.raises(ZfsError, match="cannot read the pools"):
        pool_capacities(listing(stderr=said, returncode=status), ["tank", "b"])


def test_a_missing_program_is_answered_with_the_package() -> None:
    host = listing(stderr="setpriv: failed to execute zpool: No such file", returncode=127)
    with pytest.raises(ZfsError, match="next: install OpenZFS"):
        pool_capacities(host, ["tank"])


@pytest.mark.parametrize("name", ["-v", "5", "a/b", ""])
def test_argv_takes_pool_names_only(name: str) -> None:
    with pytest.raises(ValueError):
        list_argv([name])
    with pytest.raises(ValueError):
        status_argv(name)


def test_every_device_has_its_depth_state_and_counters() -> None:
    assert parse_status(DRAID_SPARED) == (
        Vdev(name="draid1:2d:10c:5s-0", depth=1, state="DEGRADED"),
        Vdev(name="/var/tmp/basedir.1718729/new_vdev0", depth=2, state="ONLINE"),
        Vdev(name="/var/tmp/basedir.1718729/vdev1", depth=2, state="ONLINE"),
        Vdev(name="spare-2", depth=2, state="DEGRADED", cksum=1),
        Vdev(name="/var/tmp/basedir.1718729/vdev2", depth=3, state="FAULTED"),
        Vdev(name="draid1-0-3", depth=3, state="ONLINE"),
    )


def test_a_spare_in_use_is_a_device_and_one_that_waits_is_none() -> None:
    found = parse_status(SPARE_IN_USE)
    assert [v.name for v in found if v.state == "INUSE"] == ["f7c8e925-6ede-4331-8fd3-ee70570772e0"]
    assert not [v for v in found if v.state == "AVAIL" or v.errors]
    assert len(found) == 12


def test_all_counters_of_a_failing_mirror_are_read() -> None:
    mirror, *disks = parse_status(STATUSES["rpool"])
    assert (mirror.read, mirror.write, mirror.cksum) == (26, 0, 0)
    assert [(d.state, d.errors) for d in disks] == [
        ("DEGRADED", ("read", "cksum")),
        ("FAULTED", ("read", "cksum")),
    ]


@pytest.mark.parametrize(
    ("pool", "lost"),
    [
        ("zvol0", ["12897545936258916783"]),
        ("pool1", ["sdc"]),
        ("Regression-Pool", ["raidz1-1"]),
        ("zones", []),
    ],
)
def test_lost_devices_are_found_in_real_tables(pool: str, lost: list[str]) -> None:
    assert [v.name for v in parse_status(STATUSES[pool]) if v.state == "UNAVAIL"] == lost


def test_text_below_the_table_is_no_device() -> None:
    names = {v.name for text in STATUSES.values() for v in parse_status(text)}
    assert "errors:" not in names
    assert not names & STATUSES.keys()


@pytest.mark.parametrize("text", ["", "no pools available\n", "config:\n\n\tNAME STATE\n"])
def test_a_text_without_a_table_has_no_devices(text: str) -> None:
    assert parse_status(text) == ()


def test_health_is_read_of_the_pools_that_are_there() -> None:
    host = ScriptedHost(
        {
            "zpool list": Says(
                stdout=ONLINE.replace("tank", "zvol0").replace("ONLINE", "DEGRADED"),
                stderr="cannot open 'nope': no such pool\n",
                returncode=1,
            ),
            "zpool status -p zvol0": Says(stdout=STATUSES["zvol0"]),
        }
    )
    found = observe_health(["nope", "zvol0"], host)
    fill = PoolFill(name="zvol0", health="DEGRADED", size=10737418240, free=2254857830, capacity=79)
    assert found == {"zvol0": PoolStatus(fill=fill, vdevs=parse_status(STATUSES["zvol0"]))}
    assert len(host.asked) == 2


def test_a_pool_that_goes_away_in_between_is_an_error() -> None:
    host = ScriptedHost(
        {
            "zpool list": Says(stdout=ONLINE),
            "zpool status": Says(stderr="cannot open 'tank': no such pool\n", returncode=1),
        }
    )
    with pytest.raises(ZfsError, match="no such pool"):
        observe_health(["tank"], host)
