"""What `zpool` prints becomes a pool's state; its complaints become errors, or an absence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from tests.unit.zpool_outputs import LIST_DEGRADED
from zrep.errors import CommandFailed, ZfsError
from zrep.host.port import Completed
from zrep.model.pool_status import PoolFill
from zrep.zfs.zpool import list_argv, parse_list, pool_capacities, status_argv

ONLINE = "tank\t10737418240\t79\tONLINE\t2254857830\n"
CLOSED = "gone\t-\t-\tUNAVAIL\t-\n"


@dataclass
class Scripted:
    """A Host whose one program prints what was written down for it."""

    stdout: str = ""
    stderr: str = ""
    returncode: int = 0
    asked: list[tuple[str, ...]] = field(default_factory=list)
    name: str = "here"

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        timeout: float = 60.0,
        ok: Sequence[int] = (0,),
    ) -> Completed:
        assert stdin is None
        assert timeout > 0
        self.asked.append(tuple(argv))
        if self.returncode not in ok:
            raise CommandFailed(tuple(argv), self.returncode, self.stderr, where=self.name)
        return Completed(
            argv=tuple(argv), returncode=self.returncode, stdout=self.stdout, stderr=self.stderr
        )

    def bulk_argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        return tuple(argv)

    def close(self) -> None:
        """Nothing is open."""


def test_a_line_of_zpool_list_is_a_fill() -> None:
    (fill,) = parse_list(LIST_DEGRADED)
    assert fill == PoolFill(
        name="store", health="DEGRADED", size=9981503995904, free=6935315337216, capacity=30
    )


def test_a_pool_that_cannot_be_opened_has_no_sizes() -> None:
    assert list(parse_list(CLOSED)) == [PoolFill(name="gone", health="UNAVAIL")]


@pytest.mark.parametrize("line", ["tank", "tank\t1\t2\tONLINE", "tank\tx\t2\tONLINE\t1"])
def test_another_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        list(parse_list(line))


def test_all_capacities_come_from_one_process() -> None:
    host = Scripted(stdout=ONLINE + LIST_DEGRADED + CLOSED)
    assert pool_capacities(host, ["tank", "store", "gone", "tank"]) == {"tank": 79, "store": 30}
    assert host.asked == [list_argv(["gone", "store", "tank"])]


def test_a_pool_that_does_not_exist_has_no_capacity_and_hides_no_other() -> None:
    host = Scripted(stdout=ONLINE, stderr="cannot open 'nope': no such pool\n", returncode=1)
    assert pool_capacities(host, ["nope", "tank"]) == {"tank": 79}


def test_what_cannot_be_a_pool_is_never_asked_for() -> None:
    host = Scripted()
    assert pool_capacities(host, ["-f", "5", "", "a b\n"]) == {}
    assert host.asked == []


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("cannot open 'tank': no such pool\ncannot open 'b': I/O error\n", 1),
        ("The ZFS modules are not loaded.\nTry running '/sbin/modprobe zfs' as root\n", 1),
        ("", 1),
        ("zpool: command not found", 127),
    ],
)
def test_any_other_complaint_is_an_error(said: str, status: int) -> None:
    with pytest.raises(ZfsError, match="cannot read the pools"):
        pool_capacities(Scripted(stderr=said, returncode=status), ["tank", "b"])


@pytest.mark.parametrize("name", ["-v", "5", "a/b", ""])
def test_argv_takes_pool_names_only(name: str) -> None:
    with pytest.raises(ValueError):
        list_argv([name])
    with pytest.raises(ValueError):
        status_argv(name)
