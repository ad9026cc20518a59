"""A test that asks the same of every row of a table is one test; it tells of all that fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from inspect import Signature, signature
from typing import Concatenate, ParamSpec, TypeVar

import pytest

Row = TypeVar("Row")
P = ParamSpec("P")
Asking = Callable[Concatenate[Row, P], None]


def shown(row: object) -> str:
    return repr(row)[:80]


def of_each(
    rows: Iterable[Row], *, name: Callable[[Row], object] = shown
) -> Callable[[Asking[Row, P]], Callable[P, None]]:
    """The test is asked of each row, its first argument; what it takes besides are fixtures.

    Those are of all rows: tmp_path holds what earlier ones have left there.
    """
    table = tuple(rows)
    assert table

    def made(test: Asking[Row, P]) -> Callable[P, None]:
        @wraps(test)
        def asked(*args: P.args, **kwargs: P.kwargs) -> None:
            names, errors = [], []
            for row in table:
                try:
                    test(row, *args, **kwargs)
                # What pytest.raises ends a test with is no Exception.
                except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  # raised below
                    error.add_note(repr(row)[:2_000])
                    names.append(str(name(row)))
                    errors.append(error)
            if errors:
                raise BaseExceptionGroup(f"not so of {', '.join(names)}", errors)

        _, *fixtures = signature(test).parameters.values()
        vars(asked)["__signature__"] = Signature(fixtures)
        return asked

    return made
