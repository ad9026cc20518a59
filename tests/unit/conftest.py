"""The unit tests are short-lived: what they leave need not be looked for as often as usual.

What starts a program is no unit test: see tests/contract.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest

gc.set_threshold(50_000, 20, 100)


def pytest_collection_finish() -> None:
    """Modules and tests stay until the end."""
    gc.freeze()


class _Watch:
    """An audit hook stays for good, and other tests of the same process may start programs."""

    on = False

    def __call__(self, event: str, _words: object) -> None:
        if self.on and event == "subprocess.Popen":
            raise AssertionError("what starts a program belongs into tests/contract")


WATCH = _Watch()
sys.addaudithook(WATCH)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    WATCH.on = True
    try:
        return (yield)
    finally:
        WATCH.on = False
