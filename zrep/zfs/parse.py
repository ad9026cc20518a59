"""What the `zfs` command prints, as model values. Pure text to values.

Dataset, snapshot and tag names never contain a tab; mountpoints and user property values may
contain anything, tabs and newlines included, so those stand last on their lines. Objects whose
names zrep itself would never give (spaces are legal in ZFS) are left out: they cannot be ours.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from zrep.model.inventory import Bookmark, Dataset, Inventory, Snapshot
from zrep.model.names import DatasetName, Guid, SnapshotName, Txg
from zrep.zfs.argv import COLUMNS, columns_with

Row = Mapping[str, str]
Properties = Mapping[str, Mapping[str, str]]

_PROPERTY = re.compile(r"[a-z0-9:._\-]+")
_TOTAL = r"^size\t(\d+)$"


def parse_inventory(listing: str, properties: str) -> Inventory:
    """The outputs of list_argv and local_properties_argv as one inventory.

    The second was read a moment later: it may name objects that the first does not know.
    """
    return _inventory(list(_rows(listing, COLUMNS)), parse_properties(properties))


def parse_listing(listing: str, only: Sequence[str]) -> Inventory:
    """The output of list_argv with user properties, as far as they are own.

    A snapshot shows what its dataset has when it has none itself, and a dataset what is above it.
    """
    rows = list(_rows(listing, columns_with(only)))
    by_name = {row["name"]: row for row in rows}
    return _inventory(rows, {name: _own(row, by_name, only) for name, row in by_name.items()})


def _own(row: Row, by_name: Mapping[str, Row], only: Sequence[str]) -> Mapping[str, str]:
    above = by_name.get(_above(row["name"]), {})
    return {key: row[key] for key in only if row[key] not in {"-", above.get(key)}}


def _above(name: str) -> str:
    """a/b@s -> a/b -> a"""
    dataset, snapshot, _ = name.partition("@")
    return dataset if snapshot else dataset.rpartition("/")[0]


def parse_snapshots(listing: str) -> Iterator[Snapshot]:
    """The snapshots in an output of look_argv."""
    return (_snapshot(row, {}) for row in _rows(listing, COLUMNS))


def _inventory(rows: Sequence[Row], words: Properties) -> Inventory:
    snapshots: dict[str, list[Snapshot]] = defaultdict(list)
    bookmarks: dict[str, list[Bookmark]] = defaultdict(list)
    datasets: list[Dataset] = []
    for row in rows:
        user = user_properties(words.get(row["name"], {}))
        try:
            match row["type"]:
                case "snapshot":
                    snapshots[row["name"].partition("@")[0]].append(_snapshot(row, user))
                case "bookmark":
                    bookmarks[row["name"].partition("#")[0]].append(_bookmark(row))
                case _:
                    datasets.append(_dataset(row, user))
        except ValueError:
            continue
    return Inventory(
        tuple(
            replace(
                dataset,
                snapshots=tuple(sorted(snapshots[str(dataset.name)], key=lambda s: s.createtxg)),
                bookmarks=tuple(sorted(bookmarks[str(dataset.name)], key=lambda b: b.createtxg)),
            )
            for dataset in sorted(datasets, key=lambda d: d.name)
        )
    )


def parse_properties(text: str) -> Properties:
    """`name<tab>property<tab>value` lines -> name -> property -> value.

    A line that cannot begin a record continues the value before it. A property that is given
    twice has a value made to look like a record: it is dropped, since neither can be believed.
    """
    found: dict[str, dict[str, str]] = defaultdict(dict)
    doubted: set[tuple[str, str]] = set()
    name = key = ""
    for line in text.removesuffix("\n").split("\n"):
        fields = line.split("\t", 2)
        if len(fields) == 3 and _PROPERTY.fullmatch(fields[1]):
            name, key = fields[0], fields[1]
            if key in found[name]:
                doubted.add((name, key))
            found[name][key] = fields[2]
        elif name:
            found[name][key] += f"\n{line}"
    for name, key in doubted:
        del found[name][key]
    return found


def user_properties(words: Mapping[str, str]) -> Mapping[str, str]:
    """Those of users have a colon in their names, and ZFS's own have none."""
    return {key: value for key, value in words.items() if ":" in key}


def parse_holds(text: str) -> Mapping[str, frozenset[str]]:
    """`snapshot<tab>tag<tab>date` lines -> snapshot -> tags; snapshots without holds are absent."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in text.split("\n"):
        name, _, rest = line.partition("\t")
        tag, tab, _ = rest.rpartition("\t")
        if tab:
            found[name].add(tag)
    return {name: frozenset(tags) for name, tags in found.items()}


def parse_send_size(text: str) -> int:
    """The `size<tab>N` line of a parsable estimate; ValueError when there is none."""
    match = re.search(_TOTAL, text, re.MULTILINE)
    if match is None:
        raise ValueError(f"no size in {text[-200:]!r}")
    return int(match[1])


def _rows(text: str, columns: Sequence[str]) -> Iterator[Row]:
    for line in text.split("\n"):
        fields = line.split("\t", len(columns) - 1)
        if len(fields) == len(columns):
            yield dict(zip(columns, fields, strict=True))


def _dataset(row: Row, user: Mapping[str, str]) -> Dataset:
    return Dataset(
        name=DatasetName(row["name"]),
        guid=Guid(_number(row["guid"])),
        kind=row["type"],
        used=_number(row["used"]),
        available=_number(row["available"]),
        referenced=_number(row["referenced"]),
        mountpoint=_present(row["mountpoint"]),
        mounted=row["mounted"] == "yes",
        origin=_origin(row["origin"]),
        resume_token=_present(row["receive_resume_token"]),
        properties=user,
    )


def _snapshot(row: Row, user: Mapping[str, str]) -> Snapshot:
    return Snapshot(
        name=SnapshotName.parse(row["name"]),
        guid=Guid(_number(row["guid"])),
        createtxg=Txg(_number(row["createtxg"])),
        creation=_number(row["creation"]),
        userrefs=_number(row["userrefs"]),
        used=_number(row["used"]),
        written=_number(row["written"]),
        referenced=_number(row["referenced"]),
        clones=tuple(sorted(_known_names(row["clones"]))),  # ZFS gives them in any order
        properties=user,
    )


def _bookmark(row: Row) -> Bookmark:
    dataset, _, mark = row["name"].partition("#")
    name = SnapshotName(DatasetName(dataset), mark)  # spelled alike
    return Bookmark(
        dataset=name.dataset,
        mark=name.snap,
        guid=Guid(_number(row["guid"])),
        createtxg=Txg(_number(row["createtxg"])),
        creation=_number(row["creation"]),
    )


def _known_names(text: str) -> Iterable[DatasetName]:
    for word in text.split(","):
        try:
            yield DatasetName(word)
        except ValueError:
            continue


def _origin(text: str) -> SnapshotName | None:
    """A clone of something whose name is not ours is listed without its origin."""
    try:
        return SnapshotName.parse(text)
    except ValueError:
        return None


def _number(text: str) -> int:
    return 0 if text in ("-", "") else int(text)


def _present(text: str) -> str | None:
    return None if text in ("-", "", "none") else text
