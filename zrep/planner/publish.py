"""What a finished run publishes: the verified children, under one label, with the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from itertools import pairwise

from zrep.errors import Refused
from zrep.frozen import dataclass
from zrep.model.backup import Backup, Manifest, Pause, SourceRecord, State, encode_manifest
from zrep.model.coverage import Uncovered
from zrep.model.methods import METHODS
from zrep.model.names import BackupId, BackupLabel, DatasetName, SnapClass, SnapshotName
from zrep.model.policy import Policy
from zrep.model.source import BackupSet, Consistency, OnPartial
from zrep.planner.due import due


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """One atomic snapshot of several datasets, with the properties each snapshot gets."""

    label: BackupLabel
    snapshots: tuple[SnapshotName, ...]
    manifest: Manifest
    properties: Mapping[str, str] = field(hash=False)


def classes_due(
    policy: Policy, backups: Sequence[Backup], set_name: str, *, now: int
) -> frozenset[SnapClass]:
    """The classes a complete backup of the set would count for at `now` (epoch seconds)."""
    newest: dict[SnapClass, int | None] = {}
    for backup in backups:
        if backup.set_name == set_name and backup.state is State.COMPLETE:
            for snap_class in backup.label.classes:
                newest[snap_class] = max(newest.get(snap_class) or 0, backup.creation)
    return due(policy, newest, now)


def check_order(backups: Sequence[Backup], new: BackupId) -> None:
    """Refuse an id that does not sort after every backup there is: the clock went backwards."""
    later = [b.id for b in backups if b.moment >= new.moment or b.id == new]
    if later:
        raise Refused(
            f"the clock says {new} but backup {max(later)} exists already",
            next_step="check the director's clock (timedatectl), then run again",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the manifest says of the run itself: `config` is its digest, `seconds` its duration."""

    version: str
    config: str
    seconds: float = 0.0
    pauses: tuple[Pause, ...] = ()
    uncovered: tuple[Uncovered, ...] = ()


def plan_publish(
    backup_set: BackupSet,
    root: DatasetName,
    records: Sequence[SourceRecord],
    *,
    label: BackupLabel,
    facts: Facts,
) -> Publish:
    """The snapshot to take after the sources ended as `records` say; Refused when none may be."""
    good = [r for r in records if r.ok]
    failed = [r for r in records if not r.ok]
    if not good or (failed and backup_set.on_partial is OnPartial.REFUSE):
        raise Refused(
            f"nothing was published for set {backup_set.name}",
            why="; ".join(f"{r.key}: {r.why}" for r in failed),
            next_step="mend the sources and run zrep sync again",
        )
    manifest = Manifest(
        set_name=backup_set.name,
        state=State.PARTIAL if failed else State.COMPLETE,
        consistency=consistency(backup_set, facts.pauses, failed=bool(failed)),
        sources=tuple(sorted(records, key=lambda r: r.key)),
        version=facts.version,
        config=facts.config,
        seconds=facts.seconds,
        pauses=facts.pauses,
        uncovered=facts.uncovered,
    )
    return Publish(
        label=label,
        snapshots=tuple((root / str(r.key)).at(str(label)) for r in good),
        manifest=manifest,
        properties=encode_manifest(manifest),
    )


def with_sheet(plan: Publish, sheet: DatasetName) -> Publish:
    """The same, and the recovery sheet in the same transaction group with the same manifest."""
    return replace(plan, snapshots=(*plan.snapshots, sheet.at(str(plan.label))))


def consistency(
    backup_set: BackupSet, pauses: Sequence[Pause] = (), *, failed: bool
) -> Consistency:
    """The weakest truth: snapshots of one host are of one moment each, folders of none.

    With every host's containers held still from before the first snapshot until after the last,
    all are of one instant; but a dump is older. Otherwise no two snapshots are: then `node` is the
    most a set of more than one source may claim, and only when each host contributes a single one.
    """
    claims = {METHODS[s.method].consistency for s in backup_set.sources}
    if failed or Consistency.NONE in claims:
        return Consistency.NONE
    if len(backup_set.sources) == 1 and Consistency.APPLICATION in claims:
        return Consistency.APPLICATION
    held = {p.host for p in pauses if p.held}
    dumped = Consistency.APPLICATION in claims
    if not dumped and backup_set.paused_hosts and held.issuperset(backup_set.paused_hosts):
        return Consistency.CLUSTER
    hosts = sorted(s.key.host for s in backup_set.sources)
    return Consistency.NONE if any(a == b for a, b in pairwise(hosts)) else Consistency.NODE
