"""What a restore plans, refuses and stops, over all modes and selections; and that a second pair of
eyes agrees, and sees what was tampered with."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.unit.rows import of_each
from zrep.errors import InvariantBroken, Refused, UnknownName, UsageError
from zrep.model.backup import Backup, Child, State
from zrep.model.inventory import Snapshot
from zrep.model.key import SourceKey
from zrep.model.names import BackupId, BackupLabel, DatasetName, Guid, SnapClass, Txg
from zrep.model.policy import Policy
from zrep.model.restore import (
    STARTING,
    STOPPING,
    Change,
    Kind,
    Mode,
    RestorePlan,
    Step,
    exclude_inside,
)
from zrep.model.source import (
    Address,
    BackupSet,
    Config,
    Method,
    Quiesce,
    Service,
    Source,
    Target,
)
from zrep.planner.check_restore import check_restore
from zrep.planner.locate import Location
from zrep.planner.restore import Wish, overlap, plan_restore

RUN = "20260102_030405"
WEB, MAIL, DB = SourceKey("m", "web"), SourceKey("m", "mail"), SourceKey("c", "db")
GONE = SourceKey("m", "gone")
FIRST = Service(name="first", source=WEB, paths=("a", "etc/a"), swarm=("first_web",))
SECOND = Service(name="second", source=WEB, paths=("b",), swarm=("second",))
WHOLE_DB = Service(name="whole", source=DB, paths=("",), swarm=("whole",))
STILL = Service(name="still", source=WEB, paths=("c",))
CASS = Service(name="cass", source=DB, paths=("var",), swarm=("cass",))


def config(*, exclude: tuple[str, ...] = ()) -> Config:
    sources = tuple(
        Source(key=key, method=Method.DIR, path=f"/srv/{key.name}", exclude=exclude)
        for key in (WEB, MAIL, DB)
    )
    services = (FIRST, SECOND, STILL, CASS)
    quiesce = Quiesce(docker=True, hosts=("s",))
    return Config(
        target=Target(dataset=DatasetName("backup/current"), policy=Policy(name="p", keep={})),
        hosts={name: Address(host=name) for name in ("m", "c", "s")},
        sets={"all": BackupSet(name="all", sources=sources, quiesce=quiesce)},
        replicas={},
        services={s.name: s for s in services},
    )


def backup(*keys: SourceKey, state: State = State.COMPLETE) -> Backup:
    label = BackupLabel(BackupId("20260101_000000"), (SnapClass.DAILY,))
    children = tuple(
        Child(
            key=key,
            snapshot=Snapshot(
                name=DatasetName(f"backup/current/{key}").at("zrep_20260101_000000_daily"),
                guid=Guid(n),
                createtxg=Txg(n),
                creation=0,
            ),
        )
        for n, key in enumerate(keys or (WEB, MAIL, DB), 1)
    )
    return Backup(label=label, state=state, children=children, manifest=None)


def plan(wish: Wish, **changes: object) -> RestorePlan:
    made = backup()
    made = replace(made, **changes)  # type: ignore[arg-type]
    return plan_restore(config(), made, wish, run=RUN)


def at(*parts: str, key: SourceKey = WEB) -> Location:
    return Location(key=key, parts=parts)


SELECTIONS: dict[str, Callable[[Mode | None], Wish]] = {
    "everything": lambda m: Wish(mode=m),
    "one source": lambda m: Wish(sources=(WEB,), mode=m),
    "two sources": lambda m: Wish(sources=(MAIL, DB), mode=m),
    "a service": lambda m: Wish(service=FIRST, mode=m),
    "a service without swarm": lambda m: Wish(service=STILL, mode=m),
    "a folder of a service": lambda m: Wish(paths=(at("a", "x"),), mode=m),
    "the folder above": lambda m: Wish(paths=(at("etc"),), mode=m),
    "paths of two sources": lambda m: Wish(paths=(at("b"), at("x", key=MAIL)), mode=m),
    "a path nobody has": lambda m: Wish(paths=(at("other"),), mode=m),
}
WHOLE = ("everything", "one source", "two sources")
ALL = [
    (name, mode)
    for name, mode in itertools.product(SELECTIONS, (None, *Mode))
    if not (name in WHOLE and mode is Mode.SIDE_BY_SIDE)
]
STOPPED = {
    "everything": (),
    "one source": ("first", "second"),
    "two sources": ("cass",),
    "a service": ("first",),
    "a service without swarm": (),
    "a folder of a service": ("first",),
    "the folder above": ("first",),
    "paths of two sources": ("second",),
    "a path nobody has": (),
}


Plans = list[tuple[str, RestorePlan]]


@pytest.fixture(scope="module")
def all_plans() -> Plans:
    """Every selection in every mode that makes sense of it."""
    return [(name, plan(SELECTIONS[name](mode))) for name, mode in ALL]


def test_every_selection_in_every_mode_passes_the_second_look(all_plans: Plans) -> None:
    assert len(all_plans) > 40
    for _, made in all_plans:
        check_restore(made, config(), backup())


def test_just_what_works_with_the_files_is_stopped(all_plans: Plans) -> None:
    for name, made in all_plans:
        beside = all(item.mode is Mode.SIDE_BY_SIDE for item in made.items)
        assert made.services == (() if beside else STOPPED[name]), name
        assert [s.subject for s in made.of(Kind.SERVICE_DOWN)] == list(made.services), name
        halted = [s.subject for s in made.of(Kind.HALT)]
        assert halted == (["c", "m", "s"] if name == "everything" else []), name


def test_nothing_starts_before_everything_is_verified_and_closed(all_plans: Plans) -> None:
    order = [
        *(Kind.OPEN, Kind.HALT, Kind.SERVICE_DOWN, Kind.SAFETY, Kind.WRITE, Kind.VERIFY),
        *(Kind.CLOSE, Kind.SERVICE_UP, Kind.UNHALT),
    ]
    for name, made in all_plans:
        kinds = [step.kind for step in made.steps]
        assert kinds == sorted(kinds, key=order.index), name


def test_what_may_be_changed_is_kept_first(all_plans: Plans) -> None:
    for name, made in all_plans:
        replaced = {str(i.key) for i in made.items if i.mode in (Mode.MIRROR, Mode.OVERWRITE)}
        assert {s.subject for s in made.of(Kind.SAFETY)} == replaced, name


def test_a_service_may_be_the_whole_source() -> None:
    """`paths = ["."]` in the configuration."""
    made = replace(config(), services={"whole": WHOLE_DB, "cass": CASS})
    plan = plan_restore(made, backup(), Wish(service=WHOLE_DB), run=RUN)
    assert [(i.inside, i.mode) for i in plan.items] == [("", Mode.MIRROR)]
    assert plan.services == ("cass", "whole")
    check_restore(plan, made, backup())


def test_paths_come_back_beside_what_is_there_unless_said_otherwise() -> None:
    (item,) = plan(Wish(paths=(at("a", "x"),))).items
    assert (item.mode, item.inside, item.to) == (
        Mode.SIDE_BY_SIDE,
        "a/x",
        f"a/x.restored-{RUN}",
    )
    (item,) = plan(Wish(paths=(at("a", "x"),), mode=Mode.OVERWRITE)).items
    assert (item.inside, item.to) == ("a/x", "a/x")
    assert {i.mode for i in plan(Wish()).items} == {Mode.MIRROR}


REFUSED: dict[str, tuple[Wish, type[Exception], str]] = {
    "side by side with a source": (
        Wish(sources=(WEB,), mode=Mode.SIDE_BY_SIDE),
        Refused,
        "no place beside",
    ),
    "side by side with everything": (Wish(mode=Mode.SIDE_BY_SIDE), Refused, "no place beside"),
    "the top as a path": (Wish(paths=(at(),)), Refused, "no place beside"),
    "a service and a source": (Wish(sources=(WEB,), service=FIRST), UsageError, "leave out"),
    "a path in a path": (
        Wish(paths=(at("a"), at("a", "b")), mode=Mode.MIRROR),
        UsageError,
        "lie in each other",
    ),
    "a source that is not held": (Wish(sources=(SourceKey("m", "x"),)), UnknownName, "m/x"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused_with_the_next_step(case: str) -> None:
    wish, kind, words = REFUSED[case]
    with pytest.raises(kind, match=words) as refused:
        plan(wish)
    assert "next:" in str(refused.value)


@pytest.mark.parametrize("state", [s for s in State if s is not State.COMPLETE])
def test_an_incomplete_backup_is_no_full_restore_but_its_sources_come_back(state: State) -> None:
    with pytest.raises(Refused, match="not everything would come back"):
        plan(Wish(), state=state)
    assert plan(Wish(sources=(WEB,)), state=state).keys == (WEB,)


def test_a_source_that_is_no_longer_configured_has_nowhere_to_go() -> None:
    held = backup(WEB, GONE)
    for wish in (Wish(sources=(GONE,)), Wish()):
        with pytest.raises(Refused, match="m/gone is no source of this configuration"):
            plan_restore(config(), held, wish, run=RUN)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("", "a", True),
        ("a", "a", True),
        ("a", "a/b", True),
        ("a/b", "a", True),
        ("a", "ab", False),
        ("a/b", "a/c", False),
        ("a/", "a", True),
        (f"a.restored-{RUN}", "a", False),
    ],
)
def test_overlapping_is_being_the_same_or_below(one: str, other: str, expected: bool) -> None:
    assert overlap(one, other) is expected
    assert overlap(other, one) is expected


# ---- what was left out of the backup ----------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "inside", "expected"),
    [
        ("*.tmp", "var", "*.tmp"),
        ("/cache", "", "/cache"),
        ("/cache", "var", ""),
        ("/var/cache", "var", "/cache"),
        ("/var/*/lock", "var/a", "/lock"),
        ("/var", "var", ""),
        ("/v?r/x/", "var", "/x/"),
        ("lost+found/", "a/b", "lost+found/"),
    ],
)
def test_a_pattern_is_read_from_the_folder_that_is_restored(
    pattern: str, inside: str, expected: str
) -> None:
    assert exclude_inside((pattern,), inside) == ((expected,) if expected else ())


def test_a_pattern_that_cannot_be_told_is_refused_not_guessed() -> None:
    made = config(exclude=("/**/cache",))
    wish = Wish(paths=(at("a"),), mode=Mode.MIRROR)
    with pytest.raises(Refused, match="cannot tell"):
        plan_restore(made, backup(), wish, run=RUN)
    assert plan_restore(made, backup(), Wish(sources=(WEB,)), run=RUN).items[0].exclude == (
        "/**/cache",
    )
    assert plan_restore(made, backup(), Wish(paths=(at("a"),)), run=RUN).items[0].exclude == ()


# ---- the second pair of eyes ------------------------------------------------------------------


def _without(made: RestorePlan, kind: Kind) -> RestorePlan:
    return replace(made, steps=tuple(s for s in made.steps if s.kind is not kind))


def _tampered() -> Iterator[tuple[str, RestorePlan]]:
    made = plan(Wish(service=FIRST))
    for kind in Kind:
        if made.of(kind):
            yield f"no {kind}", _without(made, kind)
    for first, second in itertools.combinations(range(len(made.steps)), 2):
        a, b = made.steps[first], made.steps[second]
        if _rank(a) < _rank(b):
            steps = [*made.steps]
            steps[first], steps[second] = b, a
            yield f"{a} after {b}", replace(made, steps=tuple(steps))
    (one, *rest) = made.items
    yield "outside", replace(made, items=(replace(one, to="../x"), *rest))
    yield "elsewhere", replace(made, items=(replace(one, to="x"), *rest))
    yield "unknown", replace(made, items=(replace(one, key=GONE), *rest))
    yield "other backup", replace(made, backup=BackupId("20250101_000000"))


def _rank(step: Step) -> int:
    if step.kind in (*STOPPING, Kind.OPEN, Kind.SAFETY):
        return 0
    return {Kind.WRITE: 1, Kind.VERIFY: 2, Kind.CLOSE: 2}.get(step.kind, 3)


TAMPERED = dict(_tampered())


@of_each(TAMPERED)
def test_a_plan_that_was_tampered_with_is_not_carried_out(case: str) -> None:
    with pytest.raises(InvariantBroken):
        check_restore(TAMPERED[case], config(), backup())
    assert len(STARTING) == 2


def test_a_full_restore_with_docker_running_somewhere_is_not_carried_out() -> None:
    made = plan(Wish())
    steps = tuple(s for s in made.steps if (s.kind, s.subject) != (Kind.HALT, "c"))
    with pytest.raises(InvariantBroken):
        check_restore(replace(made, steps=steps), config(), backup())


def test_changes_add_up_and_remember_the_first_names() -> None:
    one = Change(new=1, size=3, examples=("+ a",))
    total = sum([one, Change(deleted=2, examples=("- b", "- c"))], Change())
    assert (total.new, total.deleted, total.size) == (1, 2, 3)
    assert total.examples == ("+ a", "- b", "- c")
    assert Change().nothing
    assert not total.nothing
