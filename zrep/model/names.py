"""Names: datasets, snapshots, backup ids and retention classes, and how they are spelled.

A snapshot that zrep owns is called `zrep_<id>_<classes>`, classes joined by dots, so that the
name alone says what the backup is and how long it lives; it survives replication by itself.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import NewType, Self

from zrep.frozen import dataclass

Guid = NewType("Guid", int)
Txg = NewType("Txg", int)

# What ZFS allows, blanks included. A pool never begins like an option, so no name does.
_COMPONENT = r"(?!\.\.?(?:/|$))[A-Za-z0-9_.:\- ]+"
_DATASET = re.compile(rf"(?=[A-Za-z0-9]){_COMPONENT}(/{_COMPONENT})*")
_SNAP = re.compile(r"[A-Za-z0-9_.:\- ]+")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:\-]*(/[A-Za-z0-9][A-Za-z0-9_.:\-]*)*")
_OWNED = re.compile(r"zrep_(?P<id>\d{8}_\d{6})_(?P<classes>[a-z]+(\.[a-z]+)*)")
MAX_DATASET_NAME = 255


class SnapClass(StrEnum):
    """Retention classes, longest period first: the order in which names list them."""

    YEARLY = "yearly"
    MONTHLY = "monthly"
    WEEKLY = "weekly"
    DAILY = "daily"
    HOURLY = "hourly"
    FREQUENTLY = "frequently"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True, order=True)
class DatasetName:
    """`pool/a/b`: validated, with the arithmetic of paths."""

    text: str

    def __post_init__(self) -> None:
        if not _DATASET.fullmatch(self.text) or len(self.text) > MAX_DATASET_NAME:
            raise ValueError(f"not a dataset name: {self.text!r}")

    def __str__(self) -> str:
        return self.text

    def __truediv__(self, child: str) -> DatasetName:
        return DatasetName(f"{self.text}/{child}")

    @property
    def pool(self) -> str:
        return self.text.partition("/")[0]

    @property
    def parent(self) -> DatasetName | None:
        head = self.text.rpartition("/")[0]
        return DatasetName(head) if head else None

    def is_below(self, root: DatasetName) -> bool:
        """True for `root` itself and everything under it."""
        return self.text == root.text or self.text.startswith(root.text + "/")

    def relative_to(self, root: DatasetName) -> str:
        """`a/b` for `pool/a/b` under `pool`; empty for the root itself."""
        if not self.is_below(root):
            raise ValueError(f"{self} is not below {root}")
        return self.text[len(root.text) + 1 :]

    def rebase(self, old: DatasetName, new: DatasetName) -> DatasetName:
        rest = self.relative_to(old)
        return new / rest if rest else new

    def at(self, snap: str) -> SnapshotName:
        return SnapshotName(self, snap)


def plain_dataset(text: str) -> DatasetName:
    """A name as zrep gives and configures it; ValueError for one that ZFS has and we would not."""
    if not _PLAIN.fullmatch(text):
        raise ValueError(f"not a plain dataset name: {text!r}")
    return DatasetName(text)


def plain_snapshot(text: str) -> SnapshotName:
    """`dataset@snap`, both as zrep gives names; ValueError for others."""
    dataset, _, snap = text.partition("@")
    if " " in snap:
        raise ValueError(f"not a plain snapshot name: {text!r}")
    return plain_dataset(dataset).at(snap)


@dataclass(frozen=True, slots=True, order=True)
class SnapshotName:
    """`pool/a@snap`."""

    dataset: DatasetName
    snap: str

    def __post_init__(self) -> None:
        if not _SNAP.fullmatch(self.snap):
            raise ValueError(f"not a snapshot name: {self.snap!r}")

    def __str__(self) -> str:
        return f"{self.dataset}@{self.snap}"

    @classmethod
    def parse(cls, text: str) -> Self:
        dataset, _, snap = text.partition("@")
        return cls(DatasetName(dataset), snap)


@dataclass(frozen=True, slots=True, order=True)
class BackupId:
    """`20220906_082043`: the UTC second at which the backup's run began."""

    text: str

    def __post_init__(self) -> None:
        date, line, time = self.text.partition("_")
        if not (line and _is_number(date, 8) and _is_number(time, 6)):
            raise ValueError(f"not a backup id (YYYYMMDD_HHMMSS): {self.text!r}")
        _ = self.moment  # ValueError for a day or an hour that there is not

    def __str__(self) -> str:
        return self.text

    @classmethod
    def at(cls, moment: datetime) -> Self:
        return cls(moment.astimezone(UTC).strftime("%Y%m%d_%H%M%S"))

    @property
    def moment(self) -> datetime:
        """Cut apart by hand: strptime has a whole module loaded, which a gate need not wait for."""
        date, time = self.text[:8], self.text[9:]
        day = int(date[:4]), int(date[4:6]), int(date[6:])
        return datetime(*day, int(time[:2]), int(time[2:4]), int(time[4:]), tzinfo=UTC)


def _is_number(text: str, digits: int) -> bool:
    return len(text) == digits and text.isascii() and text.isdecimal()


@dataclass(frozen=True, slots=True)
class BackupLabel:
    """What an owned snapshot's name says: the backup id and the classes it counts for."""

    id: BackupId
    classes: tuple[SnapClass, ...]

    def __post_init__(self) -> None:
        if not self.classes or list(self.classes) != in_name_order(self.classes):
            raise ValueError(f"classes must be distinct and in name order: {self.classes}")

    def __str__(self) -> str:
        return f"zrep_{self.id}_{'.'.join(self.classes)}"


def in_name_order(classes: frozenset[SnapClass] | tuple[SnapClass, ...]) -> list[SnapClass]:
    return [c for c in SnapClass if c in classes]


def make_label(backup: BackupId, classes: frozenset[SnapClass]) -> BackupLabel:
    """No class due means the run was asked for by hand: such a backup is `manual`."""
    chosen = classes or frozenset({SnapClass.MANUAL})
    return BackupLabel(backup, tuple(in_name_order(chosen)))


def parse_label(snap: str) -> BackupLabel | None:
    """The label behind an owned snapshot name; None for every name that is not ours.

    zrep_20220906_082043_daily.hourly -> BackupLabel(20220906_082043, (daily, hourly))
    autosnap_2022-09-06_08:20:43_daily -> None
    """
    match = _OWNED.fullmatch(snap)
    if match is None:
        return None
    try:
        return BackupLabel(BackupId(match["id"]), parse_classes(match["classes"]))
    except ValueError:
        return None


def parse_classes(text: str) -> tuple[SnapClass, ...]:
    """daily.hourly -> (daily, hourly); ValueError for a word that is no class."""
    return tuple(SnapClass(word) for word in text.split("."))
