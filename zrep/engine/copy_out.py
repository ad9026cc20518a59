"""Taking a file or folder out of a backup, with owners, modes, times, ACLs and attributes."""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack
from pathlib import Path

from zrep.engine.browse import Shelf
from zrep.engine.tree import entry_at
from zrep.errors import Refused, UnknownName, UsageError
from zrep.frozen import dataclass
from zrep.host.process import run
from zrep.model.backup import Backup
from zrep.model.tree import Entry, Kind
from zrep.planner.locate import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyPlan:
    """`source` and `destination` name the thing itself; `exists` that one will be overwritten."""

    source: str
    entry: Entry
    destination: Path
    exists: bool


def plan_copy(
    shelf: Shelf, backup: Backup, location: Location, to: Path, *, force: bool
) -> CopyPlan:
    """Into `to` when that is a folder, else as `to`.

    UnknownName when the backup does not have it; Refused when something is there already and
    `force` does not say otherwise, or when a file and a folder would take each other's place.
    """
    with shelf.open(backup, location.key) as top:
        entry = entry_at(top, location.parts)
    if entry is None:
        raise UnknownName(
            f"{location} is not in backup {backup.id}",
            next_step=f"see where it is: zrep find {location}",
        )
    name = location.parts[-1] if location.parts else location.key.name
    destination = to / name if os.path.isdir(to) else to  # noqa: PTH112 - False for what may not be seen
    _check_destination(shelf, destination)
    exists = os.path.lexists(destination)
    if exists:
        _check_overwrite(entry, destination, force=force)
    return CopyPlan(
        source="/".join((shelf.folder(backup, location.key), *location.parts)),
        entry=entry,
        destination=destination,
        exists=exists,
    )


def _check_destination(shelf: Shelf, destination: Path) -> None:
    parent = destination.parent
    if not os.path.isdir(parent):  # noqa: PTH112 - as above
        raise UsageError(f"there is no folder {parent}", next_step=f"mkdir -p {parent}")
    real = parent.resolve()
    for dataset in shelf.inventory:
        if (
            dataset.mounted
            and dataset.mountpoint
            and real.is_relative_to(Path(dataset.mountpoint).resolve())
        ):
            raise Refused(
                f"{destination} lies where backups are received ({dataset.name})",
                next_step="copy to a folder outside of it",
            )


def _check_overwrite(entry: Entry, destination: Path, *, force: bool) -> None:
    if not force:
        raise Refused(
            f"{destination} exists already",
            next_step="name another destination, or overwrite it with --force",
        )
    there = destination.is_dir() and not destination.is_symlink()
    if there is not (entry.kind is Kind.FOLDER):
        what = "a folder" if there else "no folder"
        raise Refused(
            f"{destination} is {what}, what the backup has is a {entry.kind}",
            next_step="move it away, or name another destination",
        )


def apply_copy(plan: CopyPlan) -> None:
    """All or nothing under the final name; only a folder that exists is merged in place.

    The path was proven to hold no link, and a snapshot does not change: it may be named again.
    """
    if plan.exists and plan.entry.kind is Kind.FOLDER:
        _copy(plan.source, plan.destination)
        return
    beside = plan.destination.parent / f".zrep-{secrets.token_hex(8)}"
    with ExitStack() as undo:
        undo.callback(_remove, beside)
        _copy(plan.source, beside)
        if not plan.exists and os.path.lexists(plan.destination):
            raise Refused(
                f"{plan.destination} has appeared meanwhile", next_step="name another destination"
            )
        beside.rename(plan.destination)
        undo.pop_all()


def _copy(source: str, destination: Path) -> None:
    argv = ("cp", "-a", "--remove-destination", "-T", "--", source, str(destination))
    run(argv, timeout=None)


def _remove(path: Path) -> None:
    """By a program that goes as deep as the copy may be."""
    run(("rm", "-rf", "--one-file-system", "--", str(path)), timeout=None)
