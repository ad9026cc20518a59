"""The deletion guard: what may go without asking, and that nothing is deleted before it agreed."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from zrep.engine.guarded_pull import Excess, plan_passes
from zrep.engine.pull import Pulled
from zrep.model.backup import SourceRecord
from zrep.model.guard import Allowance
from zrep.model.key import SourceKey
from zrep.model.waiting import GUARD, Waiting, decode_waiting, encode_waiting
from zrep.source.guard import Change, Guard
from zrep.source.rsync_output import RsyncStats, is_full_folder, parse_skipped

MIB = 1 << 20
KEY = SourceKey("manager-1", "docker")
USUAL = Allowance(count=100, percent=25, shrink=50)


def good(files: int, size: int = 100 * MIB) -> SourceRecord:
    return SourceRecord(key=KEY, ok=True, files=files, size=size)


@pytest.mark.parametrize(
    ("files", "deletes", "asks"),
    [
        (10_000, 2500, False),
        (10_000, 2501, True),
        (200, 100, False),
        (200, 101, True),
        (500, 500, True),
    ],
)
def test_deletions_above_the_number_and_the_share_need_consent(
    files: int, deletes: int, asks: bool
) -> None:
    guard = Guard(allowance=USUAL, last=good(files))
    left = Change(deletes=deletes, files=files - deletes + 1, size=100 * MIB)
    assert bool(guard.excess(left)) is asks


def test_an_emptied_source_needs_consent_however_small_it_was() -> None:
    guard = Guard(allowance=USUAL, last=good(7, size=10))
    assert "is empty" in guard.excess(Change(deletes=6, files=1, size=0))


@pytest.mark.parametrize(
    ("before", "after", "asks"),
    [(100 * MIB, 50 * MIB, False), (100 * MIB, 50 * MIB - 1, True), (MIB, 0, False)],
)
def test_a_source_that_shrinks_far_below_the_last_good_one_needs_consent(
    before: int, after: int, asks: bool
) -> None:
    guard = Guard(allowance=USUAL, last=good(50, before))
    assert bool(guard.excess(Change(deletes=0, files=50, size=after))) is asks


def test_before_the_first_backup_only_the_number_counts() -> None:
    guard = Guard(allowance=USUAL)
    assert guard.excess(Change(deletes=100, files=1, size=0)) == ""
    assert guard.excess(Change(deletes=101, files=1, size=0))


def test_consent_covers_what_was_shown_and_no_more() -> None:
    seen = Waiting(run="20260102_030405", deletes=5000, files=1000, size=MIB)
    guard = Guard(allowance=USUAL, last=good(6000), accepted=seen)
    assert guard.excess(Change(deletes=5250, files=750, size=MIB)) == ""
    assert guard.excess(Change(deletes=5251, files=750, size=MIB))
    assert "is empty" in guard.excess(Change(deletes=5000, files=1, size=0))


def test_what_waits_is_read_back_from_the_property_as_it_was_written() -> None:
    waiting = Waiting(run="20260102_030405", deletes=5, files=6, size=7)
    assert decode_waiting({GUARD: encode_waiting(waiting)}) == waiting


@pytest.mark.parametrize("text", ["-", "", "{}", "[]", "7", '{"run":"x"}', "\udcff"])
def test_a_property_that_cannot_be_read_is_no_consent(text: str) -> None:
    assert decode_waiting({GUARD: text}) is None


# ---- the passes -------------------------------------------------------------------------------


def stats(*, files: int = 1000, deleted: int = 0, received: int = 10) -> RsyncStats:
    return RsyncStats(
        files=files,
        created=0,
        deleted=deleted,
        transferred=1,
        total_size=100 * MIB,
        transferred_size=0,
        literal=0,
        matched=0,
        sent=5,
        received=received,
    )


@dataclass
class Rsync:
    """A source with `extra` files to delete at the target; `skipped` is what rsync says of it."""

    extra: int
    skipped: int | None = None
    done: list[str] = field(default_factory=list)

    def __call__(self, *, estimate: bool = False, max_delete: int | None = None) -> Pulled:
        self.done.append("count" if estimate else f"max {max_delete}")
        if estimate:
            return Pulled(stats=stats(deleted=self.extra))
        assert max_delete is not None, "no pass may delete without a limit"
        if max_delete < self.extra:
            return Pulled(stats=stats(deleted=max_delete), kept=True, at_most=self.skipped)
        gone, self.extra = self.extra, 0
        return Pulled(stats=stats(deleted=gone))


def passes(rsync: Rsync, *, files: int = 1000) -> Pulled | Excess:
    guard = Guard(allowance=USUAL, last=good(files))
    return plan_passes(
        rsync,
        guard,
        lambda why, c: Excess(
            why=why, waiting=Waiting(run="r", deletes=c.deletes, files=c.files, size=c.size)
        ),
    )


def test_a_run_with_nothing_to_delete_is_one_pass() -> None:
    rsync = Rsync(extra=0)
    assert isinstance(passes(rsync), Pulled)
    assert rsync.done == ["max 0"]


def test_few_deletions_are_made_by_a_second_pass_and_totals_are_of_both() -> None:
    rsync = Rsync(extra=9, skipped=12)
    done = passes(rsync)
    assert rsync.done == ["max 0", "max 12"]
    assert isinstance(done, Pulled)
    assert (done.stats.deleted, done.stats.received, done.stats.files) == (9, 20, 1000)


def test_when_even_the_upper_bound_is_too_much_they_are_counted_first() -> None:
    rsync = Rsync(extra=240, skipped=260)
    assert isinstance(passes(rsync), Pulled)
    assert rsync.done == ["max 0", "count", "max 240"]


def test_when_rsync_does_not_say_they_are_counted_first() -> None:
    rsync = Rsync(extra=3, skipped=None)
    assert isinstance(passes(rsync), Pulled)
    assert rsync.done == ["max 0", "count", "max 3"]


def test_too_many_deletions_are_counted_and_none_is_made() -> None:
    rsync = Rsync(extra=600, skipped=500)
    found = passes(rsync)
    assert isinstance(found, Excess)
    assert (found.waiting.deletes, rsync.extra) == (600, 600)
    assert rsync.done == ["max 0", "count"]


def test_no_more_is_deleted_than_was_counted() -> None:
    """A folder that is no snapshot may lose more files between two passes."""

    class Growing(Rsync):
        def __call__(self, *, estimate: bool = False, max_delete: int | None = None) -> Pulled:
            if max_delete:
                self.extra = 5000
            return super().__call__(estimate=estimate, max_delete=max_delete)

    rsync = Growing(extra=5, skipped=5)
    found = passes(rsync)
    assert isinstance(found, Excess)
    assert found.waiting.deletes == 5000
    assert rsync.done == ["max 0", "max 5", "count"]


def test_rsyncs_words_about_kept_files_are_understood() -> None:
    said = (
        "Deletions stopped due to --max-delete limit (8 skipped)\n"
        "rsync error: the --max-delete limit stopped deletions (code 25) at main.c(1956)\n"
    )
    assert parse_skipped(said) == 8
    assert parse_skipped("rsync error: some files") is None
    assert is_full_folder("cannot delete non-empty directory: d/e")
    assert not is_full_folder("Number of files: 3")
