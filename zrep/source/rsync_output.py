"""What rsync prints: the block of --stats and the lines of --info=progress2. Pure."""

from __future__ import annotations

import re

from zrep.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RsyncStats:
    """The totals of one transfer; sizes in bytes, `files` counts everything, folders included."""

    files: int
    created: int
    deleted: int
    transferred: int
    total_size: int
    transferred_size: int
    literal: int
    matched: int
    sent: int
    received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RsyncProgress:
    """Bytes so far; `remaining` of `total` entries, `final` once the list is complete."""

    moved: int
    percent: int
    transferred: int = 0
    remaining: int = 0
    total: int = 0
    final: bool = False


# field -> label; the two that old versions leave out count as 0
_LABELS = {
    "files": "Number of files",
    "created": "Number of created files",
    "deleted": "Number of deleted files",
    "transferred": "Number of regular files transferred",
    "total_size": "Total file size",
    "transferred_size": "Total transferred file size",
    "literal": "Literal data",
    "matched": "Matched data",
    "sent": "Total bytes sent",
    "received": "Total bytes received",
}
_OPTIONAL = frozenset({"created", "deleted"})
_SKIPPED = re.compile(
    r"^Deletions stopped due to --max-delete limit \((\d+) skipped\)$", re.MULTILINE
)
_FULL_FOLDER = "cannot delete non-empty directory: "
_PROGRESS = re.compile(
    r"\s*(?P<moved>[\d,]+)\s+(?P<percent>\d+)%\s+\S+/s\s+[\d:]+"
    r"(?:\s+\(xfr#(?P<xfr>\d+), (?P<kind>ir|to)-chk=(?P<left>\d+)/(?P<total>\d+)\))?\s*"
)


def parse_stats(text: str) -> RsyncStats:
    """ValueError when the block is not complete: a transfer without totals is not believed.

    Number of files: 502 (reg: 500, dir: 2) -> files=502
    """
    return RsyncStats(**{field: _total(text, field) for field in _LABELS})


def _total(text: str, field: str) -> int:
    label = _LABELS[field]
    match = re.search(rf"^{label}: ([\d,]+)", text, re.MULTILINE)
    if match is None and field not in _OPTIONAL:
        raise ValueError(f"rsync printed no {label!r}")
    return int(match[1].replace(",", "")) if match else 0


def parse_progress(line: str) -> RsyncProgress | None:
    """One redrawn line; None for any other text.

    3  42%  2.93kB/s  0:00:00 (xfr#1, to-chk=1/4) -> 3 bytes, 1 of 4 entries remaining, final
    """
    match = _PROGRESS.fullmatch(line)
    if match is None:
        return None
    return RsyncProgress(
        moved=int(match["moved"].replace(",", "")),
        percent=int(match["percent"]),
        transferred=int(match["xfr"] or 0),
        remaining=int(match["left"] or 0),
        total=int(match["total"] or 0),
        final=match["kind"] == "to",
    )


def is_full_folder(line: str) -> bool:
    """A folder that would be deleted too, were not what is in it kept by --max-delete."""
    return line.startswith(_FULL_FOLDER)


def parse_skipped(stderr: str) -> int | None:
    """How many deletions --max-delete has stopped; None when rsync did not say.

    Folders of which is_full_folder() tells may be in it or not.
    """
    match = _SKIPPED.search(stderr)
    return int(match[1]) if match else None
