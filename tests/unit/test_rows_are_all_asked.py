"""What is merged into one test loses no row: each is asked, and each that fails is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.rows import of_each

EVEN = "must be even"


@of_each([1, 2, 3], name=lambda n: f"<{n}>")
def ask(number: int, folder: Path) -> None:
    (folder / str(number)).touch()
    assert number % 2 == 0, EVEN


def test_each_is_asked_and_all_that_fail_are_told(tmp_path: Path) -> None:
    with pytest.raises(ExceptionGroup, match="not so of <1>, <3>") as raised:
        ask(tmp_path)
    assert [str(e).splitlines()[0] for e in raised.value.exceptions] == [EVEN] * 2
    assert [e.__notes__ for e in raised.value.exceptions] == [["1"], ["3"]]
    assert {path.name for path in tmp_path.iterdir()} == {"1", "2", "3"}


def test_one_that_raises_nothing_where_it_should_fails() -> None:
    @of_each(["1", "x"])
    def refused(text: str) -> None:
        with pytest.raises(ValueError):
            int(text)

    with pytest.raises(BaseExceptionGroup, match=r"not so of '1'$"):
        refused()


def test_a_table_without_rows_is_a_mistake() -> None:
    with pytest.raises(AssertionError):
        of_each(())
