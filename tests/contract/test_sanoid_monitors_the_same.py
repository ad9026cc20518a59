"""Bug-for-bug, `zrep check` says what Debian's sanoid says, of drawn and of real pools.

Its `zpool` is a stand-in that prints what real ones have printed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.contract import sanoid_oracle as oracle
from tests.contract.sanoid_oracle import FetchFailed, NoOracle, Pool, fetch
from tests.unit.zpool_outputs import STATUSES
from zrep.config.sections import read_ini
from zrep.errors import ConfigError
from zrep.model.check import Check
from zrep.model.policy import SCHEDULED
from zrep.model.pool_status import PoolFill, PoolStatus
from zrep.model.pool_view import draw_pool
from zrep.model.sanoid import Compat
from zrep.planner.check_policy import check_snapshots
from zrep.planner.check_pools import (
    capacity_limits,
    check_capacity,
    check_health,
    pools_of,
    zfs_size,
)
from zrep.planner.effective import Effective, resolve
from zrep.zfs.zpool import parse_status

NOW = 1_714_559_400
RUNS = 40
NAMES = ("tank/a", "tank/B", "tank/b/c", "Pool/x", "pool/x", "tank/d")

ZPOOL = r"""#!/bin/sh
# Answers from files: status-POOL, and list-POOL with a line of figures.
for last; do :; done
case $1 in
status) cat "$ORACLE/status-$last" ;;
list)
    [ -e "$ORACLE/list-$last" ] || { echo "cannot open '$last': no such pool" >&2; exit 1; }
    case $2 in
    -H) set -- $(cat "$ORACLE/list-$last"); echo "$3" ;;
    *) echo "NAME SIZE CAP HEALTH FREE"; cat "$ORACLE/list-$last" ;;
    esac ;;
esac
"""


@pytest.fixture(scope="module", autouse=True)
def _fetched() -> None:
    try:
        fetch()
    except NoOracle as reason:
        pytest.skip(str(reason))
    except FetchFailed as reason:
        pytest.fail(str(reason))


def ask(
    folder: Path,
    pool: Pool,
    check: str,
    fills: Sequence[PoolFill] = (),
    statuses: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Sanoid's exit status and line."""
    home = fetch()
    folder.mkdir(parents=True, exist_ok=True)
    oracle._draw(folder, pool)
    (folder / "bin").mkdir()
    (folder / "bin" / "zpool").write_text(ZPOOL)
    (folder / "bin" / "zpool").chmod(0o755)
    for fill in fills:
        (folder / f"list-{fill.name}").write_text(f"{figures(fill)}\n")
    for name, text in (statuses or {}).items():
        (folder / f"status-{name}").write_text(text)
    environment = oracle._environment(home, folder, pool)
    environment["PATH"] = f"{folder}/bin:{environment['PATH']}"
    places = (f"--configdir={folder}", f"--cache-dir={folder}/cache", f"--run-dir={folder}/run")
    done = subprocess.run(
        ("perl", "-MStage", str(home / "sanoid"), *places, f"--monitor-{check}"),
        cwd=home / "usr/share/sanoid",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.rstrip()


def figures(fill: PoolFill) -> str:
    """The line of `zpool list -o name,size,cap,health,free`, its columns made of blanks."""
    capacity = "-" if fill.capacity is None else f"{fill.capacity}%"
    words = (fill.name, zfs_size(fill.size), capacity, fill.health, zfs_size(fill.free))
    return "  ".join(words)


def sections(pool: Pool) -> tuple[Effective, ...]:
    read = read_ini(pool.config, "sanoid.conf", Compat.BUG_FOR_BUG)
    assert read.problems == ()
    return resolve(read.sections, draw_pool(pool.datasets).children, Compat.BUG_FOR_BUG).effective


def snapshots_by_us(pool: Pool) -> Check:
    view = draw_pool(pool.datasets, pool.snapshots)
    return check_snapshots(sections(pool), view, pool.now, Compat.BUG_FOR_BUG)


def ages(random: Random) -> Iterator[tuple[str, str]]:
    """Limits in all forms, wrong ones among them, and the switches around them."""
    forms = ("0", "1", "10", "90m", "2H", "3d", "1w", "1y", "45s", "10x", "5 m")
    late = ("52w", "90d", "2Y", "40")
    for snap_class in SCHEDULED:
        for level in ("warn", "crit"):
            if random.random() < 0.7:
                known = forms if level == "warn" or random.random() < 0.5 else late
                yield f"{snap_class}_{level}", random.choice(known)
    for switch in ("monitor", "monitor_dont_warn", "monitor_dont_crit", "process_children_only"):
        if random.random() < 0.15:
            yield switch, random.choice(("yes", "no", "n", "1", "0"))
    if random.random() < 0.7:
        yield "monitor_dont_crit", "yes"


def drawn(random: Random) -> Pool:
    """Snapshots around the limits, where the answer is close, and some made in the future."""
    names = random.sample(NAMES, random.randint(1, len(NAMES)))
    lines, taken = [], []
    for name in names:
        keys = {c.value: random.choice(("0", "1", "3", "0.5", "x")) for c in SCHEDULED}
        keys |= dict(ages(random))
        lines += [f"[{name}]", *(f"{key} = {value}" for key, value in keys.items())]
        for snap_class in random.sample(SCHEDULED, random.randint(2, len(SCHEDULED))):
            limit = random.choice((1, 10, 600, 5_400, 7_200, 100_800, 259_200, 604_800, 2_764_800))
            age = limit + random.choice((-2, -1, 0, 1, 61, 3_600))
            taken.append((f"{name}@autosnap_x_{snap_class}", NOW - age))
    return Pool(
        config="\n".join(lines) + "\n",
        datasets=["tank", "pool", "Pool", *sorted(names)],
        snapshots=sorted(taken, key=lambda pair: pair[1]),
        now=NOW,
    )


def test_random_snapshots_get_the_same_line_and_status(tmp_path: Path) -> None:
    random = Random("monitor")
    pools = [drawn(random) for _ in range(RUNS)]
    with ThreadPoolExecutor(max_workers=2) as workers:
        theirs = list(
            workers.map(
                lambda case: ask(tmp_path / str(case[0]), case[1], "snapshots"), enumerate(pools)
            )
        )
    for pool, (status, line) in zip(pools, theirs, strict=True):
        ours = snapshots_by_us(pool)
        assert ours.message == line
        assert ours.level == status
    assert {status for status, _ in theirs} == {0, 1, 2}
    said = [part[:4] for _, line in theirs for part in line.split(", ")]
    assert said.count("WARN") > RUNS
    assert said.count("CRIT") > 2 * RUNS


@pytest.mark.parametrize(
    ("keys", "snapshots"),
    [
        ("", ()),
        ("monitor = no", ()),
        ("hourly = 0\ndaily = 0\nmonthly = 0", ()),
        ("daily = 0\nmonthly = 0", (("tank/a@autosnap_x_hourly", NOW + 1),)),
        ("daily = 0\nmonthly = 0", (("tank/a@autosnap_x_hourly", NOW + 5),)),
        ("daily = 0\nmonthly = 0", (("tank/a@autosnap_x_hourly-friendly", NOW - 5),)),
        ("daily = 0\nmonthly = 0", (("tank/a@autosnap_x_hourly", NOW),)),
    ],
)
def test_odd_snapshots_get_the_same_line(
    tmp_path: Path, keys: str, snapshots: Sequence[tuple[str, int]]
) -> None:
    pool = Pool(
        config=f"[tank/a]\n{keys}\n",
        datasets=["tank", "tank/a"],
        snapshots=snapshots,
        now=NOW,
    )
    ours = snapshots_by_us(pool)
    assert (int(ours.level), ours.message) == ask(tmp_path / "world", pool, "snapshots")


def fill(name: str, health: str = "ONLINE", capacity: int | None = 40) -> PoolFill:
    if capacity is None:
        return PoolFill(name=name, health=health)
    return PoolFill(
        name=name, health=health, size=4_262_780_928, free=2_254_857_830, capacity=capacity
    )


def well(name: str) -> str:
    return (
        f"  pool: {name}\n state: ONLINE\nconfig:\n\n\tNAME        STATE     READ WRITE CKSUM\n"
        f"\t{name}        ONLINE       0     0     0\n\t  sda       ONLINE       0     0     0\n\n"
        "errors: No known data errors\n"
    )


def health_by_both(folder: Path, given: PoolFill, status: str) -> str:
    """The line, after making sure that it is the same, and the exit status too."""
    name = given.name
    pool = Pool(
        config=f"[{name}/a]\n",
        datasets=[name, f"{name}/a"],
        # It knows only pools in which it has seen a snapshot.
        snapshots=[(f"{name}/a@autosnap_x_daily", NOW)],
        now=NOW,
    )
    theirs = ask(folder, pool, "health", [given], {name: status})
    ours = check_health([name], {name: PoolStatus(fill=given, vdevs=parse_status(status))})
    assert (int(ours.level), ours.message) == theirs
    return ours.message


@pytest.mark.parametrize("health", ["ONLINE", "DEGRADED", "UNAVAIL", "SUSPENDED"])
@pytest.mark.parametrize("name", STATUSES)
def test_devices_and_the_pools_state_are_judged_together(
    tmp_path: Path, name: str, health: str
) -> None:
    """Whatever combination a pool may get into: a lost device turns up in a pool that is well."""
    given = fill(name, health, None if health == "UNAVAIL" else 40)
    line = health_by_both(tmp_path / "world", given, STATUSES[name])
    assert f"ZPOOL {name} : {health} {{" in line


def test_counters_of_a_pool_that_is_well(tmp_path: Path) -> None:
    status = well("tank").replace(
        "sda       ONLINE       0     0", "sda       ONLINE       7     2"
    )
    line = health_by_both(tmp_path / "world", fill("tank"), status)
    assert line.endswith("(sda:read, write errors)")


def test_a_pool_that_is_not_there_is_all_that_is_said(tmp_path: Path) -> None:
    pool = Pool(
        config="[gone/a]\n[tank/a]\n",
        datasets=["gone", "gone/a", "tank", "tank/a"],
        snapshots=[(f"{name}@autosnap_x_daily", NOW) for name in ("gone/a", "tank/a")],
        now=NOW,
    )
    there, found = fill("tank"), sections(pool)
    statuses = {"tank": PoolStatus(fill=there, vdevs=parse_status(well("tank")))}
    limits = capacity_limits(found, Compat.BUG_FOR_BUG)
    for check, ours in (
        ("health", check_health(pools_of(found), statuses, Compat.BUG_FOR_BUG)),
        ("capacity", check_capacity(limits, {"tank": 40}, Compat.BUG_FOR_BUG)),
    ):
        theirs = ask(tmp_path / check, pool, check, [there], {"tank": well("tank")})
        assert (int(ours.level), ours.message) == theirs


@pytest.mark.parametrize(
    "config",
    [
        "[POOL/a]\n",
        "[POOL]\ncapacity_warn = 10\ncapacity_crit = 50\n",
        "[POOL]\ncapacity_warn = 10\ncapacity_crit = 0\n[POOL/a]\ncapacity_warn = 9\n",
        "[POOL/a]\ncapacity_warn = 9\n[POOL]\ncapacity_warn = 0\ncapacity_crit = 50\n",
        "[POOL/a]\ncapacity_warn = 0\ncapacity_crit = 0\n",
        "[POOL]\ncapacity_warn = 0\ncapacity_crit = 0\n[POOL/a]\n",
        "[POOL]\nmonitor = no\nprocess_children_only = yes\n",
    ],
)
def test_capacities_get_the_same_line(tmp_path: Path, config: str) -> None:
    """One pool for each capacity."""
    fills = [fill(f"p{c}", capacity=c) for c in (0, 9, 10, 11, 49, 50, 79, 80, 94, 95, 100)]
    pool = Pool(
        config="".join(config.replace("POOL", one.name) for one in fills),
        datasets=[name for one in fills for name in (one.name, f"{one.name}/a")],
        snapshots=[],
        now=NOW,
    )
    status, line = ask(tmp_path / "world", pool, "capacity", fills)
    limits = capacity_limits(sections(pool), Compat.BUG_FOR_BUG)
    ours = check_capacity(limits, {one.name: one.capacity or 0 for one in fills})
    assert ours.level == status
    assert in_any_order(ours.message) == in_any_order(line)


@pytest.mark.parametrize("limit", ["80%", "101", "-1", "", "8.5"])
def test_limits_of_which_sanoid_dies(tmp_path: Path, limit: str) -> None:
    pool = Pool(
        config=f"[tank]\ncapacity_warn = {limit}\n", datasets=["tank"], snapshots=[], now=NOW
    )
    status, line = ask(tmp_path / "world", pool, "capacity", [fill("tank")])
    assert (status != 0, line) == (True, "")
    with pytest.raises(ConfigError, match="capacity_warn"):
        capacity_limits(sections(pool), Compat.BUG_FOR_BUG)


def test_several_pools_are_one_line(tmp_path: Path) -> None:
    """In which order sanoid names them is up to its hash."""
    config = "[a/x]\n[b/x]\ncapacity_warn = 30\n"
    pool = Pool(config=config, datasets=["a", "a/x", "b", "b/x"], snapshots=[], now=NOW)
    status, line = ask(tmp_path / "c", pool, "capacity", [fill("a"), fill("b")])
    ours = check_capacity(capacity_limits(sections(pool)), {"a": 40, "b": 40})
    assert ours.level == status
    assert in_any_order(ours.message) == in_any_order(line)
    seen = [(f"{name}@autosnap_x_daily", NOW) for name in ("a/x", "b/x")]
    both = [fill("a"), fill("b", "DEGRADED")]
    texts = {one.name: well(one.name) for one in both}
    status, line = ask(tmp_path / "h", replace(pool, snapshots=seen), "health", both, texts)
    ours = check_health(
        ["a", "b"],
        {one.name: PoolStatus(fill=one, vdevs=parse_status(texts[one.name])) for one in both},
    )
    assert ours.level == status
    assert in_any_order(ours.message) == in_any_order(line)


def in_any_order(line: str) -> tuple[str, set[str]]:
    prefix = line[: line.rindex("*** ") + 4] if "*** " in line else ""
    return prefix, {part.strip() for part in line.removeprefix(prefix).split(", ")}
