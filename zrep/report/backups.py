"""Backups as tables and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from zrep.model.backup import Backup, Child, SourceRecord
from zrep.model.moment import iso
from zrep.report.pauses import pause_json, render_pause
from zrep.report.table import render_table, size


def render_backups(backups: Sequence[Backup]) -> str:
    """One line per backup, newest first."""
    if not backups:
        return "no backups yet"
    head = ("ID", "SET", "CLASSES", "STATE", "CONSISTENCY", "SOURCES", "WRITTEN", "REFERENCED")
    rows = [
        (
            str(b.id),
            b.set_name or "-",
            ",".join(b.label.classes),
            b.state.value,
            b.manifest.consistency.value if b.manifest else "-",
            str(len(b.children)),
            size(b.written),
            size(b.referenced),
        )
        for b in backups
    ]
    return render_table(head, rows, right=frozenset({"SOURCES", "WRITTEN", "REFERENCED"}))


def backup_json(backup: Backup) -> dict[str, object]:
    """Sizes in bytes, times in epoch seconds and ISO 8601 UTC."""
    manifest = backup.manifest
    return {
        "id": str(backup.id),
        "set": backup.set_name or None,
        "classes": [c.value for c in backup.label.classes],
        "state": backup.state.value,
        "consistency": manifest.consistency.value if manifest else None,
        "creation": backup.creation,
        "time": iso(backup.creation),
        "written": backup.written,
        "referenced": backup.referenced,
        "imported": backup.imported,
        "seconds": manifest.seconds if manifest and not backup.imported else None,
        "version": manifest.version if manifest else None,
        "config": manifest.config if manifest else None,
        "pauses": [pause_json(p) for p in (manifest.pauses if manifest else ())],
        "children": [_child_json(c) for c in backup.children],
        "failed": [
            {"source": str(r.key), "why": r.why}
            for r in (manifest.sources if manifest else ())
            if not r.ok
        ],
    }


def _child_json(child: Child) -> dict[str, object]:
    record = _counted(child)
    return {
        "source": str(child.key),
        "snapshot": str(child.snapshot.name),
        "folder": child.folder,
        "guid": child.snapshot.guid,
        "written": child.snapshot.written,
        "referenced": child.snapshot.referenced,
        "method": child.record.method if child.record else None,
        "files": record.files if record else None,
        "size": record.size if record else None,
        "transferred": record.transferred if record else None,
        "deleted": record.deleted if record else None,
        "seconds": record.seconds if record else None,
    }


def _counted(child: Child) -> SourceRecord | None:
    """What was counted of it: nothing when it was imported."""
    return None if child.folder else child.record


def render_backup(backup: Backup) -> str:
    """The manifest of one backup."""
    manifest = backup.manifest
    lines = [
        f"backup       {backup.id}",
        f"set          {backup.set_name or '-'}",
        f"classes      {', '.join(backup.label.classes)}",
        f"state        {backup.state.value}",
        f"consistency  {manifest.consistency.value if manifest else '-'}",
        f"published    {iso(backup.creation)}",
        *_origin(backup),
        *(f"paused       {render_pause(p)}" for p in (manifest.pauses if manifest else ())),
        "",
        _children_table(backup),
    ]
    failed = [r for r in (manifest.sources if manifest else ()) if not r.ok]
    lines += [f"\nfailed: {r.key}: {r.why}" for r in failed]
    return "\n".join(lines)


def _origin(backup: Backup) -> tuple[str, str]:
    manifest = backup.manifest
    if manifest is None:
        return "took         -", ""
    by = f"zrep {manifest.version}, config {manifest.config}"
    if backup.imported:
        return "took         -", f"imported by  {by}"
    return f"took         {manifest.seconds:.1f} s", f"made by      {by}"


def _children_table(backup: Backup) -> str:
    head = ("SOURCE", "METHOD", "FILES", "SIZE", "SENT", "DELETED", "WRITTEN", "SNAPSHOT")
    rows = [
        (
            str(c.key),
            c.record.method if c.record else "-",
            *_counts(_counted(c)),
            size(c.snapshot.written),
            "/".join(filter(None, (str(c.snapshot.name), c.folder))),
        )
        for c in backup.children
    ]
    return render_table(
        head, rows, right=frozenset({"FILES", "SIZE", "SENT", "DELETED", "WRITTEN"})
    )


def _counts(record: SourceRecord | None) -> tuple[str, ...]:
    if record is None:
        return ("-",) * 4
    sent = size(record.transferred)
    return str(record.files), size(record.size), sent, str(record.deleted)
