"""Which backups a tree holds: owned snapshots grouped by label and judged by their manifest; and
imported ones, each of which is one snapshot of the root with all sources in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from zrep.errors import BackupNotFound, Refused
from zrep.model.backup import (
    SET,
    Backup,
    Child,
    Manifest,
    SourceRecord,
    State,
    decode_manifest,
    decode_source,
    decode_state,
)
from zrep.model.inventory import Inventory, Snapshot
from zrep.model.key import SourceKey
from zrep.model.layout import HISTORY, layout_id
from zrep.model.names import BackupLabel, DatasetName, parse_label
from zrep.model.recovery import RECOVERY, recovery_dataset

_Group = tuple[BackupLabel, str]
_Found = list[tuple[SourceKey, Snapshot]]


def find_backups(inventory: Inventory, root: DatasetName) -> tuple[Backup, ...]:
    """All backups below `root`, newest first.

    Children lie two levels below the root (host, then source); owned snapshots elsewhere belong
    to plain datasets and are no backups.
    """
    backups = [_judge(label, found) for label, found in _children(inventory, root)]
    backups = [_with_sheet(b, inventory, root) for b in backups]
    backups += _imported(inventory, root)
    return _newest_first(backups)


def glance_backups(inventory: Inventory, root: DatasetName) -> tuple[Backup, ...]:
    """The same from the properties of GLANCE alone, without manifests and sheets.

    What those properties say nothing of is unverified, and records are there as far as their
    properties were read. Nothing when some were imported, for only manifests tell what lies in
    them.
    """
    if any(layout_id(s.name.snap) for s in inventory.snapshots()):
        return ()
    return _newest_first(_glance(label, found) for label, found in _children(inventory, root))


def _newest_first(backups: Iterable[Backup]) -> tuple[Backup, ...]:
    return tuple(sorted(backups, key=lambda b: (b.moment, b.id, b.creation), reverse=True))


def _children(inventory: Inventory, root: DatasetName) -> Iterator[tuple[BackupLabel, _Found]]:
    """The snapshots of each backup, with the source that each is of."""
    groups: dict[_Group, _Found] = defaultdict(list)
    for dataset in inventory:
        key = source_key(dataset.name, root)
        if key and key.host == RECOVERY:
            continue
        for snapshot in dataset.snapshots if key else ():
            label = parse_label(snapshot.name.snap)
            if key and label:
                groups[label, snapshot.properties.get(SET, "")].append((key, snapshot))
    return ((label, found) for (label, _), found in _adopt(groups).items())


def _with_sheet(backup: Backup, inventory: Inventory, root: DatasetName) -> Backup:
    if not backup.set_name:
        return backup
    name = recovery_dataset(root, backup.set_name).at(str(backup.label))
    return replace(backup, sheet=inventory.snapshot(name))


def _imported(inventory: Inventory, root: DatasetName) -> Iterator[Backup]:
    """Without a manifest that can be read there is none: nobody knows what lies where."""
    for name in (root, root / HISTORY):
        dataset = inventory.get(name)
        for snapshot in dataset.snapshots if dataset else ():
            if snapshot.label is None or parse_label(snapshot.name.snap):
                continue
            manifest = decode_manifest(snapshot.properties)
            there = [r.key for r in manifest.sources if r.ok and r.folder] if manifest else []
            if there:
                yield _judge(snapshot.label, [(key, snapshot) for key in there])


def _adopt(groups: Mapping[_Group, _Found]) -> Mapping[_Group, _Found]:
    """Children that lost their manifest belong to the one set that has their label, if it is one.

    Two sets may publish within the same second, so the label alone does not tell them apart.
    """
    sets: dict[BackupLabel, list[str]] = defaultdict(list)
    for label, set_name in groups:
        if set_name:
            sets[label].append(set_name)
    whole: dict[_Group, _Found] = defaultdict(list)
    for (label, set_name), found in groups.items():
        alone = not set_name and len(sets[label]) == 1
        whole[label, sets[label][0] if alone else set_name].extend(found)
    return whole


def source_key(dataset: DatasetName, root: DatasetName) -> SourceKey | None:
    """backup/current/manager-1/docker under backup/current -> manager-1/docker, else None."""
    if not dataset.is_below(root):
        return None
    parts = dataset.relative_to(root).split("/")
    return SourceKey(*parts) if len(parts) == 2 else None


def _glance(label: BackupLabel, found: _Found) -> Backup:
    present = frozenset(key for key, _ in found)
    states = (decode_state(s.properties, present) for _, s in found)
    sets = (s.properties.get(SET, "") for _, s in found)
    return Backup(
        label=label,
        state=next(filter(None, states), State.UNVERIFIED),
        children=tuple(
            Child(key=key, snapshot=snapshot, record=decode_source(snapshot.properties, key))
            for key, snapshot in found
        ),
        set_name=next(filter(None, sets), ""),
    )


def _judge(label: BackupLabel, found: _Found) -> Backup:
    manifest = next((m for m in (decode_manifest(s.properties) for _, s in found) if m), None)
    records = {r.key: r for r in manifest.sources} if manifest else {}
    children = tuple(
        Child(key=key, snapshot=snapshot, record=records.get(key)) for key, snapshot in found
    )
    present = frozenset(key for key, _ in found)
    return Backup(
        label=label,
        state=_state(manifest, records.values(), present),
        children=children,
        set_name=manifest.set_name if manifest else "",
        manifest=manifest,
    )


def _state(
    manifest: Manifest | None, records: Iterable[SourceRecord], present: frozenset[SourceKey]
) -> State:
    if manifest is None:
        return State.UNVERIFIED
    if {r.key for r in records if r.ok} != present:
        return State.INCOMPLETE
    return manifest.state


def resolve(backups: Sequence[Backup], text: str, *, having: SourceKey | None = None) -> Backup:
    """The one backup meant by `text`; with `having` only those that hold that source count.

    An exact id, an unambiguous beginning of one, `latest` (the newest complete backup),
    `latest~2` (the second complete one before it), or `@TIME` (the newest complete one whose run
    began at or before then): `@2026-11-23` is any time of that day, `@2026-11-23T10:00` and
    `@1795428000` are instants; without an offset times are UTC, as ids are.
    Raises BackupNotFound with the candidates.
    """
    known = [b for b in backups if having is None or having in b.keys]
    if text.startswith("@"):
        return _at_or_before(known, text)
    if text == "latest" or text.startswith("latest~"):
        return _latest(known, text)
    found = [b for b in known if str(b.id).startswith(text)] if text else []
    exact = [b for b in found if str(b.id) == text] or found
    if len(exact) == 1:
        return exact[0]
    raise _not_found(text, exact, having)


def check_one_set(backups: Sequence[Backup], text: str) -> None:
    """Refused when `text` is a time and there are several sets: which of them is not for us to say.

    `text` as `resolve` takes it.
    """
    newest: dict[str, Backup] = {}
    for backup in backups:
        if backup.state is State.COMPLETE:
            newest.setdefault(backup.set_name, backup)
    if len(newest) > 1 and (text.startswith("@") or text.partition("~")[0] == "latest"):
        raise Refused(
            f"{text!r} of which set?",
            why="; ".join(f"the newest of {name} is {b.id}" for name, b in sorted(newest.items())),
            next_step="name the backup by its id, or what to restore with --source",
        )


def _latest(backups: Sequence[Backup], text: str) -> Backup:
    back = text.removeprefix("latest").removeprefix("~") or "0"
    if not (back.isascii() and back.isdecimal() and len(back) < 10) or text == "latest~":
        raise BackupNotFound(f"no backup {text!r}", next_step="write it like latest~2")
    complete = [b for b in backups if b.state is State.COMPLETE]
    if int(back) < len(complete):
        return complete[int(back)]
    if not complete:
        raise BackupNotFound("no complete backup yet", next_step="run: zrep sync")
    raise BackupNotFound(
        f"no backup {text!r}",
        why=f"only {len(complete)} are complete, the oldest is {complete[-1].id}",
        next_step="zrep list shows the backups there are",
    )


def _at_or_before(backups: Sequence[Backup], text: str) -> Backup:
    end = _parse_moment(text[1:])
    complete = [b for b in backups if b.state is State.COMPLETE]
    for backup in complete:
        if backup.moment <= end:
            return backup
    why = f"the oldest is {complete[-1].id}" if complete else "there is no complete one at all"
    raise BackupNotFound(
        f"no complete backup at or before {end:%Y-%m-%dT%H:%M:%SZ}",
        why=why,
        next_step="zrep list shows the backups there are",
    )


def _parse_moment(text: str) -> datetime:
    try:
        if text.isascii() and text.isdecimal() and len(text) > len("20261123"):
            return datetime.fromtimestamp(int(text), UTC)
        moment = _last_second_of(text) or datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise BackupNotFound(
            f"not a time: {text!r}",
            next_step="write it like @2026-11-23, @2026-11-23T10:00 or @1795428000",
        ) from None


def _last_second_of(text: str) -> datetime | None:
    """The end of the day that `text` names; None when it says more than a day."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)


def _not_found(text: str, candidates: Sequence[Backup], having: SourceKey | None) -> BackupNotFound:
    if not candidates:
        holding = f" with the source {having}" if having else ""
        return BackupNotFound(
            f"no backup {text!r}{holding}", next_step="zrep list shows the backups there are"
        )
    names = ", ".join(str(b.id) for b in candidates[:10])
    return BackupNotFound(
        f"{text!r} is ambiguous", why=f"it could be {names}", next_step="give the whole id"
    )
