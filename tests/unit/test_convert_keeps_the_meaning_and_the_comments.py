"""A converted sanoid.conf means what it meant, for any tree of datasets, and keeps its comments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.policy_commands import write_config, zrep
from tests.unit.rows import of_each
from tests.unit.sanoid_vectors import all_vectors
from zrep.config import keys
from zrep.config.convert import convert
from zrep.config.sections import Sections, parse_sections, read_ini
from zrep.model.ages import age_seconds
from zrep.model.sanoid import TOGGLES, Compat, number
from zrep.planner.effective import Effective, resolve

TREE = ("tank", "tank/a", "tank/a/b", "tank/a/b/c", "tank/z", "templates/x")
VECTORS = [v for v in all_vectors() if v["kind"] == "config" and not v["expect"]["exit"]]

EXAMPLE = """\
# My pools.
; written years ago

[tank/home]
\tuse_template = production, demo
\trecursive = yes
\tdaily = 60 # two months
\t; a script
\tpre_snapshot_script = /bin/x "a b" > /dev/null
[template_demo]
daily=3
recursive=yes

# the usual
[template_production]
\thourly = 36
\thourly = 24
\thourly_warn = 90M
\tdaily_warn = 028
[tank/home/a.b]
autosnap = No
[tank/home]
monthly = <<EOT
3
4
EOT
[template_default]
# the end
"""

CONVERTED = """\
# My pools.
# written years ago

[dataset."tank/home"]
\tuse_template = ["production", "demo"]
\trecursive = true
\tdaily = 60  # two months
\t# a script
\tpre_snapshot_script = "/bin/x \\"a b\\" > /dev/null"
# from line 22: [tank/home] again
monthly = 3
# monthly = 4  # line 23: only the first line of a here-document counts
[template.demo]
daily = 3
# recursive = yes  # line 12: has no effect

# the usual
[template.production]
\thourly = 36
\t# hourly = 24  # line 17: was given before; the first counts
\thourly_warn = "90M"
\tdaily_warn = 28
[dataset."tank/home/a.b"]
autosnap = false
[template.default]
# the end
"""


def below(datasets: Sequence[str]) -> Callable[[str], list[str]]:
    return lambda root: [d for d in datasets if d.startswith(root + "/")]


def effective(
    read: Sections, datasets: Sequence[str] = TREE, compat: Compat = Compat.DEFAULT
) -> dict[str, Effective]:
    assert read.problems == ()
    found = resolve(read.sections, below(datasets), compat)
    return {e.section: e for e in found.effective}


def as_toml(text: str, *, force: bool = False) -> Sections:
    converted = convert(text, "sanoid.conf", force=force)
    assert converted.problems == ()
    tomlkit.parse(converted.text)
    return parse_sections(converted.text, "sanoid.toml", {})


def test_the_example_comes_out_as_shown() -> None:
    assert convert(EXAMPLE, "sanoid.conf").text == CONVERTED


def test_every_comment_and_blank_line_stays_in_its_place() -> None:
    written = convert(EXAMPLE, "sanoid.conf").text.splitlines()
    comments = ["# My pools.", "# written years ago", "\t# a script", "# the usual", "# the end"]
    assert [line for line in written if line in comments] == comments
    assert written.count("") == EXAMPLE.splitlines().count("")


NAMES = st.sampled_from(["tank", "tank/a", "tank/a/b", "tank/z"])
TEMPLATES = ["template_default", "template_one", "template_two words"]
SWITCH = st.sampled_from(["yes", "No", "1", "0", "ON", "off", "True", "FALSE"])
COUNT = st.sampled_from(["0", "1", "7", "007", "30 # keep", "48;x"])
AGE = st.sampled_from(["0", "90", "090", "90m", "2H", "1y", "4w"])
TEXT = st.sampled_from(["", "/bin/true", 'x "y" \\z', "a=b # no comment", "sh -c 'a; b'", "é"])
VALUES: dict[str, st.SearchStrategy[str]] = {
    **dict.fromkeys(keys.COUNTS, COUNT),
    **dict.fromkeys(("daily_hour", "hourly_min", "monthly_mday"), st.sampled_from(["1", "12"])),
    **dict.fromkeys(keys.AGES, AGE),
    **dict.fromkeys(TOGGLES, SWITCH),
    **dict.fromkeys(keys.SCRIPTS, TEXT),
    "script_timeout": st.sampled_from(["", "-1", "0", "30"]),
    "recursive": st.sampled_from(["yes", "no", "on", "0"]),
    "use_template": st.sampled_from(["one", "one , two words", "default", "", "two words,one"]),
    "path": st.sampled_from(["", "tank/a", "tank/other"]),
}
PAIRS = st.sampled_from(sorted(VALUES)).flatmap(
    lambda key: VALUES[key].map(lambda value: f"{key} = {value}")
)
LINES = st.lists(st.one_of(PAIRS, st.sampled_from(["# a", "\t; b", ""])), max_size=6)
SECTIONS = st.tuples(st.one_of(NAMES, st.sampled_from(TEMPLATES)), LINES)
FILES = st.lists(SECTIONS, min_size=1, max_size=5).map(
    lambda sections: "".join(
        f"[{name}]\n" + "".join(f"{line}\n" for line in lines)
        for name, lines in [*sections, ("template_one", []), ("template_two words", [])]
    )
)


@settings(max_examples=60, deadline=None)
@example(text="[tank]\npath = \npath = tank/a\n")
@given(text=FILES)
def test_settings_from_ini_and_from_its_toml_are_equal(text: str) -> None:
    assert effective(as_toml(text)) == effective(read_ini(text, "sanoid.conf"))


def meaning(found: Effective) -> dict[str, Any]:
    """What sanoid computes with."""
    values: dict[str, Any] = dict(found.values)
    for key, text in found.values.items():
        if key in keys.COUNTS or key in keys.SCHEDULE or key == "prune_defer":
            values[key] = number(text)
        elif key in TOGGLES:
            values[key] = found.is_on(key)
        elif key in keys.AGES:
            values[key] = age_seconds(key, text) or (0 if text == "0" else 1)
    return values


@of_each(VECTORS, name=lambda v: v["id"])
def test_recorded_files_keep_their_meaning_even_when_forced(vector: dict[str, Any]) -> None:
    text, tree = vector["config"], vector["datasets"]
    if vector["id"] in {"C:leading slash", "C:R11 zfs pco", "C:templates pool"}:
        return  # each has a test of its own below
    theirs = effective(read_ini(text, "s.conf", Compat.BUG_FOR_BUG), tree, Compat.BUG_FOR_BUG)
    ours = effective(as_toml(text, force=True), tree, Compat.BUG_FOR_BUG)
    assert {n: meaning(e) for n, e in ours.items()} == {n: meaning(e) for n, e in theirs.items()}


def test_a_section_that_sanoid_ignores_does_nothing_when_forced() -> None:
    found = effective(as_toml("[templates/x]\nautosnap=yes\nhourly=3\n", force=True))
    assert not found["templates/x"].takes
    assert not found["templates/x"].prunes


@pytest.mark.parametrize(
    ("text", "force", "expected"),
    [
        ("[/tank/a]\n", True, "1: [/tank/a]: the name must be a dataset name like tank/backup"),
        ("[a]\nhourly = abc\n", False, "2: [a] hourly: must be a whole number, not 'abc'"),
        ("[a]\nhourly = 0.5\n", True, "2: hourly must be a whole number, not '0.5'"),
        ("[a]\ndaily_hour = 24\n", True, "2: daily_hour must be 0 to 23, not 24"),
        ("[a]\nuse_template = x\n", False, "2: [a] use_template: there is no [template_x]"),
        ("[template_]\n", True, "1: [template_]: no use_template can name it"),
        ("[a] # x\n", True, "1: a comment needs a line of its own"),
    ],
)
def test_what_cannot_be_converted_is_a_problem_with_its_line(
    text: str, force: bool, expected: str
) -> None:
    converted = convert(text, "f", force=force)
    assert converted.text == ""
    assert str(converted.problems[0]).startswith(f"f:{expected}")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hourly = abc", "hourly = 0"),
        ('hourly = "30"', "hourly = 0"),
        ("hourly = 1e1", "hourly = 10"),
        ("autosnap = n", "autosnap = true"),
        ("autoprune =", "autoprune = false"),
        ("recursive = y", "recursive = false"),
        ("hourly_warn = 20 m", 'hourly_warn = "1s"'),
    ],
)
def test_forced_values_are_those_that_sanoid_uses(line: str, expected: str) -> None:
    written = convert(f"[a]\n{line}\n", "f", force=True).text.splitlines()
    assert written[1].startswith(f"# {line.rstrip()}")
    assert "is what sanoid reads as follows" in written[1]
    assert written[2] == expected


def test_the_command_writes_a_new_file_and_never_over_another(tmp_path: Path) -> None:
    source, target = write_config(tmp_path, EXAMPLE), tmp_path / "new.toml"
    said = zrep("config", "convert", source, "--output", target)
    assert (said.status, said.out, target.read_text()) == (0, "", CONVERTED)
    assert f"note: {source}:7: [tank/home] daily: is read as 60" in said.err
    assert zrep("config", "convert", source, "--output", target).status == 2
    assert zrep("config", "convert", source).out == CONVERTED


def test_the_command_refuses_with_all_problems(tmp_path: Path) -> None:
    source = write_config(tmp_path, "[a]\nhourly = abc\nautosnap = n\n")
    said = zrep("config", "convert", source)
    assert (said.status, said.out) == (3, "")
    assert f"{source}:2: " in said.err
    assert f"{source}:3: " in said.err
    assert zrep("config", "convert", source, "--force").status == 0


def test_a_file_that_would_take_nothing_is_not_converted(tmp_path: Path) -> None:
    source = write_config(tmp_path, "[a]\nrecursive = zfs\nprocess_children_only = yes\n")
    said = zrep("config", "convert", source)
    assert (said.status, said.out) == (3, "")
    assert "would take no snapshot at all" in said.err
