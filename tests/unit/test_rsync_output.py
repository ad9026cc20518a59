"""rsync's printed totals and progress are read as it prints them."""

from __future__ import annotations

import pytest

from zrep.source.rsync_output import RsyncProgress, parse_progress, parse_stats

REAL = """
Number of files: 1,502 (reg: 1,500, dir: 2)
Number of created files: 3 (reg: 2, link: 1)
Number of deleted files: 4 (reg: 2, dir: 1, link: 1)
Number of regular files transferred: 12
Total file size: 1,234,567 bytes
Total transferred file size: 30 bytes
Literal data: 20 bytes
Matched data: 10 bytes
File list size: 88
File list generation time: 0.001 seconds
File list transfer time: 0.000 seconds
Total bytes sent: 62
Total bytes received: 161

sent 62 bytes  received 161 bytes  446.00 bytes/sec
total size is 7  speedup is 0.03
"""


def test_the_totals_are_read_with_and_without_separators() -> None:
    stats = parse_stats(REAL)
    assert stats == parse_stats(REAL.replace(",", ""))
    assert (stats.files, stats.created, stats.deleted, stats.transferred) == (1502, 3, 4, 12)
    assert (stats.total_size, stats.transferred_size) == (1_234_567, 30)
    assert (stats.literal, stats.matched, stats.sent, stats.received) == (20, 10, 62, 161)


@pytest.mark.parametrize("label", ["Number of files", "Total bytes received", "Literal data"])
def test_totals_with_a_line_missing_are_not_believed(label: str) -> None:
    cut = "".join(x for x in REAL.splitlines(keepends=True) if not x.startswith(label))
    with pytest.raises(ValueError, match=label):
        parse_stats(cut)


def test_old_versions_that_count_no_deletions_are_read() -> None:
    cut = "".join(x for x in REAL.splitlines(keepends=True) if "deleted" not in x)
    assert parse_stats(cut).deleted == 0


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        (
            "              3  42%    2.93kB/s    0:00:00 (xfr#1, to-chk=1/4)",
            RsyncProgress(moved=3, percent=42, transferred=1, remaining=1, total=4, final=True),
        ),
        (
            "  1,238,099  99%  146.38kB/s    1:00:08  (xfr#5, ir-chk=1169/3960)",
            RsyncProgress(moved=1_238_099, percent=99, transferred=5, remaining=1169, total=3960),
        ),
        ("              0   0%    0.00kB/s    0:00:00  ", RsyncProgress(moved=0, percent=0)),
        ("Number of files: 4", None),
        ("deleting 5 100% 3kB/s", None),
    ],
)
def test_a_progress_line_is_told_from_other_lines(
    line: str, progress: RsyncProgress | None
) -> None:
    assert parse_progress(line) == progress
