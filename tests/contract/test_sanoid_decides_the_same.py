"""Bug-for-bug, zrep gives the orders that Debian's sanoid gives, on thousands of random pools.

One run of sanoid carries many datasets, each with settings and snapshots of its own: as many
decisions. Half of the runs lie close to a change of the clocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from tests.contract.sanoid_oracle import Answer, NoOracle, Pool, ask, fetch
from zrep.config.convert import convert
from zrep.config.sanoid_ini import parse_ini
from zrep.config.sections import parse_sections, read_ini
from zrep.model.autosnap import sanoid_class
from zrep.model.policy import PERIOD_SECONDS, SCHEDULED
from zrep.model.pool_view import PoolView, draw_pool
from zrep.model.sanoid import DEFAULTS, TOGGLES, TRUE_WORDS, Compat
from zrep.planner.effective import resolve
from zrep.planner.simulate_policy import PolicyPlan, plan_policies
from zrep.planner.simulate_policy_sanoid import plan_as_sanoid

ZONES = (
    "UTC",
    "Europe/Vienna",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
)
RUNS_PER_ZONE = 7
DATASETS = 50
TREES = 20
ODD_NAMES = ("autosnap-by-hand_{}", "autosnap_x_{}-friendly", "manual_{}", "autosnap_{}_kept")


@pytest.fixture(scope="module", autouse=True)
def _oracle() -> None:
    try:
        fetch()
    except NoOracle as why:
        pytest.skip(str(why))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A pool, what sanoid did with it, and what we would do."""

    pool: Pool
    theirs: Answer

    @property
    def view(self) -> PoolView:
        pool = self.pool
        return draw_pool(pool.datasets, pool.snapshots, held=pool.held, capacity=pool.capacity)

    def plan(self, compat: Compat) -> PolicyPlan:
        read = read_ini(self.pool.config, "sanoid.conf", compat)
        assert read.problems == ()
        found = resolve(read.sections, self.view.children, compat)
        assert found.refused == ()
        if compat is Compat.DEFAULT:
            return plan_policies(found.effective, self.view, self.pool.now, self.pool.timezone)
        where = ZoneInfo(self.pool.timezone)
        return plan_as_sanoid(found.effective, self.view, self.pool.now, where)


def ask_all(pools: Sequence[Pool]) -> list[Case]:
    with ThreadPoolExecutor(max_workers=2) as workers:
        answers = list(workers.map(ask, pools))
    return [Case(pool=p, theirs=a) for p, a in zip(pools, answers, strict=True)]


def assert_same_orders(case: Case, plan: PolicyPlan) -> None:
    assert (case.theirs.status != 0) is bool(plan.errors), case.theirs.stderr
    assert tuple(sorted(map(str, plan.take))) == case.theirs.take
    assert _in_order(plan.prune) == _in_order(case.theirs.prune)


def _in_order(names: Sequence[str]) -> dict[str, list[str]]:
    """By dataset and class; between these sanoid has no order."""
    found: dict[str, list[str]] = {}
    for name in names:
        dataset, _, snap = name.partition("@")
        found.setdefault(f"{dataset} {sanoid_class(snap)}", []).append(name)
    return found


def moments(random: Random, zone: str) -> Iterator[int]:
    changes = [c for year in (2017, 2024, 2031) for c in clock_changes(year, zone)]
    for turn in range(RUNS_PER_ZONE):
        if turn % 2 and changes:
            yield (
                random.choice(changes)
                + random.choice((-90, 0, 30, 90, 600)) * 60
                + (random.randint(-3, 3) * random.choice((1, 1800, 86_400 // 2)))
            )
        else:
            yield random.randint(946_684_800, 2_082_758_400)


def clock_changes(year: int, zone: str) -> list[int]:
    start, where = datetime(year, 1, 1, tzinfo=UTC), ZoneInfo(zone)
    hours = [start + timedelta(hours=h) for h in range(8_760)]
    offsets = [hour.astimezone(where).utcoffset() for hour in hours]
    pairs = zip(hours, offsets, [offsets[0], *offsets], strict=False)
    return [int(hour.timestamp()) for hour, now, before in pairs if now != before]


def counts(random: Random, *, odd: bool) -> dict[str, str]:
    usual = ("0", "0", "1", "1", "2", "3", "5")
    unusual = (*usual, "0.5", "-1", "2 # two", '"3"', "1e0", "x", "07")
    return {c.value: random.choice(unusual if odd else usual) for c in SCHEDULED}


def schedule(random: Random, *, odd: bool) -> dict[str, str]:
    ranges = {
        "frequent_period": (1, 90),
        "hourly_min": (0, 59),
        "daily_hour": (0, 23),
        "daily_min": (0, 59),
        "weekly_wday": (0, 7 if odd else 6),
        "weekly_hour": (0, 23),
        "weekly_min": (0, 59),
        "monthly_mday": (1, 28),
        "monthly_hour": (0, 23),
        "yearly_mon": (1, 12),
        "yearly_mday": (1, 28),
        "yearly_hour": (0, 23),
    }
    chosen = random.sample(sorted(ranges), random.randint(0, 5))
    return {key: str(random.randint(*ranges[key])) for key in chosen}


def snapshots(random: Random, dataset: str, now: int) -> Iterator[tuple[str, int]]:
    """Around whole periods before now, where decisions are close; no two of one second."""
    seen = set()
    for snap_class in SCHEDULED:
        period = PERIOD_SECONDS.get(snap_class, 900)
        for number in range(random.choice((0, 0, 1, 1, 2, 4))):
            ago = random.randint(0, 6) * period + random.choice(
                (0, 0, 1, -1, 60, 1800, period // 3)
            )
            creation = now - ago - random.choice((0, 0, now % 3600, now % 86_400))
            if creation not in seen:
                seen.add(creation)
                odd = random.random() < 0.05
                name = random.choice(ODD_NAMES) if odd else f"autosnap_{number:03d}_{{}}"
                yield f"{dataset}@{name.format(snap_class)}", creation


def draw(random: Random, zone: str, now: int, *, odd: bool) -> Pool:
    names = [f"tank/d{i}" for i in range(DATASETS)]
    config, taken = [], dict[str, int]()
    for name in names:
        keys = counts(random, odd=odd) | schedule(random, odd=odd)
        if random.random() < 0.2:
            keys |= {"prune_defer": random.choice(("0", "39", "40", "41"))}
        if random.random() < 0.2:
            keys |= {random.choice(("autosnap", "autoprune")): random.choice(("no", "yes", "off"))}
        config += [f"[{name}]", *(f"{key} = {value}" for key, value in keys.items())]
        taken |= dict(snapshots(random, name, now))
    return Pool(
        config="\n".join(config) + "\n",
        datasets=["tank", *names],
        snapshots=sorted(taken.items(), key=lambda pair: pair[1]),
        now=now,
        timezone=zone,
        held=[name for name in taken if random.random() < 0.03],
    )


def seeded(*seed: object) -> Random:
    return Random(repr(seed))


@pytest.mark.parametrize("zone", ZONES)
def test_random_pools_get_the_same_orders(zone: str) -> None:
    random = seeded("pools", zone)
    pools = [draw(random, zone, now, odd=True) for now in moments(random, zone)]
    cases = ask_all(pools)
    assert sum(len(c.pool.datasets) - 1 for c in cases) * len(ZONES) >= 2_000
    for case in cases:
        assert_same_orders(case, case.plan(Compat.BUG_FOR_BUG))
    assert any(case.theirs.take for case in cases)
    assert any(case.theirs.prune for case in cases)


def test_in_utc_and_with_plain_values_the_default_gives_the_same_orders() -> None:
    """Without holds and missed yearly ones, in which the two differ on purpose."""
    random = seeded("default")
    pools = []
    for now in [*moments(random, "UTC")][:4]:
        pool = draw(random, "UTC", now, odd=False)
        taken = [(n, c) for n, c in pool.snapshots if not n.endswith(("yearly", "-friendly"))]
        pools.append(
            Pool(
                config=pool.config,
                datasets=pool.datasets,
                snapshots=taken,
                now=now,
                capacity=pool.capacity,
            )
        )
    for case in ask_all(pools):
        assert_same_orders(case, case.plan(Compat.DEFAULT))


def tree(random: Random, number: int) -> tuple[list[str], list[str]]:
    """A pool's datasets, and sections for some of them in any order."""
    pool = f"p{number}"
    datasets = [pool, *(f"{pool}/{rest}" for rest in ("a", "a/b", "a/b/c", "a/d", "z"))]
    lines = []
    for name in random.sample(datasets, random.randint(1, 4)):
        lines.append(f"[{name}]")
        keys = {
            "recursive": ("yes", "no", "zfs", "on", "y"),
            "process_children_only": ("yes", "no"),
            "skip_children": ("yes", "no"),
            "autosnap": ("yes", "no", "n"),
            "use_template": ("one", "one,two", "two , default", "none"),
            "hourly": ("0", "1", "2"),
            "daily": ("0", "1"),
        }
        chosen = random.sample(sorted(keys), random.randint(0, 4))
        lines += [f"{key} = {random.choice(keys[key])}" for key in chosen]
    return datasets, lines


def forest(random: Random) -> Pool:
    trees = [tree(random, number) for number in range(TREES)]
    templates = ["[template_one]", "daily = 0", "weekly = 1", "[template_two]", "hourly = 0"]
    default = ["[template_default]", "monthly = 0", "yearly = 1"]
    if random.random() < 0.3:
        default.append("process_children_only = yes")
    sections = [line for _, lines in trees for line in lines]
    blocks = [sections, templates, default]
    random.shuffle(blocks)
    datasets = [name for names, _ in trees for name in names]
    now = random.randint(946_684_800, 2_082_758_400)
    taken = [
        (f"{d}@autosnap_{age}_hourly", now - age * 3_600) for d in datasets for age in (9, 5, 2)
    ]
    return Pool(
        config="".join(f"{line}\n" for block in blocks for line in block),
        datasets=datasets,
        snapshots=taken,
        now=now,
    )


def test_random_trees_of_sections_come_to_the_same_orders() -> None:
    random = seeded("trees")
    for case in ask_all([forest(random) for _ in range(6)]):
        assert_same_orders(case, case.plan(Compat.BUG_FOR_BUG))


@pytest.mark.parametrize(
    "deadly",
    ["monthly_mday = 31", "daily_hour = 24", "frequent_period = 0", "hourly_min = -1"],
)
def test_values_of_which_sanoid_dies_stop_everything(deadly: str) -> None:
    pool = Pool(
        config=f"[tank/a]\nhourly = 1\n[tank/b]\nfrequently = 1\nhourly = 1\n{deadly}\n",
        datasets=["tank", "tank/a", "tank/b"],
        snapshots=[("tank/a@autosnap_x_hourly", 1), ("tank/a@autosnap_y_hourly", 2)],
        now=1_682_424_000,  # in April
    )
    case = Case(pool=pool, theirs=ask(pool))
    assert case.theirs.status != 0
    assert case.theirs.take == case.theirs.prune == ()
    assert_same_orders(case, case.plan(Compat.BUG_FOR_BUG))


def test_the_defaults_are_those_that_sanoid_ships() -> None:
    text = (fetch() / "usr/share/sanoid/sanoid.defaults.conf").read_text()
    shipped = {s.name: s.values for s in parse_ini(text, "defaults").sections}["template_default"]
    common = set(shipped) & set(DEFAULTS)
    assert len(common) > 40
    assert {k: _meant(k, shipped[k]) for k in common} == {k: _meant(k, DEFAULTS[k]) for k in common}


def _meant(key: str, text: str) -> str:
    """Switches by what they mean: yes and 1 are the same."""
    return str(text in TRUE_WORDS) if key in TOGGLES else text


def test_the_example_that_sanoid_ships_means_the_same_as_toml() -> None:
    text = (fetch() / "usr/share/doc/sanoid/examples/sanoid.conf").read_text()
    read = read_ini(text, "sanoid.conf")
    converted = convert(text, "sanoid.conf")
    assert read.problems == converted.problems == ()
    again = parse_sections(converted.text, "sanoid.toml", {})
    pools = {s.name.partition("/")[0] for s in read.sections if not s.is_template}
    datasets = [f"{pool}{rest}" for pool in pools for rest in ("", "/parent2", "/parent2/child")]
    view = draw_pool(sorted(datasets))
    assert resolve(again.sections, view.children) == resolve(read.sections, view.children)
    assert converted.text.count("#") >= text.count("#")
