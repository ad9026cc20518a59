"""Every mistake in a sanoid.conf is answered by line, with what would be right; nothing is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.policy_commands import Said, write_config, write_pool, zrep
from tests.unit.rows import of_each
from tests.unit.wrong_tables import Change, changes, first_words

CHANGES = changes("wrong-sanoid.txt")

GOOD = """\
# pools
[tank/home]
	use_template = production
	recursive = yes
	daily = 60

[tank/scratch]
	use_template = ignore
	hourly_warn = 90m

[backup]
	use_template = production
	autosnap = no
	recursive = yes
	process_children_only = yes

[template_production]
	frequently = 0
	hourly = 36
	daily = 30
	monthly = 3
	yearly = 0
	autosnap = yes
	autoprune = yes
	daily_hour = 3
	prune_defer = 60

[template_ignore]
	autoprune = no
	autosnap = no
	monitor = no
"""
DATASETS = ["backup", "backup/a", "tank", "tank/home", "tank/home/a", "tank/scratch"]
OLD = [(f"{d}@autosnap_{i}_daily", 86_400 * i) for d in DATASETS for i in range(99)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sanoid")
    write_pool(made, DATASETS, OLD, pool_cap=80)
    return made


def simulate(folder: Path, text: str) -> Said:
    config = write_config(folder, text)
    args = ("--config", config, "--inventory", folder / "pool.json", "--now", "1714559400")
    return zrep("simulate", *args, "--json")


def test_the_file_without_mistakes_takes_and_destroys(folder: Path) -> None:
    said = simulate(folder, GOOD)
    assert (said.status, said.err) == (0, "")
    assert said.json["take"]
    assert said.json["prune"]


@of_each(CHANGES, name=first_words)
def test_each_mistake_is_reported_with_line_and_remedy(row: Change, folder: Path) -> None:
    old, new, expected = row
    assert old in GOOD
    said = simulate(folder, GOOD.replace(old, new, 1))
    assert said.json["errors"] == [f"{folder}/sanoid.conf:{problem}" for problem in expected]
    assert (said.json["take"], said.json["prune"], said.status) == ([], [], 3)


def test_there_are_sixty_mistakes() -> None:
    assert len(CHANGES) >= 60


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("daily = 60", "daily = 60 # days", "5: [tank/home] daily: is read as 60; a comment"),
        ("daily = 60", "daily = 60\n daily = 9", "5: [tank/home] daily: is given again in line 6"),
        ("hourly_warn = 90m", "yearly_warn = 1y", "9: [tank/scratch] yearly_warn: is 1 times 365"),
        ("monitor = no\n", "recursive = yes\n", "31: [template_ignore] recursive: has no effect"),
        (
            "[tank/home]\n",
            "[tank/home/a]\nhourly = 9\n[tank/home]\n",
            "2: [tank/home/a]: counts for nothing: [tank/home] in line 4 comes later",
        ),
        (
            "[backup]\n",
            "[other]\npath = tank/home\n[backup]\n",
            "12: [other] path: tank/home is taken care of by [tank/home] too",
        ),
        ("[tank/scratch]", "[tank/scrach]", "7: [tank/scrach]: there is no dataset tank/scrach"),
    ],
)
def test_what_has_no_effect_is_noted_and_accepted(
    folder: Path, old: str, new: str, expected: str
) -> None:
    assert old in GOOD
    said = simulate(folder, GOOD.replace(old, new, 1))
    assert (said.json["errors"], said.status) == ([], 0)
    notes = said.err.splitlines()
    assert len(notes) == 1
    assert notes[0].startswith(f"note: {folder}/sanoid.conf:{expected}")
