"""Progress as a terminal and as a log show it."""

from __future__ import annotations

from io import StringIO

import pytest

from zrep.cli import progress
from zrep.cli.progress import CLEAR, UP, Lines, describe, draw

MIB = 1024 * 1024


def test_the_rate_and_what_is_left_are_told() -> None:
    assert describe(10 * MIB, 40 * MIB, 5.0) == "10.0 MiB of 40.0 MiB, 2.0 MiB/s, 15 seconds left"
    assert describe(10 * MIB, None, 5.0) == "10.0 MiB, 2.0 MiB/s"


def test_a_bar_is_never_longer_than_its_place() -> None:
    bars = [draw(done, 4) for done in (0, 1, 4, 5)]
    assert bars == [f"[{'#' * full}{'-' * (20 - full)}]" for full in (0, 5, 20, 20)]


def test_a_terminal_has_a_bar_for_each_transfer_and_redraws_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "TERMINAL_EVERY", 0.0)
    stream = StringIO()
    lines = Lines(stream=stream, terminal=True)
    lines.moved("a/one", MIB, 2 * MIB)
    lines.moved("b/two", MIB, None)
    lines.step("a/one: done")
    first, second, last = filter(None, stream.getvalue().replace(UP, "").split(CLEAR))
    assert first.startswith("  a/one: [##########----------] 1.0 MiB of 2.0 MiB, ")
    assert second.splitlines()[1].startswith("  b/two: 1.0 MiB, ")
    assert last == "a/one: done\n"


def test_a_log_has_lines_without_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PLAIN_EVERY", 0.0)
    stream = StringIO()
    Lines(stream=stream, terminal=False).moved("a/one", MIB, 2 * MIB)
    assert stream.getvalue().startswith("  a/one: 1.0 MiB of 2.0 MiB, ")
    assert stream.getvalue().count("\n") == 1
