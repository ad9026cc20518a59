"""`zrep simulate` beyond sanoid's answers: held snapshots, TOML, whole years, two policies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.policy_commands import BUG_FOR_BUG, Said, write_config, write_pool, zrep
from tests.unit.rows import of_each

NOW = 1_714_559_400  # 2024-05-01 10:30 UTC
HOUR = 3_600
NOTHING = "frequently=0\nhourly=0\ndaily=0\nweekly=0\nmonthly=0\nyearly=0\n"


def section(name: str = "tank/a", **keys: object) -> str:
    wanted = {**dict(line.split("=") for line in NOTHING.splitlines()), **keys}
    return f"[{name}]\n" + "".join(f"{k}={v}\n" for k, v in wanted.items())


def hourlies(*hours: float) -> list[tuple[str, int]]:
    return [(f"tank/a@autosnap_{h}_hourly", int(NOW - h * HOUR)) for h in hours]


def simulate(folder: Path, config: str, *args: str, name: str = "sanoid.conf") -> Said:
    path = write_config(folder, config, name)
    pool = folder / "pool.json"
    return zrep("simulate", "--config", path, "--inventory", pool, "--now", str(NOW), *args)


def test_a_held_snapshot_stays_and_is_one_of_those_that_stay(tmp_path: Path) -> None:
    """Q22: sanoid tries the held one every time, and one too many survives."""
    held = "tank/a@autosnap_5_hourly"
    write_pool(tmp_path, ["tank/a"], hourlies(5, 4, 3, 1), held=[held])
    config = section(hourly=2)
    names = [name for name, _ in hourlies(5, 4, 3, 1)]
    assert simulate(tmp_path, config, "--json").json["prune"] == names[1:3]
    assert simulate(tmp_path, config, "--json", *BUG_FOR_BUG).json["prune"] == names[:2]


def test_of_two_sections_for_one_dataset_each_order_is_given_once(tmp_path: Path) -> None:
    write_pool(tmp_path, ["tank/a"], hourlies(5, 4, 3, 1))
    config = section(hourly=3) + section("other", path="tank/a", hourly=2)
    names = [name for name, _ in hourlies(5, 4, 3, 1)]
    said = simulate(tmp_path, config, "--json")
    assert said.json["prune"] == names[:2]
    assert said.json["take"] == ["tank/a@autosnap_2024-05-01_10:30:00_hourly"]
    assert "[tank/a] too" in said.err
    theirs = simulate(tmp_path, config, "--json", *BUG_FOR_BUG).json
    assert sorted(theirs["prune"]) == sorted([names[0], *names[:2]])
    assert theirs["take"] == said.json["take"]


def test_names_that_only_look_like_sanoids_are_never_destroyed(tmp_path: Path) -> None:
    """Sanoid itself takes a few of them for its own."""
    names = ["autosnap_x_daily-before-friendly", "autosnap_daily:ly", "daily", "syncoid_x_daily"]
    write_pool(tmp_path, ["tank/a"], [(f"tank/a@{n}", 1) for n in names])
    assert simulate(tmp_path, section(), "--json").json["prune"] == []
    theirs = simulate(tmp_path, section(), "--json", *BUG_FOR_BUG).json["prune"]
    assert theirs == [f"tank/a@{n}" for n in names[:2]]


def test_atomic_recursion_takes_one_snapshot_at_its_root_and_prunes_each_child(
    tmp_path: Path,
) -> None:
    old = [(f"{d}@autosnap_{i}_hourly", NOW - i * HOUR - 60) for d in ("t", "t/a") for i in (3, 2)]
    write_pool(tmp_path, ["t", "t/a"], old)
    said = simulate(tmp_path, section("t", recursive="zfs", hourly=1))
    assert said.out.splitlines() == [
        "take     t@autosnap_2024-05-01_10:30:00_hourly with all children",
        "destroy  t@autosnap_3_hourly",
        "destroy  t/a@autosnap_3_hourly",
        "1 to take, 2 to destroy",
    ]


def test_sanoid_dies_of_some_values_and_the_answer_says_so(tmp_path: Path) -> None:
    write_pool(tmp_path, ["tank/a"], hourlies(9, 8))
    for config in (section(daily=1, daily_hour=24), section(frequently=1, frequent_period=0)):
        said = simulate(tmp_path, config, "--json", *BUG_FOR_BUG)
        assert said.json["take"] == said.json["prune"] == []
        assert "sanoid dies" in said.json["errors"][0]
    late = simulate(tmp_path, section(hourly=1, prune_defer="50%"), "--json", *BUG_FOR_BUG)
    assert late.json["take"]
    assert "prune_defer = 50%" in late.json["errors"][0]
    assert simulate(tmp_path, section(daily_hour=24, hourly=1), "--json", *BUG_FOR_BUG).status == 0


TOML = """\
[template.t]
hourly = 1

[target]
dataset = "backup"
policy = "short"

[dataset."tank/a"]
use_template = ["t"]
daily = 0
monthly = 0
pre_snapshot_script = ["/bin/sh", "-c", "true"]

[replica.x]
dataset = "elsewhere"

[dataset."tank/b"]
use_template = "short, t"
"""


def test_toml_sections_and_shipped_policies_decide_alike(tmp_path: Path) -> None:
    write_pool(tmp_path, ["tank/a", "tank/b"], hourlies(5, 4, 3, 1))
    said = simulate(tmp_path, TOML, "--json", name="zrep.toml")
    assert said.err == ""
    day = "2024-05-01_10:30:00"
    assert said.json == {
        "take": [
            f"tank/a@autosnap_{day}_hourly",
            f"tank/b@autosnap_{day}_daily",
            f"tank/b@autosnap_{day}_hourly",
        ],
        "prune": [name for name, _ in hourlies(5, 4, 3)],
        "errors": [],
    }


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("hourly = 1", "hourly = '1'", "2: template.t.hourly: must be a whole number, not '1'"),
        ('["t"]', '["T"]', "9: dataset.\"tank/a\".use_template: no template or policy 'T'"),
        ("daily = 0", "dayly = 0", '10: dataset."tank/a".dayly: unknown key, did you mean daily?'),
        ("[replica.x]", "[replicas.x]", "14: replicas: unknown key, did you mean replica?"),
        ("monthly = 0", 'recursive = "zfs"\nprocess_children_only = true', "12: dataset"),
        ("hourly = 1", "hourly = 1\nhourly = 2", "3: column 11: this key has a value already"),
    ],
)
def test_mistakes_in_toml_are_answered_and_nothing_is_done(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    write_pool(tmp_path, ["tank/a", "tank/b"], hourlies(5, 4, 3, 1))
    said = simulate(tmp_path, TOML.replace(old, new, 1), "--json", name="zrep.toml")
    assert (said.json["take"], said.json["prune"], said.status) == ([], [], 3)
    assert said.json["errors"][0].startswith(f"{tmp_path}/zrep.toml:{expected}")


def test_without_json_errors_go_to_stderr_with_the_next_step(tmp_path: Path) -> None:
    write_pool(tmp_path, ["tank/a"])
    said = simulate(tmp_path, "[tank/a]\nhourly = x\n")
    assert (said.status, said.out) == (3, "")
    assert "nothing is taken or destroyed" in said.err


def test_toml_without_its_suffix_is_recognised_by_its_first_table(tmp_path: Path) -> None:
    write_pool(tmp_path, ["tank/a"])
    said = simulate(tmp_path, '# x\n[dataset."tank/a"]\nhourly = 3\n', "--json", name="policy")
    assert said.json["errors"] == []
    assert simulate(tmp_path, "[tank/a]\nhourly = 3\n", "--json", name="policy").status == 0


def test_a_file_that_is_not_there_is_an_error_in_the_answer(tmp_path: Path) -> None:
    write_pool(tmp_path, ["tank/a"])
    pool = tmp_path / "pool.json"
    said = zrep("simulate", "--config", tmp_path / "no", "--inventory", pool, "--json")
    assert said.json["errors"] == [f"{tmp_path}/no:1: cannot be read: No such file or directory"]


@of_each(
    [
        ('{"datasets": [}', "1: is no JSON: "),
        ('{"dataset": []}', "1: dataset: unknown key; valid are datasets, snapshots"),
        ('{"datasets": "tank"}', "1: datasets: must be a list of names, not 'tank'"),
        ('{"datasets": [3]}', "1: datasets[0]: must be a name, not 3"),
        ('{"snapshots": [["tank", 3]]}', '1: snapshots[0]: must be ["dataset@snapshot", '),
        ('{"snapshots": [["t@a", "3"]]}', '1: snapshots[0]: must be ["dataset@snapshot", '),
        ('{"snapshots": {}}', "1: snapshots: must be a list of [name, creation], not {}"),
        ('{"pool_cap": 101}', "1: pool_cap: must be per cent from 0 to 100, not 101"),
        ("tank\t1\ntank@a 3\n", "2: must be a name, a tab and a creation in seconds, not 'tank@a"),
    ]
)
def test_a_wrong_inventory_is_answered_with_its_place(row: tuple[str, str], tmp_path: Path) -> None:
    text, expected = row
    (tmp_path / "pool.json").write_text(text)
    said = simulate(tmp_path, "[tank/a]\n", "--json")
    assert (said.status, said.out) == (3, "")
    assert said.err.startswith(f"zrep: [config.invalid] {tmp_path}/pool.json:{expected}")


def test_what_zfs_list_prints_is_an_inventory(tmp_path: Path) -> None:
    rows = [f"{name}\t{creation}\t0" for name, creation in hourlies(5, 4, 3, 1)]
    rows[0] = rows[0][:-1] + "1"
    rows += ["tank\t1\t-", "tank/a\t1\t-", "tank/a#mark\t1\t-"]
    (tmp_path / "pool.json").write_text("\n".join(rows))
    said = simulate(tmp_path, section("tank", recursive="yes", hourly=2), "--json")
    assert said.json["prune"] == [name for name, _ in hourlies(4, 3)]


def test_a_year_is_shown_by_month(tmp_path: Path) -> None:
    config = write_config(tmp_path, section("t/a", hourly=24, daily=7, monthly=3))
    span = ("--from", "2023-01-01", "--to", "2023-04-15T12:00")
    said = zrep("simulate", "--config", config, *span)
    assert said.out.splitlines() == [
        "t/a",
        "MONTH    HOURLY  DAILY  MONTHLY  TOTAL  OLDEST",
        "2023-01      25      7        1     33  2023-01-01",
        "2023-02      25      7        2     34  2023-01-01",
        "2023-03      25      7        3     35  2023-01-01",
        "2023-04      25      7        3     35  2023-02-01",
    ]


def test_datasets_that_fare_alike_are_shown_together(tmp_path: Path) -> None:
    datasets = [f"t/{i}" for i in range(5)]
    pool = write_pool(tmp_path, datasets, [("t/4@autosnap_x_monthly", NOW - 90 * 24 * HOUR)])
    config = write_config(tmp_path, "".join(section(d, monthly=9) for d in datasets))
    args = ("--config", config, "--inventory", pool, "--every", "1d", "--json")
    said = zrep("simulate", *args, "--from", str(NOW), "--to", str(NOW + 40 * 24 * HOUR))
    first, second = said.json["histories"]
    assert (first["datasets"], second["datasets"]) == (datasets[:4], datasets[4:])
    assert [m["monthly"] for m in first["months"]] == [1, 2]
    assert [m["monthly"] for m in second["months"]] == [2, 3]
    text = zrep("simulate", *args[:-1], "--from", str(NOW), "--to", str(NOW)).out
    assert text.startswith("t/0, t/1, t/2 and 1 more\n")


def test_a_policy_file_by_itself_can_be_played(tmp_path: Path) -> None:
    policy = write_config(tmp_path, "hourly = 0\ndaily = 2\nmonthly = 0\n", "mine.toml")
    said = zrep("simulate", "--config", policy, "--from", "2024-01-01", "--to", "2024-01-31")
    assert said.out.splitlines()[0] == "tank"
    assert said.out.splitlines()[2].split() == ["2024-01", "3", "3", "2024-01-29"]


def test_two_files_are_compared_on_one_pool(tmp_path: Path) -> None:
    pool = write_pool(tmp_path, ["tank/a"], hourlies(5, 4, 3, 1))
    one = write_config(tmp_path, section(hourly=2), "one.conf")
    other = write_config(tmp_path, section(hourly=4, daily=1), "other.conf")
    args = ("--config", one, "--diff", other, "--inventory", pool, "--now", str(NOW))
    assert zrep("simulate", *args, "--json").json == {
        "take": {"only_first": [], "only_second": ["tank/a@autosnap_2024-05-01_10:30:00_daily"]},
        "prune": {"only_first": [n for n, _ in hourlies(5, 4)], "only_second": []},
    }
    text = zrep("simulate", *args).out.splitlines()
    assert f"destroyed only by {one}: tank/a@autosnap_5_hourly" in text
    assert text[-2:] == [
        f"{one}: takes 0 and destroys 2 more",
        f"{other}: takes 1 and destroys 0 more",
    ]
    same = zrep("simulate", "--config", one, "--diff", one, "--inventory", pool)
    assert same.out == f"{one} and {one} take and destroy the same\n"


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("--tz", "Europe/Wien"), "time zone like Europe/Stockholm, not 'Europe/Wien'"),
        (("--now", "noon"), "'noon' is no epoch and no date"),
        (("--from", "2024-01-01"), "--from and --to belong together"),
        (("--from", "1", "--to", "2", "--every", "0s"), "there must be time between two runs"),
        (("--from", "1", "--to", "2", "--every", "often"), "must be a duration"),
        (("--compat", "bugs"), "'bugs' is not one of"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    tmp_path: Path, args: tuple[str, ...], expected: str
) -> None:
    config = write_config(tmp_path, "[tank/a]\n")
    said = zrep("simulate", "--config", config, *args)
    assert (said.status, said.out) == (2, "")
    assert expected in said.err


def test_settings_are_shown_for_people_too(tmp_path: Path) -> None:
    pool = write_pool(tmp_path, ["t", "t/a"])
    config = write_config(tmp_path, section("t", recursive="zfs", daily=9, hourly_min=5))
    text = zrep("config", "show", "--config", config, "--inventory", pool).out.splitlines()
    assert [" ".join(line.split()) for line in text[1:]] == [
        "t 0 0 9 0 0 0 yes, with children yes t hourly_min=5",
        "t/a 0 0 9 0 0 0 by its parent yes t hourly_min=5",
    ]


def test_a_sanoid_conf_can_be_checked(tmp_path: Path) -> None:
    good = write_config(tmp_path, section(hourly=1))
    assert zrep("--config", good, "config", "check").out == f"{good}: good\n"
    assert zrep("--config", good, "config", "check", "--json").json == {"sections": ["tank/a"]}
    bad = write_config(tmp_path, "[tank/a]\nhourly = x\n")
    assert zrep("--config", bad, "config", "check").status == 3
