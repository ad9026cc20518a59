"""Keys that are checked and that no command acts upon yet: wishes that must not pass unanswered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from zrep.config.document import Document, Problem, parse_document
from zrep.config.schema import dotted

if TYPE_CHECKING:
    from zrep.config.positions import Path

# `*` stands for a name that the administrator chose.
IDLE: Mapping[Path, str] = {
    ("set", "*", "schedule"): "no backup starts by itself: run zrep sync from a timer or cron",
    ("replica", "*", "policy"): "nothing is destroyed on a replica",
}


def find_idle(text: str, file: str) -> tuple[Problem, ...]:
    """A warning on each such key of a text that has no problems, in the order of its lines."""
    document = parse_document(text, file)
    return (document,) if isinstance(document, Problem) else _warnings(document)


def _warnings(document: Document) -> tuple[Problem, ...]:
    return tuple(
        sorted(
            Problem(
                document.file, document.line(path), f"{dotted(path)}: is not acted on yet: {why}"
            )
            for pattern, why in IDLE.items()
            for path in _matching(document.values, pattern)
        )
    )


def _matching(value: object, pattern: Path, at: Path = ()) -> Iterator[Path]:
    if not pattern:
        yield at
    elif isinstance(value, dict):
        first, *rest = pattern
        for key in value if first == "*" else {first} & value.keys():
            yield from _matching(value[key], tuple(rest), (*at, key))
