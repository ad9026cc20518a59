"""zrep takes when sanoid takes: recorded decisions, two golden histories, and random ones."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.rows import of_each
from tests.unit.sanoid_vectors import Run, runs
from zrep.model.autosnap import autosnap_name
from zrep.model.names import SnapClass
from zrep.model.policy import SCHEDULED, Policy, Schedule
from zrep.planner.due import Slot, due, last_slot
from zrep.planner.due_sanoid import sanoid_slot

# Values that zrep refuses to load; sanoid dies on them, or takes a half and a minus for counts.
REFUSED = {"S9e", "S18", "X7", "E6"}

# Where zrep decides otherwise on purpose: a Sunday written as 7 is a Sunday, a day that the month
# lacks is its last, and the day on which the clocks go back has each slot once.
OTHERWISE: dict[str, frozenset[SnapClass]] = {
    "S5b": frozenset(),
    "S8c": frozenset({SnapClass.YEARLY}),
    "D1": frozenset({SnapClass.FREQUENTLY}),
    "D3c": frozenset(),
    "D4": frozenset({SnapClass.DAILY}),
}

TAKING = [r for r in runs("S", "D", "X") if r.takes]
READABLE = [r for r in TAKING if r.id not in REFUSED]


def by_id(run: Run) -> str:
    return run.id


def decide(run: Run, slot: Slot) -> frozenset[SnapClass]:
    return due(run.policy(), run.newest(), run.now, slot=slot)


@of_each(READABLE, name=by_id)
def test_sanoid_slots_decide_as_the_recorded_sanoid_did(run: Run) -> None:
    if run.died:
        with pytest.raises(ValueError):
            decide(run, sanoid_slot)
    else:
        assert decide(run, sanoid_slot) == run.took


@of_each(READABLE, name=by_id)
def test_zrep_decides_as_sanoid_except_where_it_says_so(run: Run) -> None:
    assert decide(run, last_slot) == OTHERWISE.get(run.id, run.took)


@pytest.mark.parametrize("run", [r for r in TAKING if r.id in REFUSED], ids=by_id)
def test_values_that_sanoid_misreads_are_no_policy(run: Run) -> None:
    with pytest.raises(ValueError):
        run.policy()


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, FREQUENTLY, _ = SnapClass


@pytest.mark.parametrize(
    ("cls", "plan", "newest", "now", "expected"),
    [
        pytest.param(MONTHLY, {"monthly_mday": 10}, "2023-02-10", "2023-03-05", False, id="S6"),
        pytest.param(MONTHLY, {"monthly_mday": 31}, None, "2023-04-05", True, id="S7"),
        pytest.param(MONTHLY, {"monthly_mday": 31}, "2023-03-31", "2023-04-05", False, id="S7-new"),
        pytest.param(MONTHLY, {"monthly_mday": 31}, "2023-03-31", "2023-04-30", True, id="S7-last"),
        pytest.param(YEARLY, {"yearly_mon": 6}, "2021-06-01", "2024-01-15", True, id="S8"),
        pytest.param(YEARLY, {"yearly_mon": 6}, "2023-06-01", "2024-01-15", False, id="S8-new"),
        pytest.param(FREQUENTLY, {}, "2024-05-01T10:00", "2024-05-01T10:14:59", False, id="S9"),
        pytest.param(HOURLY, {}, "2024-06-01", "2024-05-01T10:00", False, id="S13"),
        pytest.param(DAILY, {}, None, "2024-05-01T00:00:01", True, id="X2"),
    ],
)
def test_rows_of_the_schedule_table_hold_in_utc(
    cls: SnapClass, plan: dict[str, int], newest: str | None, now: str, expected: bool
) -> None:
    policy = Policy(name="t", keep={cls: 4}, schedule=Schedule(**plan))
    newest_at = {cls: at(newest)} if newest else {}
    assert (cls in due(policy, newest_at, at(now))) is expected


@pytest.mark.parametrize(
    ("cls", "newest", "now", "expected"),
    [
        pytest.param(DAILY, "2017-03-25T23:59", "2017-03-26T12:00", False, id="D5"),
        pytest.param(WEEKLY, "2017-10-23T23:30", "2017-10-29T12:00", False, id="D9"),
        pytest.param(MONTHLY, "2017-10-01T00:00", "2017-10-31T12:00", False, id="month of 31 days"),
        pytest.param(HOURLY, "2017-03-26T01:00", "2017-03-26T03:00", True, id="hour skipped"),
    ],
)
def test_days_on_which_the_clocks_change_have_each_slot_once(
    cls: SnapClass, newest: str, now: str, expected: bool
) -> None:
    policy = Policy(name="t", keep={cls: 4}, timezone="Europe/Vienna")
    got = due(policy, {cls: at(newest, policy.timezone)}, at(now, policy.timezone))
    assert (cls in got) is expected


def golden(pool: str, start: int, stop: int, step: int, slot: Slot) -> str:
    """The checksum of the names that runs from `start` to `stop` leave, one every `step` s."""
    policy = Policy(
        name="golden",
        keep={SnapClass.HOURLY: 36, SnapClass.DAILY: 30, SnapClass.MONTHLY: 3},
        timezone="Europe/Vienna",
    )
    zone = ZoneInfo(policy.timezone)
    newest: dict[SnapClass, int | None] = {}
    names: set[str] = set()
    for now in range(start, stop + 1, step):
        for snap_class in sorted(due(policy, newest, now, slot=slot)):
            newest[snap_class] = now
            name = f"{pool}@{autosnap_name(datetime.fromtimestamp(now, zone), snap_class)}"
            # An hourly of the repeated hour finds its name taken and gets this one instead.
            names.add(f"{name[:-7]}dst_hourly" if name in names else name)
    return hashlib.sha256("".join(f"{n}\n" for n in sorted(names)).encode()).hexdigest()


GOLDEN = [
    pytest.param(
        ("sanoid-test-1", 1483225200, 1514761199, 3600),
        "92f2c7afba94b59e8a6f6681705f0aa3f1c61e4aededaa38281e0b7653856935",
        id="one-year",
    ),
    pytest.param(
        ("sanoid-test-2", 1509141600, 1509400800, 900),
        "846372ef238f2182b382c77a73ecddf99aa82f28cc9995bcc95592cc78305463",
        id="clocks-go-back",
    ),
]


@pytest.mark.parametrize("slot", [last_slot, sanoid_slot])
@pytest.mark.parametrize(("history", "checksum"), GOLDEN)
def test_golden_histories_come_out_as_sanoids(
    history: tuple[str, int, int, int], checksum: str, slot: Slot
) -> None:
    assert golden(*history, slot) == checksum


PLANS = st.builds(
    Schedule,
    frequent_period=st.integers(1, 90),
    hourly_min=st.integers(0, 59),
    daily_hour=st.integers(0, 23),
    daily_min=st.integers(0, 59),
    weekly_wday=st.integers(0, 6),
    weekly_hour=st.integers(0, 23),
    weekly_min=st.integers(0, 59),
    monthly_mday=st.integers(1, 28),
    monthly_hour=st.integers(0, 23),
    monthly_min=st.integers(0, 59),
    yearly_mon=st.integers(1, 12),
    yearly_mday=st.integers(1, 28),
    yearly_hour=st.integers(0, 23),
    yearly_min=st.integers(0, 59),
)
MOMENTS = st.integers(946_684_800, 4_102_444_800)
CLASSES = st.sampled_from(SCHEDULED)


@settings(max_examples=120, deadline=None)
@given(plan=PLANS, now=MOMENTS, cls=CLASSES)
def test_in_utc_slots_are_sanoids_but_for_last_years_date(
    plan: Schedule, now: int, cls: SnapClass
) -> None:
    policy = Policy(name="t", keep={}, schedule=plan)
    ours, theirs = last_slot(policy, cls, now), sanoid_slot(policy, cls, now)
    if cls is SnapClass.YEARLY and theirs < now - 2 * 366 * 86_400:
        assert now - 366 * 86_400 <= ours <= now
    else:
        assert ours == theirs


@settings(max_examples=80, deadline=None)
@given(
    plan=PLANS,
    now=MOMENTS,
    cls=st.sampled_from([DAILY, WEEKLY, YEARLY]),
    zone=st.sampled_from(["Europe/Vienna", "America/New_York", "Australia/Lord_Howe"]),
)
def test_a_snapshot_at_its_slot_satisfies_the_class_until_the_next_slot(
    plan: Schedule, now: int, cls: SnapClass, zone: str
) -> None:
    policy = Policy(name="t", keep={cls: 1}, schedule=plan, timezone=zone)
    slot = last_slot(policy, cls, now)
    assert slot <= now
    assert last_slot(policy, cls, slot) == slot
    assert cls not in due(policy, {cls: slot}, now)
    assert cls in due(policy, {cls: slot - 1}, now)


def test_utc_needs_no_zone_database_and_manual_has_no_slot() -> None:
    policy = Policy(name="t", keep={SnapClass.MANUAL: 3, SnapClass.DAILY: 1})
    now = int(datetime(2024, 5, 1, 12, tzinfo=UTC).timestamp())
    assert due(policy, {}, now) == {SnapClass.DAILY}
    with pytest.raises(ValueError):
        last_slot(policy, SnapClass.MANUAL, now)


def test_a_policy_that_does_not_take_has_nothing_due() -> None:
    policy = Policy(name="t", keep={SnapClass.DAILY: 1}, autosnap=False)
    assert due(policy, {}, 1_700_000_000) == frozenset()
