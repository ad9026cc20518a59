"""Plans: frozen actions with reasons. Planners make them, the engine carries them out."""

from __future__ import annotations

from zrep.frozen import dataclass
from zrep.model.inventory import Snapshot
from zrep.model.names import DatasetName, SnapshotName


@dataclass(frozen=True, slots=True, kw_only=True)
class SendSpec:
    """What to send: `snapshot`, from `base` (`@name` of a snapshot, `#name` of a bookmark).

    `intermediates` sends every snapshot between base and snapshot (-I; needs a snapshot base).
    `token` resumes an interrupted receive; the other fields then only describe it.
    """

    snapshot: SnapshotName
    base: str | None = None
    intermediates: bool = False
    token: str | None = None
    raw: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One stream into `destination`; it carries `snapshots`, oldest first."""

    destination: DatasetName
    spec: SendSpec
    snapshots: tuple[Snapshot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpToDate:
    """The replica of `source` has the newest snapshot already."""

    source: DatasetName
    newest: Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Diverged:
    """The two histories do not fit; `evidence` names the snapshots that prove it."""

    source: DatasetName
    destination: DatasetName
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """What one dataset's replica needs: parents to create, then transfers in order."""

    source: DatasetName
    destination: DatasetName
    parents: tuple[DatasetName, ...]
    transfers: tuple[Transfer, ...]


ReplicaStep = Follow | UpToDate | Diverged
