"""Errors are an interface: ids are unique, documented, and end in the documented status."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.unit.rows import of_each
from zrep import errors
from zrep.errors import CommandFailed, ConfigError, Exit, ZrepError

DOC = (Path(__file__).parents[2] / "docs" / "errors.md").read_text()
ROWS = {
    int(m[1]): set(re.findall(r"`([a-z.\-]+)`", m[2]))
    for m in re.finditer(r"^\| (\d+) \|[^|]*\|(.*)\|$", DOC, re.MULTILINE)
}


def _tree(kind: type[ZrepError]) -> Iterator[type[ZrepError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


KINDS = [k for k in _tree(ZrepError) if k.__module__ == errors.__name__]


@of_each(KINDS, name=lambda k: k.__name__)
def test_an_id_stands_in_the_row_of_its_exit_code(kind: type[ZrepError]) -> None:
    assert kind.id in ROWS[kind.exit]


def test_ids_are_unique_and_nothing_else_is_documented() -> None:
    ids = [k.id for k in KINDS]
    assert len(ids) == len(set(ids))
    assert set().union(*ROWS.values()) == set(ids)


def test_every_exit_code_is_documented() -> None:
    assert set(ROWS) == {int(e) for e in Exit}


def test_a_message_says_where_what_why_and_next() -> None:
    error = ZrepError("broke", where="there", why="old", next_step="mend it")
    assert str(error) == "there: broke: old\n  next: mend it"


def test_a_config_error_lists_all_its_problems() -> None:
    error = ConfigError(("a.toml:1: x", "a.toml:2: y"), next_step="mend")
    assert str(error).splitlines() == ["a.toml:1: x", "a.toml:2: y", "  next: mend"]


def test_a_failed_command_shows_the_last_line_it_said() -> None:
    error = CommandFailed(("zfs", "list"), 1, "one\ntwo\n", where="target")
    assert str(error) == "target: zfs failed with status 1: two"
