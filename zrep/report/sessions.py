"""Sessions as a table, as the answer to a mount, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zrep.model.key import SourceKey
from zrep.model.moment import iso
from zrep.model.session import Session
from zrep.model.source import Address, Service
from zrep.report.table import render_table


def render_sessions(sessions: Sequence[Session]) -> str:
    if not sessions:
        return "nothing is mounted"
    head = ("SESSION", "BACKUP", "OWNER", "EXPIRES", "ACCESS", "SOURCES", "PURPOSE")
    rows = [
        (
            s.name,
            str(s.backup),
            s.owner,
            iso(s.expires),
            "rw" if s.writable else "ro",
            str(len(s.clones)),
            s.purpose or "-",
        )
        for s in sessions
    ]
    return render_table(head, rows, right=frozenset({"SOURCES"}))


def render_mounted(
    session: Session,
    paths: Mapping[SourceKey, str],
    *,
    address: Address | None = None,
    replica: str | None = None,
    service: Service | None = None,
) -> str:
    """Where it is and how to end it, then a line for each source, or each folder of the service."""
    on = f" on {address}" if address else ""
    end = f"zrep umount {session.name}" + (f" --from {replica}" if replica else "")
    head = f"session {session.name}{on}, until {iso(session.expires)}; umount it with: {end}"
    if service is None:
        return "\n".join((head, *(f"{key}\t{path}" for key, path in paths.items())))
    return "\n".join((head, *(f"{service.name}\t{p}" for p in service_paths(session, service))))


def service_paths(session: Session, service: Service) -> list[str]:
    """Where the service's data lies in the session; nothing while it is not mounted."""
    clone = session.clones.get(service.source)
    if clone is None or clone.path is None:
        return []
    return [f"{clone.path}/{path}" for path in service.paths]


def session_json(
    session: Session, address: Address | None = None, service: Service | None = None
) -> dict[str, object]:
    """`host` is null on this machine; `service` is there when one was asked for."""
    found: dict[str, object] = {
        "session": session.name,
        "backup": str(session.backup),
        "dataset": str(session.dataset),
        "owner": session.owner,
        "purpose": session.purpose,
        "expires": session.expires,
        "writable": session.writable,
        "host": str(address) if address else None,
        "paths": {str(key): clone.path for key, clone in session.clones.items()},
    }
    if service is not None:
        found["service"] = {"name": service.name, "paths": service_paths(session, service)}
    return found


def render_reaped(
    gone: Sequence[Session], kept: Mapping[str, str], *, planned: bool = False
) -> str:
    """A line for each session that is gone, and why for each that had to stay."""
    verb = "would destroy" if planned else "destroyed"
    lines = [f"{verb} session {s.name} of backup {s.backup}" for s in gone]
    lines += [f"session {name} stays: {why}" for name, why in kept.items()]
    return "\n".join(lines) or "no session has expired"
