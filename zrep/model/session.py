"""A session: a backup mounted as clones, described by the user properties of its own dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field

from zrep.frozen import dataclass
from zrep.model.backup import PREFIX
from zrep.model.inventory import Dataset, Inventory
from zrep.model.key import SourceKey
from zrep.model.layout import is_folder
from zrep.model.names import BackupId, DatasetName, SnapshotName

_NAME = PREFIX + "session"
_BACKUP = PREFIX + "backup"
_OWNER = PREFIX + "owner"
_PURPOSE = PREFIX + "purpose"
_EXPIRES = PREFIX + "expires"
_ACCESS = PREFIX + "access"
_FOLDER = PREFIX + "folder"
_WRITABLE = "rw"
_TAG = "zrep:session:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`clones` maps each source to its clone and where that is mounted (None: not mounted).

    `expires` in epoch seconds; `writable` clones take what is written to them, and lose it with
    the session.
    """

    name: str
    dataset: DatasetName
    backup: BackupId
    owner: str
    purpose: str
    expires: int
    writable: bool = False
    clones: Mapping[SourceKey, Clone] = field(default_factory=dict, hash=False)

    @property
    def tag(self) -> str:
        """The hold that keeps the clones' origins."""
        return hold_tag(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clone:
    """With a `folder` the source lies in it, for the clone is of a snapshot of several sources."""

    dataset: DatasetName
    origin: SnapshotName
    mountpoint: str | None
    folder: str = ""

    @property
    def path(self) -> str | None:
        """Where the source's files can be read; None while it is not mounted."""
        if self.mountpoint is None or not self.folder:
            return self.mountpoint
        return f"{self.mountpoint}/{self.folder}"


def hold_tag(session: str) -> str:
    return f"{_TAG}{session}"


def session_of_tag(tag: str) -> str | None:
    """The session whose hold this is; None for other holds."""
    return tag.removeprefix(_TAG) if tag.startswith(_TAG) else None


def replica_sessions(dataset: DatasetName) -> DatasetName:
    """Where sessions on a replica live: beside it, where no stream is received."""
    parent = dataset.parent
    return parent / f"{dataset.relative_to(parent)}-sessions" if parent else dataset / "sessions"


def encode_session(session: Session) -> dict[str, str]:
    return {
        _NAME: session.name,
        _BACKUP: str(session.backup),
        _OWNER: session.owner,
        _PURPOSE: session.purpose,
        _EXPIRES: str(session.expires),
        _ACCESS: _WRITABLE if session.writable else "ro",
    }


def encode_folder(folder: str) -> dict[str, str]:
    """What a clone of a snapshot of several sources says of itself; nothing for any other."""
    return {_FOLDER: json.dumps(folder)} if folder else {}


def find_sessions(inventory: Inventory, root: DatasetName) -> tuple[Session, ...]:
    """All sessions right below `root`; what carries no readable session properties is not ours."""
    found = (_decode(d, inventory) for d in inventory if d.name.parent == root)
    return tuple(s for s in found if s is not None)


def _decode(dataset: Dataset, inventory: Inventory) -> Session | None:
    words = dataset.properties
    if words.get(_NAME) != dataset.name.relative_to(dataset.name.parent or dataset.name):
        return None
    try:
        return Session(
            name=words[_NAME],
            dataset=dataset.name,
            backup=BackupId(words[_BACKUP]),
            owner=words.get(_OWNER, ""),
            purpose=words.get(_PURPOSE, ""),
            expires=int(words[_EXPIRES]),
            writable=words.get(_ACCESS) == _WRITABLE,
            clones=dict(_clones(dataset.name, inventory)),
        )
    except (KeyError, ValueError):
        return None


def _clones(root: DatasetName, inventory: Inventory) -> list[tuple[SourceKey, Clone]]:
    found = []
    for dataset in inventory:
        if dataset.origin is None or not dataset.name.is_below(root):
            continue
        host, _, source = dataset.name.relative_to(root).partition("/")
        mountpoint = dataset.mountpoint if dataset.mounted else None
        clone = Clone(
            dataset=dataset.name,
            origin=dataset.origin,
            mountpoint=mountpoint,
            folder=_folder(dataset.properties),
        )
        found.append((SourceKey(host, source), clone))
    return found


def _folder(properties: Mapping[str, str]) -> str:
    """ValueError for what leads anywhere else: whoever set it, the session is not ours then."""
    folder = json.loads(properties.get(_FOLDER, '""'))
    if folder and not (isinstance(folder, str) and is_folder(folder)):
        raise ValueError(f"not a folder: {folder!r}")
    return str(folder)
