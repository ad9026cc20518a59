"""How long policies take to decide: verdicts on one large dataset, a plan for many small ones."""

import statistics
import time
from collections.abc import Callable

from zrep.config.sections import read_ini
from zrep.model.names import SnapClass
from zrep.model.policy import PERIOD_SECONDS, Policy
from zrep.model.pool_view import PoolView, draw_pool
from zrep.planner.effective import resolve
from zrep.planner.retention import Aged, judge
from zrep.planner.simulate_policy import plan_policies

NOW = 1_714_559_400
SNAPSHOTS = 100_000
DATASETS = 1_000
EACH = 100
RUNS = 9
CONFIG = """\
[tank]
use_template = production
recursive = yes
process_children_only = yes
[tank/d7]
daily = 60
[template_production]
hourly = 36
daily = 30
monthly = 3
"""


def main() -> None:
    snapshots, policy = history()
    report(
        f"verdicts on {SNAPSHOTS:,} snapshots of one dataset",
        lambda: sum(1 for _ in judge(snapshots, policy, NOW).released()),
        target=0.06,
    )
    pool = drawn()
    report(
        f"resolve and plan {DATASETS:,} datasets with {EACH} snapshots each",
        lambda: len(plan(pool)),
        target=1.0,
    )


def report(what: str, work: Callable[[], int], *, target: float) -> None:
    times, found = [], 0
    for _ in range(RUNS):
        begun = time.perf_counter()
        found = work()
        times.append(time.perf_counter() - begun)
    median, best, worst = statistics.median(times), min(times), max(times)
    print(
        f"{what}: median of {RUNS} {median * 1000:.1f} ms "
        f"(from {best * 1000:.1f} to {worst * 1000:.1f}; at most {target * 1000:.0f} wanted), "
        f"{found:,} to destroy"
    )


def history() -> tuple[list[Aged], Policy]:
    """A snapshot each quarter of an hour, of one to three classes."""
    yearly, monthly, weekly, daily, hourly, frequently, _ = SnapClass
    labels = [(hourly,), (daily, hourly), (frequently,), (monthly, daily, hourly)]
    snapshots = [
        Aged(f"autosnap_{i}", NOW - i * 900, labels[i % 4]) for i in range(SNAPSHOTS, 0, -1)
    ]
    keep = {frequently: 96, hourly: 36, daily: 30, weekly: 8, monthly: 3, yearly: 1}
    return snapshots, Policy(name="bench", keep=keep)


def drawn() -> PoolView:
    datasets = ["tank", *(f"tank/d{i}" for i in range(DATASETS - 1))]
    kinds = [(c, PERIOD_SECONDS[c]) for c in (SnapClass.HOURLY, SnapClass.DAILY)]
    taken = [
        (f"{dataset}@autosnap_{i}_{kind}", NOW - i * period)
        for dataset in datasets
        for kind, period in kinds
        for i in range(EACH // len(kinds))
    ]
    return draw_pool(datasets, taken, capacity=50)


def plan(pool: PoolView) -> tuple[str, ...]:
    sections = read_ini(CONFIG, "sanoid.conf").sections
    return plan_policies(resolve(sections, pool.children).effective, pool, NOW).prune


if __name__ == "__main__":
    main()
