"""A real sanoid.conf is read and resolved as sanoid does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.unit.rows import of_each
from zrep.config.keys import SANOID
from zrep.config.sanoid_ini import Ini, parse_ini
from zrep.model.sanoid import DEFAULTS
from zrep.planner.effective import Effective, resolve


def below(datasets: Sequence[str]) -> Callable[[str], list[str]]:
    return lambda root: [d for d in datasets if d.startswith(root + "/")]


def test_all_keys_of_sanoid_have_a_default_but_those_that_need_none() -> None:
    without = {"path", "use_template", "recursive", "process_children_only", "skip_children"}
    assert set(DEFAULTS) == set(SANOID) - without


def read(text: str) -> Ini:
    return parse_ini(text, "sanoid.conf")


@of_each(
    [
        ("[a]\nhourly = 3\nhourly = 4\n", {"hourly": "3"}),
        ("[a]\nhourly =\n", {"hourly": ""}),
        ("[a]\nhourly = 30 # keep\n", {"hourly": "30 # keep"}),
        ('[a]\nhourly = "30"\n', {"hourly": '"30"'}),
        ("[a]\nhourly = <<EOT\n1\n2\nEOT\ndaily = 3\n", {"hourly": "1", "daily": "3"}),
        ("[a]\npre_snapshot_script = /x a=b=c\n", {"pre_snapshot_script": "/x a=b=c"}),
        ("[a]\nhourly = 1\n[b]\n[a]\nhourly = 2\ndaily = 3\n", {"hourly": "1", "daily": "3"}),
        ("[a]\n  ; x = 1\n\t# y\nhourly\t=\t2  \n", {"hourly": "2"}),
        ("[a]\rhourly = 2\r", {"hourly": "2"}),
        ("[a]\nhourly = 2\r\n", {"hourly": "2"}),
    ]
)
def test_values_are_taken_as_sanoid_takes_them(row: tuple[str, dict[str, str]]) -> None:
    text, expected = row
    ini = read(text)
    assert ini.problems == ()
    assert ini.sections[0].values == expected


@of_each(
    [
        ("[a]\nhourly = 1\n\n[template_x]\nhorly = 3\n", "5: [template_x] horly: unknown key, did"),
        ("[version]\nversion = 2\n", "2: [version] version: unknown key"),
        ("hourly = 3\n[a]\n", "1: a key before any [section]"),
        ("[a] # the data\n", "1: a comment needs a line of its own"),
        ("[a]\nhourly\n", "2: neither [section] nor key = value: 'hourly'"),
        ("[a]\nhourly = <<EOT\n3\n", "2: <<EOT is never closed"),
        ("\ufeff[a]\n", "1: begins with a byte order mark"),
        ("[a]\r\nhourly = 1\ndaily = 2\r\n", "2: ends otherwise than the first line"),
        ("", "1: has no section"),
        ("# nothing\n", "1: has no section"),
    ]
)
def test_what_sanoid_would_refuse_is_a_problem_with_its_line(row: tuple[str, str]) -> None:
    text, expected = row
    problems = [str(p).removeprefix("sanoid.conf:") for p in read(text).problems]
    assert len(problems) == 1
    assert problems[0].startswith(expected)


def test_repeated_keys_are_known_by_their_lines_and_sections_keep_the_first_place() -> None:
    ini = read("[b]\n[a]\nhourly = 1\n[b]\ndaily = 2\n[a]\nhourly = 3\nhourly = 4\n")
    assert [(s.name, s.line) for s in ini.sections] == [("b", 1), ("a", 2)]
    assert ini.sections[1].lines == {"hourly": 3}
    assert ini.sections[1].repeated == {"hourly": (7, 8)}


def resolved(text: str, *datasets: str) -> dict[str, Effective]:
    return {e.section: e for e in resolve(read(text).sections, below(datasets)).effective}


@pytest.mark.parametrize(
    ("text", "child", "expected"),
    [
        pytest.param("[t]\nrecursive=y\ndaily=1\n", "t/a", None, id="R14: y is no word for yes"),
        pytest.param(
            "[t]\nrecursive=yes\ndaily=1\n[t/a]\nrecursive=yes\ndaily=2\n",
            "t/a/b",
            "2",
            id="R4: an override cascades when it says so",
        ),
        pytest.param(
            "[t]\nrecursive=yes\ndaily=1\n[t/a]\ndaily=2\n",
            "t/a/b",
            "1",
            id="R1: an override does not cascade",
        ),
        pytest.param(
            "[t]\nuse_template=a , b\nrecursive=on\n[template_a]\ndaily=1\n[template_b]\ndaily=2",
            "t/a",
            "2",
            id="the last template wins",
        ),
        pytest.param("[t]\nrecursive=ZFS\ndaily=4\n", "t/a", "4", id="zfs in any case"),
    ],
)
def test_children_get_what_the_rules_give_them(text: str, child: str, expected: str | None) -> None:
    found = resolved(text, "t", "t/a", "t/a/b")
    assert (found[child].values["daily"] if child in found else None) == expected


def test_zfs_recursion_leaves_the_snapshot_to_the_parent() -> None:
    found = resolved("[t]\nrecursive=zfs\n[t/a]\ndaily=1\n", "t", "t/a")
    assert found["t"].is_on("autosnap")
    assert not found["t/a"].is_on("autosnap")
    assert found["t/a"].values["daily"] == "1"
