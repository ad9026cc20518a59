"""The rule that keeps the unit tests fast is kept."""

from __future__ import annotations

import subprocess

import pytest


def test_a_unit_test_that_starts_a_program_fails() -> None:
    with pytest.raises(AssertionError, match="tests/contract"):
        subprocess.run(("true",), check=False)
