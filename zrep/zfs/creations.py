"""When snapshots were made: the one listing that monitoring needs, and how it is read.

    zfs list -H -p -r|-d 1 -t filesystem,volume,snapshot -o name,creation DATASET...

A dataset that does not exist is left out; names are taken as ZFS spells them, spaces included.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from zrep.errors import CommandFailed, ZfsError
from zrep.host.port import Host
from zrep.model.pool_view import PoolView, draw_pool
from zrep.zfs import wording

# Monitoring does not wait longer than a minute or two, however many snapshots there are.
TIMEOUT = 120.0

_DATASET = re.compile(r"[A-Za-z][A-Za-z0-9_.: \-]*(/[A-Za-z0-9_.: \-]+)*")


def creations_argv(datasets: Iterable[str], *, below: bool) -> tuple[str, ...]:
    """`below`: all that is below the datasets, too."""
    depth = ("-r",) if below else ("-d", "1")
    kinds = "filesystem,volume,snapshot"
    return ("zfs", "list", "-H", "-p", *depth, "-t", kinds, "-o", "name,creation", *datasets)


def parse_creations(text: str) -> PoolView:
    """`name<tab>creation` lines; ValueError for another one."""
    rows = list(_rows(text))
    datasets = [name for name, _ in rows if "@" not in name]
    return draw_pool(datasets, [row for row in rows if "@" in row[0]])


def read_creations(host: Host, datasets: Iterable[str], *, below: bool) -> PoolView:
    """The datasets, their snapshots, and with `below` their children; one process.

    ZfsError when `zfs` fails for another reason than that one of them does not exist.
    """
    possible = [d for d in dict.fromkeys(datasets) if _DATASET.fullmatch(d)]
    if not possible:
        return PoolView()
    what = f"cannot list {possible[0].partition('/')[0]}"
    text = _run(host, creations_argv(possible, below=below), what)
    try:
        return parse_creations(text)
    except ValueError as error:
        raise ZfsError(what, where=host.name, why=str(error)) from error


def _run(host: Host, argv: Sequence[str], what: str) -> str:
    try:
        done = host.run(argv, timeout=TIMEOUT, ok=(0, 1))
    except CommandFailed as failure:
        raise wording.error_from_text(failure.stderr, what=what, where=host.name) from failure
    bad = wording.without(done.stderr, wording.NO_SUCH_DATASET)
    if done.returncode and (bad or wording.NO_SUCH_DATASET not in done.stderr):
        raise wording.error_from_text(bad, what=what, where=host.name)
    return done.stdout


def _rows(text: str) -> Iterator[tuple[str, int]]:
    for line in text.splitlines():
        name, tab, creation = line.partition("\t")
        if not tab:
            raise ValueError(f"not a line of zfs list: {line!r}")
        yield name, int(creation)
