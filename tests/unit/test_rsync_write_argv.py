"""rsync's words for writing: argv, items, and what its end means."""

from __future__ import annotations

import pytest

from tests.unit.rows import of_each
from zrep.source.rsync import Verdict
from zrep.source.rsync_write import RsyncWrite, Tally, judge_write, parse_item, write_argv

RUN = "20260102_030405"


def spec(**changes: object) -> RsyncWrite:
    fixed: dict[str, object] = {
        "host": "m",
        "module": f"web.{RUN}",
        "source": "/s",
        "shell": "ssh -l zrep",
    }
    return RsyncWrite(**{**fixed, **changes})  # type: ignore[arg-type]


def words(**changes: object) -> tuple[str, ...]:
    return write_argv(spec(**changes))


def test_only_a_mirror_deletes() -> None:
    assert not [w for w in words() if "delete" in w]
    assert [w for w in words(delete=True) if "delete" in w] == ["--delete-delay"]
    assert "--ignore-errors" not in words(delete=True)


def test_what_restores_have_kept_is_never_deleted_nor_what_was_left_out() -> None:
    found = [w for w in words(delete=True, exclude=("/cache",)) if w.startswith("--exclude")]
    assert found == ["--exclude=/.zrep-safety-*", "--exclude=/cache"]
    assert "--delete-excluded" not in words(delete=True, exclude=("/cache",))


def test_a_folder_goes_into_a_folder_and_a_file_to_its_name() -> None:
    assert words(inside="a/b")[-2:] == ("/s/", f"m::web.{RUN}/a/b/")
    assert words(inside="a/b", folder=False)[-2:] == ("/s", f"m::web.{RUN}/a/b")
    assert words()[-2:] == ("/s/", f"m::web.{RUN}/")
    assert words(host="fd00::1")[-1] == f"[fd00::1]::web.{RUN}/"


def test_comparing_changes_nothing() -> None:
    assert "--dry-run" in words(compare=True)
    assert "--dry-run" in words(compare=True, checksum=True, delete=True)
    assert "--dry-run" not in words(delete=True)


ELSEWHERE: list[dict[str, object]] = [
    {"inside": "../x"},
    {"inside": "a/../b"},
    {"inside": "/a"},
    {"inside": "a//b"},
    {"inside": "a/"},
    {"inside": "a\nb"},
    {"module": "web"},
    {"module": "../x.20260102_030405"},
    {"host": "-oProxyCommand=x"},
    {"source": "s"},
    {"source": "/s/../t"},
    {"folder": False},
    {"delete": True, "missing_only": True},
    {"delete": True, "folder": False, "inside": "a"},
    {"exclude": ("!",)},
]


@of_each(ELSEWHERE)
def test_what_leads_elsewhere_cannot_be_said(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"not |only |rule"):
        spec(**bad)


def test_items_are_counted_by_what_happens_to_them() -> None:
    tally = Tally()
    lines = (
        "<f+++++++++|12|a/b",
        "<f.st......|30|c|d",
        "cd+++++++++|4096|d/",
        "cL+++++++++|3|l",
        ".d..t......|4096|e/",
        "hf+++++++++|7|hard",
        "*deleting  |0|old one",
    )
    assert all(tally.feed(line) for line in lines)
    found = tally.change
    assert (found.new, found.changed, found.attributes, found.deleted) == (4, 1, 1, 1)
    assert found.size == 42
    assert found.examples[:2] == ("+ a/b", "* c|d")


@pytest.mark.parametrize(
    "line", ["", "sending incremental file list", "Number of files: 3", "x|1|y"]
)
def test_other_lines_are_no_items(line: str) -> None:
    assert parse_item(line) is None


ENDS = {
    (0, ""): (Verdict.GOOD, ""),
    (12, "zrep lease: the lease for web has ended\n"): (Verdict.FAILED, "has ended"),
    (12, "zrep lease: container x runs and may write to /srv\n"): (Verdict.FAILED, "container x"),
    (5, "@ERROR: zrep: nothing on this host is armed"): (Verdict.FAILED, "nothing on this host"),
    (5, "@ERROR: Unknown module 'web.1'"): (Verdict.FAILED, "not opened"),
    (5, "@ERROR: max connections (8) reached -- try again later"): (Verdict.RETRY, "max"),
    (11, 'rsync: [receiver] write failed on "x": No space left on device (28)'): (
        Verdict.FAILED,
        "no space",
    ),
    (23, "rsync: [receiver] mkstemp: Disk quota exceeded (122)"): (Verdict.FAILED, "no space"),
    (23, ""): (Verdict.FAILED, "could not be written"),
    (24, ""): (Verdict.FAILED, "vanished"),
    (12, ""): (Verdict.RETRY, "connection"),
    (124, ""): (Verdict.RETRY, "ended"),
    (255, ""): (Verdict.RETRY, "ssh"),
    (-9, ""): (Verdict.CANCELLED, "signal 9"),
    (99, ""): (Verdict.FAILED, "99"),
}


@of_each(ENDS, name=str)
def test_an_end_means_one_thing(end: tuple[int, str]) -> None:
    found = judge_write(*end)
    verdict, why = ENDS[end]
    assert found.verdict is verdict
    assert why in found.why
    assert found.next_step or verdict in (Verdict.GOOD, Verdict.CANCELLED)
