"""Pruning keeps what any voice wants kept, and never the last of anything."""

from __future__ import annotations

import pytest

from tests.unit.drawn import A, B, backups, child, manifest
from zrep.errors import InvariantBroken
from zrep.model.backup import Backup
from zrep.model.inventory import Snapshot
from zrep.model.names import BackupId, DatasetName, SnapClass
from zrep.model.policy import Policy
from zrep.model.session import Session
from zrep.planner.prune import Judgement, PrunePlan, Shield, check_prune, plan_prune
from zrep.planner.retention import Verdict

LATE = int(BackupId("20300101_000000").moment.timestamp())
HOURS = [f"20220101_{h:02d}0000" for h in range(5)]


def policy(**keep: int) -> Policy:
    return Policy(name="test", keep={SnapClass(k): v for k, v in keep.items()})


def pair(moment: str, *, classes: str = "hourly", userrefs: int = 0) -> list[Snapshot]:
    told = manifest()
    return [
        child(A, moment, classes=classes, described=told, userrefs=userrefs),
        child(B, moment, classes=classes, described=told),
    ]


def five(*, userrefs: int = 0) -> tuple[Backup, ...]:
    """One backup an hour; `userrefs` holds are on the oldest one's first child."""
    return backups(*(s for h in HOURS for s in pair(h, userrefs=userrefs if h == HOURS[0] else 0)))


def gone(plan: PrunePlan) -> list[str]:
    return sorted(str(b.id) for b in plan.doomed)


def test_the_newest_of_each_class_stay_by_count() -> None:
    plan = plan_prune(five(), policy(hourly=2), holds={}, now=LATE)
    assert gone(plan) == HOURS[:3]
    check_prune(plan)


def test_all_children_of_a_backup_go_together() -> None:
    plan = plan_prune(five(), policy(hourly=2), holds={}, now=LATE)
    assert len(plan.snapshots) == 2 * len(plan.doomed)


def test_the_newest_complete_backup_stays_even_when_the_policy_keeps_nothing() -> None:
    plan = plan_prune(five(), policy(hourly=0), holds={}, now=LATE)
    assert gone(plan) == HOURS[:4]
    last = next(j for j in plan.judgements if j.keep)
    assert [p.shield for p in last.protections] == [Shield.NEWEST_COMPLETE]


def look(name: str) -> Session:
    return Session(
        name=name,
        dataset=DatasetName("backup/sessions") / name,
        backup=BackupId(HOURS[0]),
        owner="anna",
        purpose="",
        expires=LATE + 3600,
    )


def browsed(*clones: str, tag: str = "zrep:session:s1") -> tuple[str, list[str]]:
    """What becomes of the oldest backup, whose first child has these clones and this hold."""
    told = manifest()
    first = child(A, HOURS[0], described=told, userrefs=1, clones=clones)
    found = backups(first, child(B, HOURS[0], described=told), *pair(HOURS[1]))
    holds = {first.name: frozenset({tag})}
    plan = plan_prune(
        found, policy(hourly=0), holds=holds, now=LATE, sessions=(look("s1"), look("s2"))
    )
    check_prune(plan)
    oldest = plan.judgements[-1]
    return str(oldest.backup.id), [str(p) for p in oldest.protections]


def test_a_mounted_backup_is_kept_for_its_session_until_that_expires() -> None:
    said = browsed("backup/sessions/s1/h1/a")
    assert said == (HOURS[0], ["kept for session s1 until 2030-01-01T01:00:00Z"])


def test_a_clone_that_is_not_of_the_session_that_holds_is_named_by_itself() -> None:
    _, said = browsed("backup/sessions/s1/h1/a", "backup/sessions/s2/h1/a", "backup/mine")
    assert said[1:] == ["cloned (backup/mine)", "cloned (backup/sessions/s2/h1/a)"]


def test_the_hold_of_a_session_that_is_not_there_still_holds() -> None:
    assert browsed(tag="zrep:session:lost")[1] == ["held (zrep:session:lost)"]


def test_a_newer_partial_backup_does_not_stand_in_for_the_newest_complete() -> None:
    half = child(A, "20220101_060000", described=manifest((A,), failed=(B,)))
    found = backups(*pair(HOURS[0]), half)
    plan = plan_prune(found, policy(hourly=0), holds={}, now=LATE)
    assert gone(plan) == ["20220101_060000"]


def test_each_set_keeps_its_own_newest() -> None:
    one, two = manifest((A,), set_name="one"), manifest((B,), set_name="two")
    found = backups(
        child(A, HOURS[0], described=one),
        child(B, HOURS[1], described=two),
        child(B, HOURS[2], described=two),
    )
    assert gone(plan_prune(found, policy(hourly=0), holds={}, now=LATE)) == [HOURS[1]]


def test_a_hold_on_one_child_keeps_the_whole_backup_and_names_the_tag() -> None:
    found = five(userrefs=1)
    name = found[-1].children[0].snapshot.name
    plan = plan_prune(found, policy(hourly=2), holds={name: frozenset({"legal"})}, now=LATE)
    assert HOURS[0] not in gone(plan)
    assert [str(p) for p in plan.judgements[-1].protections] == ["held (legal)"]


def test_a_hold_whose_tag_is_unknown_protects_as_well() -> None:
    plan = plan_prune(five(userrefs=1), policy(hourly=2), holds={}, now=LATE)
    assert HOURS[0] not in gone(plan)


def test_a_clone_keeps_the_backup() -> None:
    told = manifest((A,))
    cloned = child(A, HOURS[0], described=told, clones=("backup/sessions/x/h1/a",))
    found = backups(cloned, *(child(A, h, described=told) for h in HOURS[1:]))
    plan = plan_prune(found, policy(hourly=1), holds={}, now=LATE)
    assert gone(plan) == HOURS[1:4]


def test_one_class_that_wants_it_keeps_it() -> None:
    found = backups(
        *pair(HOURS[0], classes="daily.hourly"), *(s for h in HOURS[1:] for s in pair(h))
    )
    plan = plan_prune(found, policy(hourly=1, daily=1), holds={}, now=LATE)
    assert gone(plan) == HOURS[1:4]


def test_young_backups_stay_whatever_their_number() -> None:
    now = int(BackupId("20220101_060000").moment.timestamp())
    assert gone(plan_prune(five(), policy(hourly=6), holds={}, now=now)) == []


def _condemned(backup: Backup) -> PrunePlan:
    verdict = Verdict(name=str(backup.label), keep=False, reasons=())
    return PrunePlan(judgements=(Judgement(backup=backup, policy=verdict, protections=()),))


@pytest.mark.parametrize("userrefs", [0, 1])
def test_the_second_pair_of_eyes_stops_a_wrong_plan(userrefs: int) -> None:
    """A planner's mistake: the only complete backup, or a held one, is to be destroyed."""
    with pytest.raises(InvariantBroken):
        check_prune(_condemned(backups(*pair(HOURS[0], userrefs=userrefs))[0]))
