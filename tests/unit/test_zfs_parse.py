"""Whatever `zfs` prints, odd names and odd values included, becomes what is really there."""

from __future__ import annotations

import pytest

from zrep.model.inventory import Inventory
from zrep.model.names import DatasetName, SnapshotName
from zrep.zfs import parse

TANK = DatasetName("tank")
A = DatasetName("tank/a")

# name type guid createtxg creation used available referenced written userrefs clones mounted
# origin receive_resume_token mountpoint
LISTING = """\
tank	filesystem	11	1	1700000000	4096	9000	24576	24576	-	-	yes	-	-	/tank
tank/a	filesystem	12	5	1700000001	2048	9	1024	0	-	-	no	tank@b	1-ab-cd	/o	dd
tank@b	snapshot	22	40	1700000003	10	-	300	200	2	tank/z,tank/z z,tank/a	-	-	-	-
tank@a	snapshot	21	30	1700000002	0	-	100	100	0		-	-	-	-
tank#m	bookmark	21	30	1700000002	-	-	-	-	-	-	-	-	-	-
tank/vol	volume	13	6	1700000001	0	9000	0	0	-	-	-	-	-	-
"""
PROPERTIES = """\
tank	compression	gzip-7
tank	io.zrep:note	one
tank@a	io.zrep:set	platform
"""


def read(listing: str = LISTING, properties: str = PROPERTIES) -> Inventory:
    return parse.parse_inventory(listing, properties)


def test_datasets_are_sorted_and_whole() -> None:
    found = read()
    assert [str(d.name) for d in found] == ["tank", "tank/a", "tank/vol"]
    tank, a, vol = found
    assert (tank.guid, tank.used, tank.available, tank.referenced) == (11, 4096, 9000, 24576)
    assert (tank.mounted, tank.mountpoint, tank.origin, tank.resume_token) == (
        True,
        "/tank",
        None,
        None,
    )
    assert (a.mounted, a.mountpoint) == (False, "/o\tdd")
    assert (a.origin, a.resume_token) == (SnapshotName(TANK, "b"), "1-ab-cd")
    assert (vol.kind, vol.mountpoint) == ("volume", None)


def test_snapshots_are_in_txg_order_whatever_their_names() -> None:
    first, second = read().datasets[0].snapshots
    assert (first.name.snap, first.guid, first.createtxg, first.creation) == (
        "a",
        21,
        30,
        1700000002,
    )
    assert (second.userrefs, second.used, second.written, second.referenced) == (2, 10, 200, 300)


def test_clones_are_shown_sorted() -> None:
    names = tuple(map(DatasetName, ("tank/a", "tank/z", "tank/z z")))
    assert [s.clones for s in read().datasets[0].snapshots] == [(), names]


def test_a_bookmark_stands_for_its_snapshot() -> None:
    (mark,) = read().datasets[0].bookmarks
    assert (str(mark), mark.guid, mark.createtxg, mark.creation) == ("tank#m", 21, 30, 1700000002)


def test_user_properties_only() -> None:
    tank = read().datasets[0]
    assert tank.properties == {"io.zrep:note": "one"}
    assert [s.properties for s in tank.snapshots] == [{"io.zrep:set": "platform"}, {}]


@pytest.mark.parametrize(
    "line",
    [
        "tank/not%ours\tfilesystem\t14\t5\t1\t0\t0\t0\t0\t-\t-\tyes\t-\t-\t/x",
        "tank@not%ours\tsnapshot\t14\t5\t1\t0\t-\t0\t0\t0\t\t-\t-\t-\t-",
        "tank#not%ours\tbookmark\t14\t5\t1\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-",
        "second line of a mountpoint",
        "",
    ],
)
def test_a_line_that_cannot_be_ours_is_left_out(line: str) -> None:
    assert read(LISTING + line + "\n") == read()


def test_a_mountpoint_may_be_none() -> None:
    line = "tank\tfilesystem\t1\t1\t1\t0\t0\t0\t0\t-\t-\tno\t-\t-\tnone\n"
    assert read(line, "").datasets[0].mountpoint is None


def test_nothing_is_nothing() -> None:
    assert read("", "").datasets == ()


@pytest.mark.parametrize("value", ["", "a\tb", "one\ntwo", "\n", "a\n\nb", " ", "-", "\x0b"])
def test_a_value_is_taken_as_it_stands(value: str) -> None:
    text = f"tank\tio.zrep:a\t{value}\ntank\tio.zrep:b\tend\n"
    assert parse.parse_properties(text) == {"tank": {"io.zrep:a": value, "io.zrep:b": "end"}}


def test_a_value_that_looks_like_another_record_makes_both_doubtful() -> None:
    text = (
        "tank/evil\tio.zrep:a\tx\n"
        "tank@s\tio.zrep:state\tcomplete\n"
        "tank@s\tio.zrep:set\tplatform\n"
        "tank@s\tio.zrep:state\tpartial\n"
    )
    assert parse.parse_properties(text)["tank@s"] == {"io.zrep:set": "platform"}


def test_properties_of_what_the_listing_did_not_have_are_ignored() -> None:
    later = PROPERTIES + "tank/new\tio.zrep:note\tx\ntank@new\tio.zrep:note\tx\n"
    assert read(properties=later) == read()


def test_hold_tags_may_have_spaces() -> None:
    text = (
        "tank@a\tzrep:x\tThu Jan  1 00:00 1970\n"
        "tank@a\ta tag\tThu Jan  1 00:00 1970\n"
        "tank@b\tzrep:x\t1700000000\n"
    )
    assert parse.parse_holds(text) == {
        "tank@a": frozenset({"zrep:x", "a tag"}),
        "tank@b": frozenset({"zrep:x"}),
    }
    assert parse.parse_holds("") == {}


@pytest.mark.parametrize(
    "text",
    [
        "full\ttank@a\t45624\nsize\t45624\n",
        "incremental\t1\ttank@b\t624\nsize\t45624\n",
        "resume token contents:\nnvlist version: 0\n\tobject = 0x2\nfull\ttank@a\t1\nsize\t45624\n",
    ],
)
def test_the_estimate_is_the_total(text: str) -> None:
    assert parse.parse_send_size(text) == 45624


def test_an_estimate_without_a_total_is_an_error() -> None:
    with pytest.raises(ValueError, match="no size"):
        parse.parse_send_size("full\ttank@a\t45624\n")
