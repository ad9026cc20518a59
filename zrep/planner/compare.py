"""What changed between two folders, by the metadata of the names in them. Pure.

Contents are not read: a file that was changed without its size and its mtime is taken for the
same, as rsync takes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from zrep.frozen import dataclass
from zrep.model.tree import Entry, Kind


class Verb(StrEnum):
    """What became of a name."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One name that is not the same on both sides; `path` is relative to what was compared.

    `fields` names what differs of a changed one: kind, size, mtime, mode, owner, target.
    """

    verb: Verb
    path: str
    old: Entry | None
    new: Entry | None
    fields: tuple[str, ...] = ()


def compare_folder(
    old: Mapping[str, Entry], new: Mapping[str, Entry], *, at: str
) -> Iterator[Change]:
    """The changes of one folder's names, in their order; what is below is compared by itself.

    {"a": 1 byte, "b": 1 byte}, {"b": 2 bytes, "c": 1 byte} -> removed a, changed b, added c
    """
    for name in sorted(old.keys() | new.keys()):
        change = compare_entry(old.get(name), new.get(name), path=at + name)
        if change is not None:
            yield change


def compare_entry(old: Entry | None, new: Entry | None, *, path: str) -> Change | None:
    """None when both are the same, or neither is there."""
    if old is None or new is None:
        if old is new:
            return None
        verb = Verb.ADDED if old is None else Verb.REMOVED
        return Change(verb=verb, path=path, old=old, new=new)
    fields = tuple(_differences(old, new))
    if not fields:
        return None
    return Change(verb=Verb.CHANGED, path=path, old=old, new=new, fields=fields)


def _differences(old: Entry, new: Entry) -> Iterator[str]:
    """A folder's own size and mtime only say that names came or went, which is told by these."""
    folders = old.kind is new.kind is Kind.FOLDER
    pairs = {
        "kind": (old.kind, new.kind),
        "size": (old.size, new.size),
        "mtime": (old.mtime, new.mtime),
        "mode": (old.mode, new.mode),
        "owner": ((old.uid, old.gid), (new.uid, new.gid)),
        "target": (old.target, new.target),
    }
    for name, (one, other) in pairs.items():
        if one != other and not (folders and name in {"size", "mtime"}):
            yield name
