"""Every form of the `zfs` command that zrep ever runs, as builder functions.

The gate on a far host accepts these templates and nothing else, so forms are few and regular:
one verb, its constant options, then validated names. Words in capitals below are filled in;
`...` repeats the word or pair before it; `[ ]` may be absent. Bases are short (`@name`, `#name`):
always of the dataset that is sent.

    zfs list -H -p -r -t filesystem,volume,snapshot,bookmark -o COLUMNS DATASET
    zfs list -H -p -r -t filesystem,volume -o COLUMNS DATASET
    zfs list -H -p -r -t filesystem,volume,snapshot,bookmark -o PROPERTY,...,COLUMNS DATASET
                          (a gate lets ours through, io.zrep:...)
    zfs list -H -p -o COLUMNS SNAPSHOT...
                          (on this machine only, never through a gate)
    zfs get -H -p -r -s local,received -t KINDS -o name,property,value all DATASET
                          (KINDS: filesystem,volume,snapshot or filesystem,volume)
    zfs get -H -p -o name,property,value PROPERTY,... NAME...
                          (names of datasets, snapshots or bookmarks)
    zfs holds -H SNAPSHOT...
    zfs create [-u] [-o KEY=VALUE]... DATASET
    zfs snapshot [-o KEY=VALUE]... SNAPSHOT...
    zfs clone [-o KEY=VALUE]... SNAPSHOT DATASET
    zfs bookmark SNAPSHOT DATASET#MARK
    zfs destroy DATASET@SNAP,...
    zfs destroy DATASET#MARK
    zfs destroy DATASET
    zfs hold TAG SNAPSHOT...
    zfs release TAG SNAPSHOT...
    zfs set KEY=VALUE... NAME...
                          (names of datasets or snapshots)
    zfs mount DATASET
    zfs unmount DATASET
    zfs send [-n -P] -L -e -c [-w] [-i BASE | -I BASE] SNAPSHOT
    zfs send [-n -P] -t TOKEN
    zfs receive -s -u DATASET
    zfs receive -A DATASET
    zfs version
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from zrep.model.names import DatasetName, SnapshotName, plain_snapshot

if TYPE_CHECKING:
    from zrep.model.plan import SendSpec

Argv = tuple[str, ...]
N = TypeVar("N", bound=str | DatasetName | SnapshotName)

# mountpoint is last: it alone may contain a tab.
COLUMNS = (
    "name",
    "type",
    "guid",
    "createtxg",
    "creation",
    "used",
    "available",
    "referenced",
    "written",
    "userrefs",
    "clones",
    "mounted",
    "origin",
    "receive_resume_token",
    "mountpoint",
)
DATASETS = "filesystem,volume"
EVERYTHING = "filesystem,volume,snapshot,bookmark"
WITH_PROPERTIES = "filesystem,volume,snapshot"

# One word of a remote command, and the whole of it, must fit into 128 KiB (the kernel's limit
# for one string: sshd hands the command on as one); quoting needs some of that.
MAX_COMMAND = 96 * 1024

_KEY = r"[A-Za-z0-9][A-Za-z0-9:._\-]*"
_PROPERTY = r"[A-Za-z0-9][A-Za-z0-9:._\-@]*"
_TAG = r"[A-Za-z0-9_.:][A-Za-z0-9_.:\-]*"
_BASE = r"[@#][A-Za-z0-9_.:\-]+"
_RESUME = r"[0-9a-f][0-9a-f\-]*"


def list_argv(root: DatasetName, *, snapshots: bool, only: Sequence[str] = ()) -> Argv:
    """With `only`, these user properties too, among them what is inherited."""
    kinds = EVERYTHING if snapshots else DATASETS
    columns = ",".join(columns_with(only))
    return ("zfs", "list", "-H", "-p", "-r", "-t", kinds, "-o", columns, str(root))


def look_argv(names: Iterable[SnapshotName]) -> Argv:
    return ("zfs", "list", "-H", "-p", "-o", ",".join(COLUMNS), *map(str, names))


def columns_with(only: Sequence[str]) -> tuple[str, ...]:
    """User properties stand before the mountpoint: a tab in one spoils nothing else."""
    user = (_checked(_PROPERTY, name, "property name") for name in only)
    return (*COLUMNS[:-1], *user, COLUMNS[-1])


def local_properties_argv(root: DatasetName, *, snapshots: bool) -> Argv:
    """All properties set on each object itself; which user properties exist is not known before."""
    kinds = WITH_PROPERTIES if snapshots else DATASETS
    options = ("-H", "-p", "-r", "-s", "local,received", "-t", kinds, "-o", "name,property,value")
    return ("zfs", "get", *options, "all", str(root))


def get_argv(names: Iterable[str], properties: Iterable[str]) -> Argv:
    """`names` are spelled-out datasets, snapshots or bookmarks."""
    wanted = ",".join(_checked(_PROPERTY, p, "property name") for p in properties)
    return ("zfs", "get", "-H", "-p", "-o", "name,property,value", wanted, *names)


def holds_argv(names: Iterable[SnapshotName]) -> Argv:
    return ("zfs", "holds", "-H", *map(str, names))


def create_argv(dataset: DatasetName, properties: Mapping[str, str], *, mount: bool) -> Argv:
    quiet = () if mount else ("-u",)
    return ("zfs", "create", *quiet, *_options(properties), str(dataset))


def snapshot_argv(names: Iterable[SnapshotName], properties: Mapping[str, str]) -> Argv:
    return ("zfs", "snapshot", *_options(properties), *map(str, names))


def clone_argv(snapshot: SnapshotName, dataset: DatasetName, properties: Mapping[str, str]) -> Argv:
    return ("zfs", "clone", *_options(properties), str(snapshot), str(dataset))


def bookmark_argv(snapshot: SnapshotName, mark: str) -> Argv:
    return ("zfs", "bookmark", str(snapshot), bookmark_name(snapshot.dataset, mark))


def destroy_snapshots_argv(names: Sequence[SnapshotName]) -> Argv:
    """All of one dataset; nothing recursive, nothing deferred."""
    (dataset,) = {n.dataset for n in names}
    return ("zfs", "destroy", f"{dataset}@{','.join(n.snap for n in names)}")


def destroy_bookmark_argv(dataset: DatasetName, mark: str) -> Argv:
    return ("zfs", "destroy", bookmark_name(dataset, mark))


def destroy_argv(dataset: DatasetName) -> Argv:
    return ("zfs", "destroy", str(dataset))


def hold_argv(names: Iterable[SnapshotName], tag: str) -> Argv:
    return ("zfs", "hold", _checked(_TAG, tag, "hold tag"), *map(str, names))


def release_argv(names: Iterable[SnapshotName], tag: str) -> Argv:
    return ("zfs", "release", _checked(_TAG, tag, "hold tag"), *map(str, names))


def set_argv(names: Iterable[DatasetName | SnapshotName], properties: Mapping[str, str]) -> Argv:
    return ("zfs", "set", *_assignments(properties), *map(str, names))


def mount_argv(dataset: DatasetName) -> Argv:
    return ("zfs", "mount", str(dataset))


def unmount_argv(dataset: DatasetName) -> Argv:
    return ("zfs", "unmount", str(dataset))


def send_argv(spec: SendSpec, *, estimate: bool = False) -> Argv:
    """Blocks travel as they lie on disk: large, embedded, compressed; a token knows its own flags.

    With `estimate` nothing is sent: the size is printed.
    """
    dry = ("-n", "-P") if estimate else ()
    if spec.token is not None:
        return ("zfs", "send", *dry, "-t", _checked(_RESUME, spec.token, "resume token"))
    raw = ("-w",) if spec.raw else ()
    return ("zfs", "send", *dry, "-L", "-e", "-c", *raw, *_base(spec), str(spec.snapshot))


def receive_argv(dataset: DatasetName) -> Argv:
    """Resumable and unmounted; never -F: a receiver that differs is a conflict for people."""
    return ("zfs", "receive", "-s", "-u", str(dataset))


def abort_receive_argv(dataset: DatasetName) -> Argv:
    return ("zfs", "receive", "-A", str(dataset))


def version_argv() -> Argv:
    return ("zfs", "version")


def bookmark_name(dataset: DatasetName, mark: str) -> str:
    """`dataset#mark`; marks are spelled with the characters of snapshot names."""
    return f"{dataset}#{plain_snapshot(f'{dataset}@{mark}').snap}"


def in_batches(
    names: Iterable[N], *, limit: int = MAX_COMMAND, extra: int = 1
) -> Iterator[tuple[N, ...]]:
    """Split so that the spelled-out names of one batch, `extra` bytes each, fit into `limit`."""
    batch: list[N] = []
    room = limit
    for name in names:
        size = len(str(name)) + extra
        if batch and size > room:
            yield tuple(batch)
            batch, room = [], limit
        batch.append(name)
        room -= size
    if batch:
        yield tuple(batch)


def set_batches(
    names: Sequence[DatasetName | SnapshotName], properties: Mapping[str, str]
) -> Iterator[Argv]:
    """As many commands as it takes: every one of the properties on every one of the names."""
    half = (MAX_COMMAND - len("zfs set ")) // 2
    for pairs in in_batches(_assignments(properties), limit=half):
        for batch in in_batches(names, limit=half):
            yield set_argv(batch, dict(pair.split("=", 1) for pair in pairs))


def _base(spec: SendSpec) -> Argv:
    if spec.base is None:
        return ()
    base = _checked(_BASE, spec.base, "base of a send")
    if spec.intermediates and not base.startswith("@"):
        raise ValueError(f"-I needs a snapshot as base, not {base!r}")
    return ("-I" if spec.intermediates else "-i", base)


def _options(properties: Mapping[str, str]) -> Argv:
    return tuple(word for pair in _assignments(properties) for word in ("-o", pair))


def _assignments(properties: Mapping[str, str]) -> Argv:
    return tuple(
        f"{_checked(_KEY, key, 'property name')}={value}" for key, value in properties.items()
    )


def _checked(pattern: str, word: str, what: str) -> str:
    if not re.fullmatch(pattern, word):
        raise ValueError(f"not a {what}: {word!r}")
    return word
