"""Files in backups: versions of a path and changes between two backups, as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from zrep.model.names import BackupId
from zrep.model.tree import Entry, Kind
from zrep.planner.compare import Change, Verb
from zrep.planner.versions import PathHistory
from zrep.report.table import render_table, size

_SIGNS = {Verb.ADDED: "+", Verb.REMOVED: "-", Verb.CHANGED: "M"}


def printable(path: str) -> str:
    r"""On one line and harmless to a terminal: `a\nb` -> `a\x0ab`; bytes that are no UTF-8 too."""
    return "".join(c if c.isprintable() else _escaped(c) for c in path)


def _escaped(char: str) -> str:
    r"""A control character or a byte that is no UTF-8 as \xNN, others as \uNNNN."""
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def render_history(history: PathHistory) -> str:
    """A line per version, oldest first, then where the path was gone and what was not read."""
    if not history.versions and not history.unread:
        return "in none of the backups"
    head = ("KIND", "SIZE", "MODIFIED", "MODE", "OWNER", "BACKUPS", "FIRST", "LAST")
    rows = [
        (
            v.entry.kind.value + (f" -> {printable(v.entry.target)}" if v.entry.target else ""),
            size(v.entry.size),
            _when(v.entry.mtime) if v.entry.mtime else "-",
            f"{v.entry.mode:04o}",
            f"{v.entry.uid}:{v.entry.gid}",
            str(len(v.backups)),
            str(v.backups[0]),
            str(v.backups[-1]),
        )
        for v in history.versions
    ]
    lines = [render_table(head, rows, right=frozenset({"SIZE", "BACKUPS"}))] if rows else []
    lines += [f"deleted after {d.after}: not in {_span(d.backups)}" for d in history.deletions]
    lines += [f"not read in {s.backup}: {printable(s.why)}" for s in history.unread]
    return "\n".join(lines)


def _span(backups: Sequence[BackupId]) -> str:
    if len(backups) == 1:
        return str(backups[0])
    return f"{backups[0]} to {backups[-1]} ({len(backups)} backups)"


def history_json(path: str, history: PathHistory) -> dict[str, object]:
    """Times in nanoseconds since the epoch, sizes in bytes, backups oldest first."""
    return {
        "path": printable(path),
        "versions": [
            {**entry_json(v.entry), "backups": [str(b) for b in v.backups]}
            for v in history.versions
        ],
        "deleted": [
            {"after": str(d.after), "backups": [str(b) for b in d.backups]}
            for d in history.deletions
        ],
        "before": [str(b) for b in history.before],
        "unread": [{"backup": str(s.backup), "why": printable(s.why)} for s in history.unread],
    }


def entry_json(entry: Entry) -> dict[str, object]:
    return {
        "kind": entry.kind.value,
        "size": entry.size,
        "mtime_ns": entry.mtime or None,
        "mode": f"{entry.mode:04o}",
        "uid": entry.uid,
        "gid": entry.gid,
        "target": printable(entry.target) or None,
    }


def render_change(change: Change) -> str:
    """`+ path`, `- path` or `M path (what changed)`; folders end in a slash."""
    entry = change.new or change.old
    slash = "/" if entry and entry.kind is Kind.FOLDER else ""
    line = f"{_SIGNS[change.verb]} {printable(change.path)}{slash}"
    if change.old is None or change.new is None or not change.fields:
        return line
    old, new = _told(change.old), _told(change.new)
    return f"{line} ({', '.join(f'{f} {old[f]} -> {new[f]}' for f in change.fields)})"


def _told(entry: Entry) -> Mapping[str, str]:
    return {
        "kind": entry.kind.value,
        "size": size(entry.size),
        "mtime": _when(entry.mtime),
        "mode": f"{entry.mode:04o}",
        "owner": f"{entry.uid}:{entry.gid}",
        "target": printable(entry.target) or "none",
    }


def change_json(change: Change) -> dict[str, object]:
    return {
        "change": change.verb.value,
        "path": printable(change.path),
        "fields": list(change.fields),
        "old": entry_json(change.old) if change.old else None,
        "new": entry_json(change.new) if change.new else None,
    }


def _when(nanoseconds: int) -> str:
    try:
        moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    except (ValueError, OverflowError):
        return f"{nanoseconds / 1e9:.0f}"
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
