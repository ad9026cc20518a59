"""The state of pools through the `zpool` command: how it is asked, and what it answers.

    zpool list -H -p -o name,size,capacity,health,free POOL...
    zpool status -p POOL

Both only read. With -p counters are whole numbers, never 1.2K.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from zrep.errors import CommandFailed, ZfsError
from zrep.host.port import Host
from zrep.model.pool_status import PoolFill, PoolStatus, Vdev
from zrep.zfs import wording

COLUMNS = ("name", "size", "capacity", "health", "free")
NO_SUCH_POOL = "no such pool"
TIMEOUT = 60.0

_POOL = re.compile(r"[A-Za-z][A-Za-z0-9_.: \-]*")
_HEADER = re.compile(r"\s+NAME\s+STATE\s+READ\s+WRITE\s+CKSUM")
# A tab, two blanks for every level, name, state, three counters and sometimes a remark. Headings
# (logs, cache, spares) and spares in waiting have none; for one in use there is a remark instead.
_VDEV = re.compile(r"\t(?P<indent> *)(?P<name>\S+)\s+(?P<state>\S+)(?P<counters>(\s+\S+){3}).*")


def list_argv(pools: Iterable[str]) -> tuple[str, ...]:
    return ("zpool", "list", "-H", "-p", "-o", ",".join(COLUMNS), *map(_checked, pools))


def status_argv(pool: str) -> tuple[str, ...]:
    return ("zpool", "status", "-p", _checked(pool))


def parse_list(text: str) -> Iterator[PoolFill]:
    """Lines of list_argv; ValueError for one that is none.

    tank<tab>9981503995904<tab>30<tab>DEGRADED<tab>6935315337216 -> 30 % full
    gone<tab>-<tab>-<tab>UNAVAIL<tab>- -> without sizes
    """
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) != len(COLUMNS):
            raise ValueError(f"not a line of zpool list: {line!r}")
        name, size, capacity, health, free = fields
        yield PoolFill(
            name=name,
            health=health,
            size=_number(size),
            free=_number(free),
            capacity=_number(capacity.removesuffix("%")),
        )


def parse_status(text: str) -> tuple[Vdev, ...]:
    """The devices in the output of status_argv, groups first, the pool's own line left out."""
    return tuple(_vdevs(text))


def read_fills(host: Host, pools: Iterable[str]) -> Mapping[str, PoolFill]:
    """Fill and health of the pools in one process; a pool that does not exist is left out.

    ZfsError when `zpool` fails otherwise, CommandTimeout when it does not answer.
    """
    possible = sorted({p for p in pools if _POOL.fullmatch(p)})
    if not possible:
        return {}
    what = "cannot read the pools"
    text = _run(host, list_argv(possible), what, fine=NO_SUCH_POOL)
    try:
        return {fill.name: fill for fill in parse_list(text)}
    except ValueError as error:
        raise ZfsError(what, where=host.name, why=str(error)) from error


def read_status(host: Host, fill: PoolFill) -> PoolStatus:
    """The devices of one pool, too. ZfsError as for read_fills."""
    text = _run(host, status_argv(fill.name), f"cannot read the status of {fill.name}")
    return PoolStatus(fill=fill, vdevs=parse_status(text))


def pool_capacities(host: Host, pools: Iterable[str]) -> Mapping[str, int]:
    """How full each pool is, in per cent; one process for all of them.

    A pool that does not exist, or that ZFS cannot open, is left out. ZfsError as for read_fills.
    """
    fills = read_fills(host, pools).values()
    return {f.name: f.capacity for f in fills if f.capacity is not None}


def _run(host: Host, argv: Sequence[str], what: str, *, fine: str | None = None) -> str:
    """stdout; a failure about which nothing but `fine` is said is none."""
    ok = (0,) if fine is None else (0, 1)
    try:
        done = host.run(argv, timeout=TIMEOUT, ok=ok)
    except CommandFailed as failure:
        raise wording.error_from_text(failure.stderr, what=what, where=host.name) from failure
    if done.returncode and fine is not None:
        bad = wording.without(done.stderr, fine)
        if bad or fine not in done.stderr:
            raise wording.error_from_text(bad, what=what, where=host.name)
    return done.stdout


def _vdevs(text: str) -> Iterator[Vdev]:
    lines = iter(text.splitlines())
    for line in lines:
        if _HEADER.fullmatch(line.rstrip()):
            break
    next(lines, None)
    for line in lines:
        if not line.strip():
            return
        found = _VDEV.fullmatch(line)
        if found is not None:
            read, write, cksum = map(_counter, found["counters"].split())
            yield Vdev(
                name=found["name"],
                depth=len(found["indent"]) // 2,
                state=found["state"],
                read=read,
                write=write,
                cksum=cksum,
            )


def _counter(word: str) -> int:
    return int(word) if word.isdecimal() else 0


def _number(text: str) -> int | None:
    return None if text in {"-", ""} else int(text)


def _checked(pool: str) -> str:
    if not _POOL.fullmatch(pool):
        raise ValueError(f"not a pool name: {pool!r}")
    return pool
