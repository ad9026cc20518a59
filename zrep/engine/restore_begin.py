"""The beginning of a restore: its locks, its journal, and the backup where it can be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from zrep.engine.bring_back import returning
from zrep.engine.journal import Journal
from zrep.engine.lock import exclusive
from zrep.engine.progress import Progress
from zrep.engine.restore import Restore
from zrep.engine.restore_request import Planned
from zrep.engine.restore_session import drop_sessions, items_in, opened_session
from zrep.engine.site import Site
from zrep.errors import Refused
from zrep.model.backup import Backup


def lock_name(deployment: str, origin: str) -> str:
    """One restore at a time into one deployment."""
    return f"restore-{deployment}" if origin else "restore"


@contextmanager
def locked(site: Site) -> Iterator[int]:
    """No other restore there, and no backup of what is written to; the restore's lock."""
    config = site.config
    with ExitStack() as locks:
        name = lock_name(config.deployment, config.origin)
        lock = locks.enter_context(exclusive(site.run_dir, name))
        for backup_set in sorted(config.sets) if not config.origin else ():
            locks.enter_context(exclusive(site.run_dir, f"set-{backup_set}"))
        yield lock


@contextmanager
def begun(
    site: Site, planned: Planned, progress: Progress, *, owner: str, mounted: bool
) -> Iterator[Restore]:
    """A restore with its locks, its journal and, if it is to write, the mounted backup."""
    if site.config.target.address is not None:
        raise Refused(
            "the backups are on another machine",
            why=f"zrep restores from where they are: {site.config.target.address}",
            next_step="run zrep restore on the target, with a configuration that says so",
        )
    plan = planned.plan
    with ExitStack() as stack:
        lock = stack.enter_context(locked(site))
        journal = stack.enter_context(Journal(site.state_dir, "restore", plan.run))
        going = Restore(
            site=site, plan=plan, session=None, journal=journal, progress=progress, lock=lock
        )
        drop_sessions(site, plan)
        if mounted:
            backup = _backup_here(going, planned)
            progress.step(f"mount backup {backup.id}")
            opened = opened_session(site, plan, backup, owner=owner)
            going.session = items_in(stack.enter_context(opened), plan)
        yield going


def _backup_here(going: Restore, planned: Planned) -> Backup:
    """The backup in this pool. The hosts are asked first: to receive it may take days."""
    name = planned.order.replica
    if name is None:
        return planned.backup
    way = returning(going.site, name, planned.backup, planned.plan.keys)
    if way.plan():
        going.look()
        going.progress.step(f"receive backup {planned.backup.id} from {name}")
    return way.receive(going.journal, going.progress)
