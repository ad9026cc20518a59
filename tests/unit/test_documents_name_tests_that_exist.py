"""Where a document says which test shows something, that test is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = sorted(
    {
        (path, name)
        for document in (ROOT / "docs").glob("*.md")
        for path, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", document.read_text())
    }
)


def test_there_are_some() -> None:
    assert len(NAMED) >= 20


def test_a_test_that_a_document_names_exists() -> None:
    texts = {path: (ROOT / path).read_text() for path in {p for p, _ in NAMED}}
    assert [f"{p}::{n}" for p, n in NAMED if f"\ndef {n}(" not in texts[p]] == []
