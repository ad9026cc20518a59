"""Which snapshots of one dataset a policy keeps, and every reason why.

Sanoid's rule, for each class by itself: a snapshot may go when it is older than count times
period, and more than count snapshots of the class would be left without it. A snapshot that
counts for several classes goes only when all of them let it go: one voice keeps it.

What cannot be destroyed (held, cloned) is pinned: it counts among those that stay, so that the
others go as if it were any of them. Other protections are no business of a policy.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from math import inf
from operator import le
from typing import NamedTuple

from zrep.frozen import dataclass
from zrep.model.names import SnapClass
from zrep.model.policy import Policy


class Aged(NamedTuple):
    """A snapshot as retention sees it; `creation` in epoch seconds.

    A tuple, for there may be 100,000. Without classes a snapshot is not ours: it is never
    counted and always kept.
    """

    name: str
    creation: int
    classes: tuple[SnapClass, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """The class keeps it: number `index`, counted from the newest, of which `count` stay.

    `until` is the last second (epoch) at which its age alone keeps it, None when age never ends
    it or the class does not go by age; `count` None means that all stay.
    """

    snap_class: SnapClass
    index: int
    count: int | None
    until: int | None
    young: bool

    @property
    def among_newest(self) -> bool:
        return self.count is None or self.index <= self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The class lets it go: number `index` where `count` stay, and too old since `since`."""

    snap_class: SnapClass
    index: int
    count: int
    since: int | None


Reason = Keep | Release


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of one snapshot, and what each of its classes says; no classes, no reasons.

    A pinned snapshot is kept, even when all its classes let it go.
    """

    name: str
    keep: bool
    reasons: tuple[Reason, ...]
    pinned: bool = False

    @property
    def unwanted(self) -> bool:
        """All its classes let it go, and only a hold or a clone keeps it."""
        return self.pinned and all(isinstance(reason, Release) for reason in self.reasons)


class _Votes(NamedTuple):
    """One class: its snapshots' positions oldest first, and which of these may go and which stay.

    `released` as if nothing were pinned; then there is no difference to `gone`.
    """

    order: list[int]
    released: int
    gone: list[int]
    stay: list[int]


class Verdicts(Sequence[Verdict]):
    """The verdict on every snapshot, in the order given; reasons are made when asked for."""

    def __init__(
        self,
        snapshots: Sequence[Aged],
        policy: Policy,
        now: int,
        votes: dict[SnapClass, _Votes],
        pinned: frozenset[int],
    ) -> None:
        self._snapshots = snapshots
        self._policy = policy
        self._now = now
        self._votes = votes
        self._pinned = pinned
        self._kept = bytearray(len(snapshots))
        for vote in votes.values():
            for position in vote.stay:
                self._kept[position] = 1

    def __len__(self) -> int:
        return len(self._snapshots)

    def __getitem__(self, position: int) -> Verdict:  # type: ignore[override]
        snapshot = self._snapshots[position]
        reasons = tuple(self._reason(position, c) for c in snapshot.classes)
        return Verdict(
            name=snapshot.name,
            keep=self.kept(position),
            reasons=reasons,
            pinned=position in self._pinned,
        )

    @property
    def pinned(self) -> frozenset[int]:
        """Positions of the snapshots that cannot be destroyed."""
        return self._pinned

    def name_of(self, position: int) -> str:
        return self._snapshots[position].name

    def kept(self, position: int) -> bool:
        return bool(self._kept[position]) or not self._snapshots[position].classes

    def released(self) -> list[int]:
        """Positions of the snapshots that may go, in sanoid's order: by class, oldest first."""
        kept, snapshots = self._kept, self._snapshots
        return [
            position
            for snap_class, vote in self._votes.items()
            for position in vote.gone
            if not kept[position] and snapshots[position][2][0] is snap_class
        ]

    def _reason(self, position: int, snap_class: SnapClass) -> Reason:
        vote = self._votes[snap_class]
        rank = self._ranks[snap_class][position]
        creation = self._snapshots[position].creation
        index, released = len(vote.order) - rank, position in self._gone[snap_class]
        if position in self._pinned:
            released = rank < vote.released
        return _reason(
            self._policy, snap_class, creation, index=index, released=released, now=self._now
        )

    @cached_property
    def _ranks(self) -> dict[SnapClass, dict[int, int]]:
        return {c: {p: i for i, p in enumerate(v.order)} for c, v in self._votes.items()}

    @cached_property
    def _gone(self) -> dict[SnapClass, frozenset[int]]:
        return {c: frozenset(v.gone) for c, v in self._votes.items()}


def judge(
    snapshots: Sequence[Aged], policy: Policy, now: int, *, pinned: frozenset[int] = frozenset()
) -> Verdicts:
    """The verdict of `policy` on the snapshots of one dataset at `now` (epoch seconds).

    Snapshots of the same second are taken as the older the earlier they stand in `snapshots`;
    give them in createtxg order. A policy that does not prune (autoprune) keeps them all.
    `pinned` are the positions of snapshots that cannot be destroyed.
    """
    groups: dict[tuple[SnapClass, ...], list[int]] = defaultdict(list)
    for position, (_, _, classes) in enumerate(snapshots):
        groups[classes].append(position)
    creations = [creation for _, creation, _ in snapshots]
    in_order = all(map(le, creations, islice(creations, 1, None)))
    votes = {}
    for snap_class in SnapClass:
        members = [p for classes, group in groups.items() if snap_class in classes for p in group]
        members.sort()
        if not in_order:
            members.sort(key=creations.__getitem__)
        votes[snap_class] = _vote(policy, snap_class, members, creations, now=now, pinned=pinned)
    return Verdicts(snapshots, policy, now, votes, pinned)


def deferred(policy: Policy, capacity: int) -> bool:
    """True when the pool, `capacity` per cent full, still has room enough not to prune."""
    return bool(policy.prune_defer) and capacity <= policy.prune_defer


def releasable(policy: Policy, snap_class: SnapClass, creations: Sequence[int], now: int) -> int:
    """How many of the class's snapshots may go, the oldest first; `creations` ascending."""
    surplus = _surplus(policy, snap_class, len(creations))
    return surplus and min(surplus, bisect_left(creations, _oldest(policy, snap_class, now)))


def _surplus(policy: Policy, snap_class: SnapClass, total: int) -> int:
    """How many of the class there are more than wanted."""
    if not policy.autoprune or policy.keeps_for_ever(snap_class):
        return 0
    return max(0, total - policy.count(snap_class))


def _oldest(policy: Policy, snap_class: SnapClass, now: int) -> float:
    """What was created before this is old enough to go; manual ones always are."""
    if snap_class is SnapClass.MANUAL:
        return inf
    return now - policy.count(snap_class) * policy.period(snap_class)


def _vote(
    policy: Policy,
    snap_class: SnapClass,
    order: list[int],
    creations: Sequence[int],
    *,
    now: int,
    pinned: frozenset[int],
) -> _Votes:
    """`creations` by position, `order` the positions of the class's snapshots, oldest first."""
    surplus = _surplus(policy, snap_class, len(order))
    if not surplus:
        return _Votes(order, 0, [], order)
    old = bisect_left(order, _oldest(policy, snap_class, now), key=creations.__getitem__)
    released = min(old, surplus)
    if not pinned:
        return _Votes(order, released, order[:released], order[released:])
    gone = [p for p in order[:old] if p not in pinned][:surplus]
    leaving = frozenset(gone)
    return _Votes(order, released, gone, [p for p in order if p not in leaving])


def _reason(
    policy: Policy, snap_class: SnapClass, creation: int, *, index: int, released: bool, now: int
) -> Reason:
    forever = not policy.autoprune or policy.keeps_for_ever(snap_class)
    count = None if forever else policy.count(snap_class)
    until = None
    if count is not None and snap_class is not SnapClass.MANUAL:
        until = creation + count * policy.period(snap_class)
    if released and count is not None:
        return Release(snap_class=snap_class, index=index, count=count, since=until)
    young = until is not None and now <= until
    return Keep(snap_class=snap_class, index=index, count=count, until=until, young=young)
