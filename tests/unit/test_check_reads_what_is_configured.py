"""Monitoring reads the datasets of the sections and no others, with one process for each pool."""

from __future__ import annotations

import pytest

from tests.unit.scripted_host import Says, ScriptedHost
from zrep.engine.check import observe_sections
from zrep.errors import ZfsError
from zrep.model.pool_view import PoolView, draw_pool
from zrep.model.sanoid import RawSection

LIST = "zfs list -H -p"
COLUMNS = "-t filesystem,volume,snapshot -o name,creation"


def section(name: str, **values: str) -> RawSection:
    is_template = name.startswith("template_")
    return RawSection(name=name, line=1, values=values, is_template=is_template)


def test_each_pool_is_listed_once_and_only_where_a_section_is() -> None:
    host = ScriptedHost({LIST: Says()})
    sections = (
        section("tank/a", recursive="yes"),
        section("template_x", hourly="3"),
        section("backup"),
        section("tank/b"),
        section("odd", path="backup/odd"),
    )
    observe_sections(sections, host)
    assert host.asked == [
        f"{LIST} -r {COLUMNS} tank/a tank/b",
        f"{LIST} -d 1 {COLUMNS} backup backup/odd",
    ]


def test_the_listing_becomes_datasets_with_snapshots_oldest_first() -> None:
    text = "tank/a\t1\ntank/a@late\t30\ntank/a@early\t20\ntank/a/b c\t2\ntank/a/b c@x\t3\n"
    found = observe_sections((section("tank/a"),), ScriptedHost({LIST: Says(stdout=text)}))
    taken = [("tank/a@early", 20), ("tank/a@late", 30), ("tank/a/b c@x", 3)]
    assert found == draw_pool(["tank/a", "tank/a/b c"], taken)


def test_a_dataset_that_does_not_exist_hides_no_other() -> None:
    said = Says(
        stdout="tank/a\t1\n",
        stderr="cannot open 'tank/z': dataset does not exist\n",
        returncode=1,
    )
    found = observe_sections((section("tank/a"), section("tank/z")), ScriptedHost({LIST: said}))
    assert found.datasets == ("tank/a",)


@pytest.mark.parametrize("name", ["-r", "tank@x", "tank/a#b", "/tank", "tank//a", "5%"])
def test_what_cannot_be_a_dataset_is_never_asked_for(name: str) -> None:
    host = ScriptedHost()
    assert observe_sections((section(name),), host) == PoolView()
    assert host.asked == []


@pytest.mark.parametrize(
    "said",
    [
        Says(stderr="cannot open 'tank': permission denied\n", returncode=1),
        Says(
            stderr="cannot open 'tank/z': dataset does not exist\ncannot open 'tank': I/O error\n",
            returncode=1,
        ),
        Says(returncode=1),
        Says(stderr="internal error", returncode=2),
        Says(stdout="tank without a tab\n"),
        Says(stdout="tank\tyesterday\n"),
    ],
)
def test_any_other_complaint_is_an_error(said: Says) -> None:
    with pytest.raises(ZfsError, match="cannot list tank"):
        observe_sections((section("tank"),), ScriptedHost({LIST: said}))
