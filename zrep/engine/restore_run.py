"""A restore from the first look to its record, with a person's consent in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from zrep.engine.bring_back import drop_returned
from zrep.engine.lock import exclusive
from zrep.engine.progress import Progress
from zrep.engine.restore import Restore, RestoreReport, Summary
from zrep.engine.restore_begin import begun, lock_name
from zrep.engine.restore_record import Keeper, Record, Records
from zrep.engine.restore_request import Planned
from zrep.engine.site import Site
from zrep.errors import ConfigError, Refused
from zrep.model.key import SourceKey
from zrep.source.restore_capsules import RestoreCapsules

Agree = Callable[[Summary], bool]


def restore(
    site: Site, planned: Planned, record: Record, progress: Progress, *, agree: Agree
) -> RestoreReport | None:
    """What was restored; None when `agree` said no, and then nothing was changed.

    `record` is that of an earlier attempt, or a new one. A restore that was verified asks nobody:
    all that is left is to let services run. Raises what failed; the record then says where.
    """
    mounted = not record.verified
    with begun(site, planned, progress, owner=record.owner, mounted=mounted) as going:
        summary = Summary(changes={}) if record.verified else _agreed(going, agree)
        if summary is None:
            return None
        fresh = record if record.started else replace(record, started=int(time.time()))
        with Keeper(Records(site.state_dir), fresh) as keeper:
            return going.execute(keeper, summary.changes)


def _agreed(going: Restore, agree: Agree) -> Summary | None:
    """What would change, if whoever reads it wants that; what was opened is closed if not."""
    warnings = going.look()
    with ExitStack() as undo:
        undo.callback(going.close)
        summary = going.compare(warnings)
        if not agree(summary):
            return None
        undo.pop_all()
    return summary


def discard_safety(site: Site, name: str) -> tuple[str, ...]:
    """Remove what a restore has kept on the hosts, and received; what is gone, in words.

    Refused for a restore that is not done: it may be all there is. `site` is that of the
    deployment to which it went.
    """
    records = Records(site.state_dir)
    record = records.read(name)
    with exclusive(site.run_dir, lock_name(record.deployment, record.origin)):
        if record.state != "done":
            raise Refused(
                f"restore {name} is not done", next_step=f"finish it: zrep restore --resume {name}"
            )
        gone: list[str] = []
        for text in sorted(record.safety):
            key = _configured(site, text)
            capsules = RestoreCapsules(site.source_host(key.host))
            gone.extend(f"{text}: {kept}" for kept in capsules.discard(record.id, key.name))
        if record.replica:
            root = site.config.target.restored / record.backup
            gone.extend(str(dataset) for dataset in drop_returned(site.target, root))
        records.write(replace(record, discarded=True))
    return tuple(gone)


def _configured(site: Site, text: str) -> SourceKey:
    host, _, name = text.partition("/")
    if host not in site.config.hosts:
        raise ConfigError(
            (f"host {host} is no longer configured",),
            next_step=f"remove what is kept of {text} by hand: zrep restore --list names it",
        )
    return SourceKey(host, name)
