"""Which backups go: the policy's verdicts over whole backups, then everything that protects one.

The unit is the backup, never a child alone, so that pruning cannot tear one apart. It takes
unanimity to destroy and one voice to keep.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from enum import StrEnum

from zrep.errors import InvariantBroken
from zrep.frozen import dataclass
from zrep.model.backup import Backup, State
from zrep.model.inventory import Snapshot
from zrep.model.names import DatasetName, SnapshotName
from zrep.model.policy import Policy
from zrep.model.session import Session, session_of_tag
from zrep.planner.phases import Phases, plan_phases
from zrep.planner.retention import Aged, Verdict, judge

Holds = Mapping[SnapshotName, frozenset[str]]


class Shield(StrEnum):
    """What protects a backup whatever the policy says."""

    NEWEST_COMPLETE = "newest complete backup of its set"
    HELD = "held"
    CLONED = "cloned"
    SESSION = "kept for session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """`what` names the hold's tag, the clone, or the session and when it expires."""

    shield: Shield
    what: str = ""

    def __str__(self) -> str:
        if self.shield is Shield.SESSION:
            return f"{self.shield.value} {self.what}"
        return f"{self.shield.value} ({self.what})" if self.what else self.shield.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What becomes of one backup, with all reasons."""

    backup: Backup
    policy: Verdict
    protections: tuple[Protection, ...]

    @property
    def keep(self) -> bool:
        return self.policy.keep or bool(self.protections)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePlan:
    """Every backup's judgement, newest first, and what follows from them."""

    judgements: tuple[Judgement, ...]
    phases: Phases = field(default_factory=Phases)

    @property
    def owned(self) -> tuple[Snapshot, ...]:
        """The snapshots of all backups."""
        return tuple(s for j in self.judgements for s in j.backup.snapshots)

    @property
    def doomed(self) -> tuple[Backup, ...]:
        return tuple(j.backup for j in self.judgements if not j.keep)

    @property
    def snapshots(self) -> tuple[SnapshotName, ...]:
        return tuple(s.name for b in self.doomed for s in b.snapshots)


def plan_prune(
    backups: Sequence[Backup],
    policy: Policy,
    *,
    holds: Holds,
    now: int,
    grace: int = 0,
    sessions: Sequence[Session] = (),
) -> PrunePlan:
    """`holds` gives the tags of the snapshots that have any; `now` in epoch seconds.

    `sessions` say until when they hold what they have mounted. What is doomed is destroyed only
    after it was marked for `grace` seconds.
    """
    by_set: dict[str, list[Backup]] = defaultdict(list)
    for backup in sorted(backups, key=lambda b: (b.creation, b.id)):
        by_set[backup.set_name].append(backup)
    voices = _Voices(holds=holds, sessions={s.name: s for s in sessions})
    judged = [j for group in by_set.values() for j in _judge_set(group, policy, voices, now)]
    judged.sort(key=lambda j: j.backup.creation, reverse=True)
    doomed = [j.backup.snapshots for j in judged if not j.keep]
    owned = [s for j in judged for s in j.backup.snapshots]
    phases = plan_phases(doomed, owned, now=now, grace=grace)
    return PrunePlan(judgements=tuple(judged), phases=phases)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Voices:
    """Who wants backups kept, beside the policy."""

    holds: Holds
    sessions: Mapping[str, Session]

    def session(self, tag: str) -> Session | None:
        return self.sessions.get(session_of_tag(tag) or "")

    def of_tag(self, tag: str) -> Protection:
        session = self.session(tag)
        if session is None:
            return Protection(shield=Shield.HELD, what=tag)
        until = datetime.fromtimestamp(session.expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Protection(shield=Shield.SESSION, what=f"{session.name} until {until}")

    def unspoken(self, clones: Iterable[DatasetName], tags: Iterable[str]) -> list[DatasetName]:
        """The clones that do not belong to the session behind one of the tags."""
        sessions = [s for s in map(self.session, tags) if s is not None]
        return sorted(n for n in clones if not any(n.is_below(s.dataset) for s in sessions))


def _judge_set(
    group: Sequence[Backup], policy: Policy, voices: _Voices, now: int
) -> Iterator[Judgement]:
    aged = [Aged(str(b.label), b.creation, b.label.classes) for b in group]
    newest = max((b for b in group if b.state is State.COMPLETE), key=_order, default=None)
    for backup, verdict in zip(group, judge(aged, policy, now), strict=True):
        yield Judgement(
            backup=backup,
            policy=verdict,
            protections=tuple(_protections(backup, voices, newest=backup is newest)),
        )


def _order(backup: Backup) -> tuple[int, str]:
    return backup.creation, str(backup.id)


def _protections(backup: Backup, voices: _Voices, *, newest: bool) -> Iterator[Protection]:
    holds = voices.holds
    if newest:
        yield Protection(shield=Shield.NEWEST_COMPLETE)
    tags = {tag for s in backup.snapshots for tag in holds.get(s.name, ())}
    yield from (voices.of_tag(tag) for tag in sorted(tags))
    unnamed = any(s.userrefs and not holds.get(s.name) for s in backup.snapshots)
    if unnamed:
        yield Protection(shield=Shield.HELD)
    clones = {n for s in backup.snapshots for n in s.clones}
    for clone in voices.unspoken(clones, tags):
        yield Protection(shield=Shield.CLONED, what=str(clone))


def check_prune(plan: PrunePlan) -> None:
    """A second pair of eyes, before anything is destroyed; raises InvariantBroken.

    Says again, from the plan alone, what must hold of any plan: only ours, nothing held or
    cloned, and the newest complete backup of every set stays.
    """
    doomed = {(b.label, b.set_name) for b in plan.doomed}
    for backup in plan.doomed:
        for snapshot in backup.snapshots:
            if snapshot.label is None:
                raise _broken(f"{snapshot.name} is not ours")
            if snapshot.userrefs or snapshot.clones:
                raise _broken(f"{snapshot.name} is held or cloned")
    judged = set(plan.snapshots)
    for snapshot in plan.phases.destroy:
        if snapshot.name not in judged:
            raise _broken(f"{snapshot.name} was not let go")
    complete = [j.backup for j in plan.judgements if j.backup.state is State.COMPLETE]
    for name in {b.set_name for b in complete}:
        newest = max((b for b in complete if b.set_name == name), key=_order)
        if (newest.label, name) in doomed:
            raise _broken(f"{newest.id} is the newest complete backup of set {name}")


def _broken(why: str) -> InvariantBroken:
    return InvariantBroken(
        "the prune plan is wrong and was not carried out",
        why=why,
        next_step="report this with the output of: zrep prune --dry-run --json",
    )
