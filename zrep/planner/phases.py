"""From what a policy lets go to what is done about it now: marked, waiting, or destroyed.

With a grace period a snapshot is marked first and destroyed by a later run. Before anything is
destroyed the brake looks at the whole: how much it is, and whether the clock can be believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zrep.errors import Refused
from zrep.frozen import dataclass
from zrep.model.housekeeping import Brake, doomed_since
from zrep.model.inventory import Snapshot

# A replica's snapshots come from another clock: so far ahead they may be.
CLOCK_TOLERANCE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """What happens to the snapshots that a policy lets go, and `spared` lose an old mark."""

    mark: tuple[Snapshot, ...] = ()
    wait: tuple[Snapshot, ...] = ()
    destroy: tuple[Snapshot, ...] = ()
    spared: tuple[Snapshot, ...] = ()


def plan_phases(
    released: Sequence[Sequence[Snapshot]], owned: Iterable[Snapshot], *, now: int, grace: int
) -> Phases:
    """Each of `released` goes as a whole, when all of it has waited `grace` seconds.

    `owned` are all snapshots that the policy judged: of those it keeps, the marks are taken off.
    """
    phases: dict[str, list[Snapshot]] = {"mark": [], "wait": [], "destroy": []}
    for group in released:
        since = [doomed_since(s.properties) for s in group]
        waited = all(s is not None and s + grace <= now for s in since)
        if not grace or waited:
            phases["destroy"] += group
        else:
            phases["wait" if None not in since else "mark"] += group
    going = {s.name for group in released for s in group}
    spared = [s for s in owned if s.name not in going and doomed_since(s.properties) is not None]
    return Phases(**{k: tuple(v) for k, v in phases.items()}, spared=tuple(spared))


def check_brake(phases: Phases, owned: Sequence[Snapshot], brake: Brake, *, now: int) -> None:
    """Raises Refused when so much must not go in one run, or when the clock is wrong."""
    newest = max(owned, key=lambda s: s.creation, default=None)
    if phases.destroy and newest is not None and newest.creation > now + CLOCK_TOLERANCE:
        raise Refused(
            f"the clock is {newest.creation - now} s behind the newest snapshot",
            where=str(newest.name),
            why="ages computed from a wrong clock would let the wrong snapshots go",
            next_step="set the clock (timedatectl); nothing was destroyed",
        )
    limit = _limit(brake, len(owned))
    if limit is not None and len(phases.destroy) > limit:
        raise Refused(
            f"{len(phases.destroy)} of {len(owned)} snapshots would be destroyed",
            why=f"max_destroy allows {limit} in one run",
            next_step="look at zrep prune --dry-run; if it is meant: "
            f"zrep prune --max-destroy {len(phases.destroy)}",
        )


def _limit(brake: Brake, total: int) -> int | None:
    limits = [brake.count, None if brake.percent is None else total * brake.percent // 100]
    return min((limit for limit in limits if limit is not None), default=None)
