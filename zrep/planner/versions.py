"""The distinct versions of one path over all backups, and where it was gone. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from zrep.frozen import dataclass
from zrep.model.names import BackupId
from zrep.model.tree import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one backup has under the path: an entry, or nothing, or something unreadable (`why`)."""

    backup: BackupId
    entry: Entry | None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """The same entry in these backups, oldest first; they need not follow each other."""

    entry: Entry
    backups: tuple[BackupId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """The path was in backup `after` and is in none of `backups`, which follow it."""

    after: BackupId
    backups: tuple[BackupId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PathHistory:
    """All of a path: versions in the order in which they were first seen, oldest first.

    `before` are the backups from before it was first seen, `unread` those that could not be read.
    """

    versions: tuple[Version, ...]
    deletions: tuple[Deletion, ...]
    before: tuple[BackupId, ...]
    unread: tuple[Sighting, ...]


def history_of(sightings: Sequence[Sighting]) -> PathHistory:
    """`sightings` oldest first.

    a a - b a -> versions a (1, 2, 5) and b (4), deleted after 2 in 3
    """
    versions: dict[Entry, list[BackupId]] = {}
    deletions: list[tuple[BackupId, list[BackupId]]] = []
    before: list[BackupId] = []
    last: BackupId | None = None
    open_deletion = False
    readable = [s for s in sightings if not s.why]
    for sighting in readable:
        if sighting.entry is not None:
            versions.setdefault(sighting.entry, []).append(sighting.backup)
            last, open_deletion = sighting.backup, False
        elif last is None:
            before.append(sighting.backup)
        elif open_deletion:
            deletions[-1][1].append(sighting.backup)
        else:
            deletions.append((last, [sighting.backup]))
            open_deletion = True
    return PathHistory(
        versions=tuple(Version(entry=e, backups=tuple(b)) for e, b in versions.items()),
        deletions=tuple(Deletion(after=a, backups=tuple(b)) for a, b in deletions),
        before=tuple(before),
        unread=tuple(s for s in sightings if s.why),
    )
