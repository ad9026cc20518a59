"""Histories as text, so that a reader sees the case.

`@3` is an owned snapshot, `~3` a foreign one, `#3` a bookmark; the number is the guid and the
order. `history("pool/a", "#1 @2 ~3 @4")` is a dataset that lost snapshot 1 but kept its bookmark.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from zrep.model.inventory import Bookmark, Dataset, Inventory, Snapshot
from zrep.model.names import DatasetName, Guid, SnapshotName, Txg

START = 1_600_000_000
HOUR = 3_600


def snap_name(number: int, *, owned: bool = True, classes: str = "hourly") -> str:
    return f"zrep_20220101_{number:06d}_{classes}" if owned else f"foreign-{number}"


def snapshot(
    dataset: str,
    number: int,
    *,
    owned: bool = True,
    properties: Mapping[str, str] | None = None,
    userrefs: int = 0,
) -> Snapshot:
    return Snapshot(
        name=SnapshotName(DatasetName(dataset), snap_name(number, owned=owned)),
        guid=Guid(number),
        createtxg=Txg(number * 10),
        creation=START + number * HOUR,
        userrefs=userrefs,
        properties=properties or {},
    )


def bookmark(dataset: str, number: int) -> Bookmark:
    return Bookmark(
        dataset=DatasetName(dataset),
        mark=f"zrep_20220101_{number:06d}_offsite",
        guid=Guid(number),
        createtxg=Txg(number * 10),
        creation=START + number * HOUR,
    )


def history(name: str, text: str, *, token: str | None = None) -> Dataset:
    words = [(word[0], int(word[1:])) for word in text.split()]
    return Dataset(
        name=DatasetName(name),
        guid=Guid(10_000 + len(name)),
        resume_token=token,
        snapshots=tuple(snapshot(name, n, owned=k == "@") for k, n in words if k in "@~"),
        bookmarks=tuple(bookmark(name, n) for k, n in words if k == "#"),
    )


def tree(*datasets: Dataset | str) -> Inventory:
    """Names alone stand for datasets without snapshots."""
    made: Iterable[Dataset] = (history(d, "") if isinstance(d, str) else d for d in datasets)
    return Inventory(tuple(sorted(made, key=lambda d: d.name)))
