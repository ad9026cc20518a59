"""A key that is accepted and not acted on is named with its line; the others pass in silence."""

from __future__ import annotations

from pathlib import Path

from tests.unit.config_files import GOOD, load_text
from zrep.config.idle import IDLE, find_idle
from zrep.config.keys import ZREP


def warnings(folder: Path, text: str) -> list[str]:
    found = find_idle(load_text(folder, text).text, "zrep.toml")
    return [str(w).removeprefix("zrep.toml:").partition(": is not")[0] for w in found]


def test_each_idle_key_is_named_with_its_line_in_the_order_of_the_file(tmp_path: Path) -> None:
    assert warnings(tmp_path, GOOD) == [
        "9: set.platform.schedule",
        "32: replica.offsite.policy",
    ]


def test_what_is_acted_on_passes_in_silence(tmp_path: Path) -> None:
    idle = ("schedule", 'policy = "offsite"')
    kept = [line for line in GOOD.splitlines() if not line.startswith(idle)]
    assert warnings(tmp_path, "\n".join(kept)) == []


def test_a_name_like_that_of_an_idle_key_is_none(tmp_path: Path) -> None:
    text = GOOD.replace("[set.platform", "[set.schedule")
    assert warnings(tmp_path, text)[0] == "9: set.schedule.schedule"


def test_every_idle_key_is_one_that_the_configuration_knows() -> None:
    for *tables, key in IDLE:
        name = ".".join(map(str, tables))
        assert key in ZREP[name] if key != "*" else f"{name}.*" in ZREP
