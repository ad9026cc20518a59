"""What counts as a backup is decided by the names and the manifest, and by nothing else."""

from __future__ import annotations

from operator import add

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.drawn import A, B, backups, child, manifest
from tests.unit.rows import of_each
from zrep.errors import BackupNotFound, Refused
from zrep.model.backup import Manifest, SourceRecord, State, decode_manifest, encode_manifest
from zrep.model.key import SourceKey
from zrep.model.source import Consistency
from zrep.planner.backups import check_one_set, resolve

NOON, ONE, TWO = "20220101_120000", "20220101_130000", "20220102_120000"


def test_all_children_present_is_complete() -> None:
    found = backups(child(A, NOON, described=manifest()), child(B, NOON, described=manifest()))
    assert [(str(b.id), b.state, len(b.children)) for b in found] == [(NOON, State.COMPLETE, 2)]


def test_a_missing_child_is_incomplete() -> None:
    assert backups(child(A, NOON, described=manifest()))[0].state is State.INCOMPLETE


def test_no_manifest_is_unverified() -> None:
    assert backups(child(A, NOON), child(B, NOON))[0].state is State.UNVERIFIED


def test_a_failed_source_makes_it_partial() -> None:
    told = manifest((A,), failed=(B,))
    assert backups(child(A, NOON, described=told))[0].state is State.PARTIAL


def test_one_child_with_a_manifest_speaks_for_those_without() -> None:
    found = backups(child(A, NOON, described=manifest()), child(B, NOON))
    assert [b.state for b in found] == [State.COMPLETE]


def test_two_sets_that_publish_in_the_same_second_stay_two_backups() -> None:
    one, two = manifest((A,), set_name="one"), manifest((B,), set_name="two")
    found = backups(child(A, NOON, described=one), child(B, NOON, described=two))
    assert {(b.set_name, b.state) for b in found} == {
        ("one", State.COMPLETE),
        ("two", State.COMPLETE),
    }


def test_to_restore_all_of_the_latest_it_must_be_of_one_set() -> None:
    one, two = manifest((A,), set_name="one"), manifest((B,), set_name="two")
    found = backups(child(A, NOON, described=one), child(B, ONE, described=two))
    for text in ("latest", "latest~1", "@2026-11-23"):
        with pytest.raises(Refused, match=f"newest of one is {NOON}; the newest of two is {ONE}"):
            check_one_set(found, text)
        check_one_set(found[:1], text)
    check_one_set(found, NOON)


def test_newest_comes_first() -> None:
    found = backups(*(child(A, i, described=manifest((A,))) for i in (NOON, TWO, ONE)))
    assert [str(b.id) for b in found] == [TWO, ONE, NOON]


@pytest.mark.parametrize(
    ("text", "meant"), [(NOON, NOON), ("20220102", TWO), ("latest", TWO), ("20220101_13", ONE)]
)
def test_an_id_or_its_unambiguous_beginning_or_latest(text: str, meant: str) -> None:
    found = backups(*(child(A, i, described=manifest((A,))) for i in (NOON, TWO, ONE)))
    assert str(resolve(found, text).id) == meant


@pytest.mark.parametrize("text", ["2022", "", "1200", "20220103", ".*", "20220101_12000"])
def test_anything_else_is_refused(text: str) -> None:
    found = backups(
        *(child(A, i, described=manifest((A,))) for i in (NOON, TWO, "20220101_120001"))
    )
    with pytest.raises(BackupNotFound):
        resolve(found, text)


def test_an_ambiguous_beginning_names_the_candidates() -> None:
    found = backups(*(child(A, i, described=manifest((A,))) for i in (NOON, ONE)))
    with pytest.raises(BackupNotFound, match=f"{ONE}.*{NOON}"):
        resolve(found, "20220101")


def test_latest_is_never_partial() -> None:
    whole, half = manifest((A,)), manifest((A,), failed=(B,))
    found = backups(child(A, NOON, described=whole), child(A, ONE, described=half))
    assert str(resolve(found, "latest").id) == NOON


@of_each(
    [
        ("latest~0", TWO),
        ("latest~1", ONE),
        ("latest~2", NOON),
        ("@2022-01-02", TWO),
        ("@20220101", ONE),
        ("@2022-01-01T12:59:59", NOON),
        ("@2022-01-01T13:00", ONE),
        ("@20220101_130000", ONE),
        ("@2022-01-01T14:00+01:00", ONE),
        ("@2022-01-01T13:00:00Z", ONE),
        ("@1641042000", ONE),
        ("@1641041999", NOON),
        ("@2100-01-01", TWO),
    ]
)
def test_so_many_before_the_newest_or_what_there_was_at_a_time(row: tuple[str, str]) -> None:
    text, meant = row
    found = backups(
        *(child(A, i, described=manifest((A,))) for i in (NOON, TWO, ONE)),
        child(A, "20220103_120000", described=manifest((A,), failed=(B,))),
    )
    assert str(resolve(found, text).id) == meant


@of_each(
    [
        ("latest~3", "only 3 are complete.*20220101_120000"),
        ("latest~", "latest~2"),
        ("latest~-1", "latest~2"),
        ("latest~²", "latest~2"),
        ("latest~9999999999", "latest~2"),
        ("@2021-12-31", "at or before 2021-12-31T23:59:59Z.*20220101_120000"),
        ("@", "not a time"),
        ("@yesterday", "not a time"),
        ("@99999999999999999999", "not a time"),
        ("@2022-13-01", "not a time"),
    ]
)
def test_a_place_in_history_that_has_none_says_what_there_is(row: tuple[str, str]) -> None:
    text, said = row
    found = backups(*(child(A, i, described=manifest((A,))) for i in (NOON, TWO, ONE)))
    with pytest.raises(BackupNotFound, match=f"(?s){said}"):
        resolve(found, text)


def test_the_latest_of_a_source_is_the_latest_that_has_it() -> None:
    one, two = manifest((A,), set_name="one"), manifest((B,), set_name="two")
    found = backups(child(A, NOON, described=one), child(B, TWO, described=two))
    assert str(resolve(found, "latest", having=A).id) == NOON
    with pytest.raises(BackupNotFound, match="with the source h1/a"):
        resolve(found, TWO, having=A)


LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
WORDS = st.builds(add, st.sampled_from(LETTERS), st.text(f"{LETTERS}_.-", max_size=20))
RECORDS = st.builds(
    SourceRecord,
    key=st.builds(SourceKey, WORDS, WORDS),
    ok=st.just(True),
    files=st.integers(0, 10**9),
    size=st.integers(0, 10**15),
    transferred=st.integers(0, 10**15),
    deleted=st.integers(0, 10**9),
    method=st.just("lvm"),
) | st.builds(
    SourceRecord,
    key=st.builds(SourceKey, WORDS, WORDS),
    ok=st.just(False),
    why=st.text(max_size=60),
    method=st.just("dir"),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(RECORDS, max_size=5, unique_by=lambda r: r.key))
def test_a_manifest_survives_its_properties(records: list[SourceRecord]) -> None:
    told = Manifest(
        set_name="platform",
        state=State.COMPLETE,
        consistency=Consistency.NODE,
        sources=tuple(sorted(records, key=lambda r: (r.key.host, r.key.name))),
        version="1",
        config="abc",
        seconds=1.5,
    )
    properties = encode_manifest(told)
    assert decode_manifest(properties) is not None
    back = decode_manifest(properties)
    assert back is not None
    assert sorted(back.sources, key=lambda r: r.key) == sorted(told.sources, key=lambda r: r.key)
    assert all(len(v) < 8192 and v.isascii() and "\n" not in v for v in properties.values())


@pytest.mark.parametrize(
    "broken",
    [
        {"io.zrep:state": "fine"},
        {"io.zrep:consistency": "-"},
        {"io.zrep:seconds": "soon"},
        {"io.zrep:src:h1:a": "{"},
        {"io.zrep:src:h1:a": "[]"},
        {"io.zrep:src:h1:a": "{}"},
    ],
)
def test_a_manifest_that_cannot_be_read_is_none(broken: dict[str, str]) -> None:
    assert decode_manifest({**encode_manifest(manifest()), **broken}) is None
