"""A backup as published, and the manifest that its snapshots carry as user properties.

Every child snapshot of a backup carries the whole manifest, so each alone can say whether the
backup is complete and which children belong to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from zrep.frozen import dataclass
from zrep.model.inventory import Snapshot
from zrep.model.key import SourceKey
from zrep.model.layout import is_folder
from zrep.model.names import BackupId, BackupLabel
from zrep.model.source import Consistency

if TYPE_CHECKING:
    from zrep.model.coverage import Uncovered

PREFIX = "io.zrep:"
SET = PREFIX + "set"
STATE = PREFIX + "state"
# The sources that were captured, in one short property: with the state it says as much as the whole
# manifest about which snapshots belong together.
CAPTURED = PREFIX + "captured"
GLANCE = (SET, STATE, CAPTURED)
_SOURCE = PREFIX + "src:"
_PAUSE = PREFIX + "pause:"
_UNCOVERED = PREFIX + "uncovered:"
# ZFS cannot take a property off many snapshots at once: one of this value is none.
UNSET = "-"
MAX_WHY = 500
# Property values end at 8 KiB.
MAX_PATHS, MAX_PATH = 30, 200
MAX_CAPTURED = 4000


class State(StrEnum):
    """How far a backup can be trusted.

    `incomplete` means that children named by the manifest are missing here (a replica under way,
    or snapshots destroyed by hand); `unverified` that no manifest is there to compare with.
    """

    COMPLETE = "complete"
    PARTIAL = "partial"
    INCOMPLETE = "incomplete"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """What the manifest says of one source: captured with these totals, or failed and why.

    With a `folder` it lies in that folder of a snapshot that was imported, and nothing was counted.
    """

    key: SourceKey
    ok: bool
    why: str = ""
    files: int = 0
    size: int = 0
    transferred: int = 0
    deleted: int = 0
    seconds: float = 0.0
    method: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """How long one host's containers stood still, by its own clock; None: it never said.

    `held`: none of them ran between its acknowledgement and the end that the run gave it.
    """

    host: str
    containers: int
    milliseconds: int | None
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What one run published: `seconds` is the run's duration up to the publish.

    `uncovered` is what containers used and no source contains; of each host the first paths only.
    """

    set_name: str
    state: State
    consistency: Consistency
    sources: tuple[SourceRecord, ...]
    version: str = ""
    config: str = ""
    seconds: float = 0.0
    pauses: tuple[Pause, ...] = ()
    uncovered: tuple[Uncovered, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One source's snapshot within a backup, or its folder in a snapshot of several."""

    key: SourceKey
    snapshot: Snapshot
    record: SourceRecord | None = None

    @property
    def folder(self) -> str:
        """Where within the snapshot its files lie; empty for the top."""
        return self.record.folder if self.record else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One backup as found in a tree: its children present, judged against its manifest.

    `set_name` is empty when nothing says of which set it is.
    """

    label: BackupLabel
    state: State
    children: tuple[Child, ...]
    set_name: str = ""
    manifest: Manifest | None = field(default=None)
    sheet: Snapshot | None = None

    @property
    def id(self) -> BackupId:
        return self.label.id

    @property
    def keys(self) -> tuple[SourceKey, ...]:
        return tuple(c.key for c in self.children)

    def child(self, key: SourceKey) -> Child | None:
        return next((c for c in self.children if c.key == key), None)

    @property
    def imported(self) -> bool:
        return any(c.folder for c in self.children)

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """Each once, whatever number of sources lie in it; the recovery sheet's is the last."""
        there = {c.snapshot.name: c.snapshot for c in self.children}
        return (*there.values(), *((self.sheet,) if self.sheet else ()))

    @property
    def creation(self) -> int:
        return min(s.creation for s in self.snapshots)

    @property
    def moment(self) -> datetime:
        """When its run began; of an imported one, whose id may be local time, when it ended."""
        return datetime.fromtimestamp(self.creation, UTC) if self.imported else self.id.moment

    @property
    def written(self) -> int:
        """Bytes that this backup added to its datasets."""
        return sum(s.written for s in self.snapshots)

    @property
    def referenced(self) -> int:
        return sum(s.referenced for s in self.snapshots)


def encode_manifest(manifest: Manifest) -> dict[str, str]:
    """The user properties that carry a manifest; one property per source keeps each short."""
    head = {
        "set": manifest.set_name,
        "state": manifest.state.value,
        "consistency": manifest.consistency.value,
        "version": manifest.version,
        "config": manifest.config,
        "seconds": f"{manifest.seconds:.1f}",
    }
    properties = {PREFIX + key: value for key, value in head.items()}
    captured = " ".join(sorted(str(r.key) for r in manifest.sources if r.ok))
    if len(captured) <= MAX_CAPTURED:
        properties[CAPTURED] = captured or UNSET
    for record in manifest.sources:
        properties[source_property(record.key)] = _encode_record(record)
    for pause in manifest.pauses:
        words = {"ms": pause.milliseconds, "containers": pause.containers, "held": pause.held}
        properties[_PAUSE + pause.host] = _compact(words)
    for host in sorted({u.host for u in manifest.uncovered}):
        paths = [u.path[:MAX_PATH] for u in manifest.uncovered if u.host == host]
        properties[_UNCOVERED + host] = _compact({"paths": paths[:MAX_PATHS], "total": len(paths)})
    return properties


def source_property(key: SourceKey) -> str:
    """The property that has the record of this source."""
    return f"{_SOURCE}{key.host}:{key.name}"


def _compact(words: Mapping[str, object]) -> str:
    return json.dumps(words, separators=(",", ":"), ensure_ascii=True)


def _encode_record(record: SourceRecord) -> str:
    words: dict[str, object] = {"ok": record.ok}
    if record.folder:
        words["folder"] = record.folder
    elif record.ok:
        words |= {
            "files": record.files,
            "size": record.size,
            "transferred": record.transferred,
            "deleted": record.deleted,
            "seconds": round(record.seconds, 1),
        }
    if not record.ok:
        words["why"] = record.why[:MAX_WHY]
    words["method"] = record.method
    return _compact(words)


def left_over(properties: Mapping[str, str], manifest: Mapping[str, str]) -> dict[str, str]:
    """What unsets the sources of an earlier manifest that the properties of the new one lack."""
    old = (k for k, v in properties.items() if k.startswith(_SOURCE) and v != UNSET)
    return {key: UNSET for key in old if key not in manifest}


def decode_manifest(properties: Mapping[str, str]) -> Manifest | None:
    """The manifest in a snapshot's properties; None when there is none or it cannot be read.

    Properties can be set by anybody with ZFS rights: what cannot be read is no manifest, and the
    backup then counts as unverified, the weakest state.
    """
    try:
        return Manifest(
            set_name=properties[SET],
            state=State(properties[STATE]),
            consistency=Consistency(properties[PREFIX + "consistency"]),
            sources=tuple(
                _decode_record(k, v)
                for k, v in sorted(properties.items())
                if k.startswith(_SOURCE) and v != UNSET
            ),
            version=properties.get(PREFIX + "version", ""),
            config=properties.get(PREFIX + "config", ""),
            seconds=float(properties.get(PREFIX + "seconds", "0")),
            pauses=tuple(
                _decode_pause(k, v) for k, v in sorted(properties.items()) if k.startswith(_PAUSE)
            ),
            uncovered=tuple(
                found
                for k, v in sorted(properties.items())
                if k.startswith(_UNCOVERED)
                for found in _decode_uncovered(k, v)
            ),
        )
    except (KeyError, ValueError, TypeError):
        return None


def decode_state(properties: Mapping[str, str], present: frozenset[SourceKey]) -> State | None:
    """What the manifest says of a backup of which these sources are there; None if it may not tell.

    From the properties of GLANCE alone.
    """
    try:
        state, captured = State(properties[STATE]), properties[CAPTURED]
    except (KeyError, ValueError):
        return None
    return state if set(captured.split()) == set(map(str, present)) else State.INCOMPLETE


def decode_source(properties: Mapping[str, str], key: SourceKey) -> SourceRecord | None:
    """What is said of one source; None when nothing is that can be read."""
    name = source_property(key)
    try:
        return _decode_record(name, properties[name])
    except (KeyError, ValueError, TypeError):
        return None


def _decode_record(name: str, text: str) -> SourceRecord:
    host, _, source = name.removeprefix(_SOURCE).partition(":")
    words = json.loads(text)
    ok, folder = words["ok"] is True, str(words.get("folder", ""))
    if folder and not is_folder(folder):
        raise ValueError(f"not a folder: {folder!r}")
    return SourceRecord(
        key=SourceKey(host, source),
        ok=ok,
        folder=folder,
        why=str(words.get("why", "")),
        files=int(words.get("files", 0)),
        size=int(words.get("size", 0)),
        transferred=int(words.get("transferred", 0)),
        deleted=int(words.get("deleted", 0)),
        seconds=float(words.get("seconds", 0)),
        method=str(words.get("method", "")),
    )


def _decode_pause(name: str, text: str) -> Pause:
    words = json.loads(text)
    return Pause(
        host=name.removeprefix(_PAUSE),
        containers=int(words["containers"]),
        milliseconds=None if words["ms"] is None else int(words["ms"]),
        held=words["held"] is True,
    )


def _decode_uncovered(name: str, text: str) -> Iterator[Uncovered]:
    from zrep.model.coverage import Uncovered

    for path in json.loads(text)["paths"]:
        yield Uncovered(host=name.removeprefix(_UNCOVERED), path=str(path), users=())
