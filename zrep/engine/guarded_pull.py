"""Pulling one source so that nothing is deleted before the deletion guard has agreed.

The first pass brings everything and deletes nothing; most runs are done then. Only when something
is left to delete, and only within the allowance, a second pass deletes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from zrep.engine.progress import Progress
from zrep.engine.pull import Pull, Pulled, pull
from zrep.errors import NeedsAck
from zrep.frozen import dataclass
from zrep.host.mux import Stop
from zrep.host.port import Host
from zrep.model.waiting import Waiting
from zrep.source.guard import Change, Guard
from zrep.source.rsync_output import RsyncStats


class Passes(Protocol):
    """One pass of rsync over the source."""

    def __call__(self, *, estimate: bool = False, max_delete: int | None = None) -> Pulled: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """A source that was brought but for its deletions: why a person must be asked, and what of."""

    why: str
    waiting: Waiting

    def error(self, request: Pull) -> NeedsAck:
        key = request.source.key
        return NeedsAck(
            "needs your consent, nothing was deleted",
            where=str(key),
            why=self.why,
            next_step=f"look at the source; if it is as it should be: "
            f"zrep sync --accept-deletions {key}",
        )


def guarded_pull(
    request: Pull, guard: Guard, target: Host, progress: Progress, *, lock: int, stop: Stop
) -> Pulled | Excess:
    """The totals of all passes, or what is too much. Raises SourceFailed."""

    def go(*, estimate: bool = False, max_delete: int | None = None) -> Pulled:
        changed = replace(request, estimate=estimate, max_delete=max_delete)
        return pull(changed, target, progress, lock=lock, stop=stop)

    return plan_passes(go, guard, lambda why, change: _excess(request.run, why, change))


def plan_passes(
    go: Passes, guard: Guard, excess: Callable[[str, Change], Excess]
) -> Pulled | Excess:
    """Bring, count when in doubt, ask the guard, delete what was counted."""
    brought = go(max_delete=0)
    change = _count(go, guard, brought)
    if why := guard.excess(change):
        return excess(why, change)
    if not brought.kept:
        return brought
    deleted = go(max_delete=change.deletes)
    if deleted.kept:
        why = f"more than the {change.deletes} files counted before would be deleted"
        return excess(why, replace(change, deletes=go(estimate=True).stats.deleted))
    if why := guard.excess(_change(deleted.stats, deleted.stats.deleted)):
        return excess(why, _change(deleted.stats, deleted.stats.deleted))
    return replace(deleted, stats=_sum(brought.stats, deleted.stats))


def _count(go: Passes, guard: Guard, brought: Pulled) -> Change:
    """What rsync kept is known well enough while even its upper bound is allowed."""
    change = _change(brought.stats, brought.at_most or 0)
    if brought.kept and (brought.at_most is None or guard.excess(change)):
        return _change(brought.stats, go(estimate=True).stats.deleted)
    return change


def _change(stats: RsyncStats, deletes: int) -> Change:
    return Change(deletes=deletes, files=stats.files, size=stats.total_size)


def _sum(first: RsyncStats, last: RsyncStats) -> RsyncStats:
    """What moved in both passes; what the source has, by the last."""
    return replace(
        last,
        created=first.created + last.created,
        transferred=first.transferred + last.transferred,
        transferred_size=first.transferred_size + last.transferred_size,
        literal=first.literal + last.literal,
        matched=first.matched + last.matched,
        sent=first.sent + last.sent,
        received=first.received + last.received,
    )


def _excess(run: str, why: str, change: Change) -> Excess:
    waiting = Waiting(run=run, deletes=change.deletes, files=change.files, size=change.size)
    return Excess(why=why, waiting=waiting)
