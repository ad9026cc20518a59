"""A pool drawn in a file: JSON, or what `zfs list -Hp -o name,creation` prints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from zrep.config.document import Problem
from zrep.config.values import Wrong, shown
from zrep.errors import ConfigError
from zrep.model.pool_view import PoolView, draw_pool

_KEYS = ("datasets", "snapshots", "held", "pool_cap")
_ROW = re.compile(r"(?P<name>[^\t]+)\t(?P<creation>\d+)(?:\t(?P<refs>\d+|-))?(?:\t.*)?")
_EXAMPLE = (
    '{"datasets": ["tank/a"], "snapshots": [["tank/a@autosnap_x_daily", 1714559400]], '
    '"held": [], "pool_cap": 40}'
)


def load_pool(path: Path | None, text: str | None = None) -> PoolView:
    """The pool in a file, or in `text` when it came otherwise; ConfigError with all problems."""
    file = str(path or "standard input")
    if text is None and path is not None:
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError((f"{file}:1: cannot be read: {error}",)) from None
    found = parse_pool(text or "", file)
    if isinstance(found, Problem):
        raise ConfigError((str(found),), next_step=f"write it like {_EXAMPLE}")
    return found


def parse_pool(text: str, file: str) -> PoolView | Problem:
    """The pool, or where the text stops being one."""
    try:
        if text.lstrip().startswith("{"):
            return _from_json(json.loads(text))
        return _from_list(text.splitlines(), file)
    except json.JSONDecodeError as error:
        return Problem(file, error.lineno, f"is no JSON: {error.msg}")
    except _BadRow as bad:
        return bad.problem
    except Wrong as wrong:
        return Problem(file, 1, str(wrong))


class _BadRow(Exception):
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


def _from_list(lines: list[str], file: str) -> PoolView:
    """`zfs list -Hp -t filesystem,volume,snapshot -o name,creation,userrefs`; the last may lack."""
    rows = []
    for number, line in enumerate(lines, start=1):
        row = _ROW.fullmatch(line)
        if row is None:
            reason = f"must be a name, a tab and a creation in seconds, not {shown(line)}"
            raise _BadRow(Problem(file, number, reason))
        rows.append(row)
    taken = [(r["name"], int(r["creation"])) for r in rows if "@" in r["name"]]
    plain = [r["name"] for r in rows if not {"@", "#"} & set(r["name"])]
    held = [r["name"] for r in rows if "@" in r["name"] and r["refs"] not in {None, "-", "0"}]
    return draw_pool(plain or _homes(taken), taken, held=held)


def _homes(taken: list[tuple[str, int]]) -> list[str]:
    """The datasets that have snapshots, when none is listed by itself."""
    return list(dict.fromkeys(name.partition("@")[0] for name, _ in taken))


def _from_json(value: Mapping[str, object]) -> PoolView:
    for key in value:
        if key not in _KEYS:
            raise Wrong(f"{key}: unknown key; valid are {', '.join(_KEYS)}")
    taken = list(_snapshots(value.get("snapshots", [])))
    datasets = _texts("datasets", value.get("datasets", []))
    capacity = value.get("pool_cap", 0)
    if isinstance(capacity, bool) or not isinstance(capacity, int) or not 0 <= capacity <= 100:
        raise Wrong(f"pool_cap: must be per cent from 0 to 100, not {shown(capacity)}")
    held = _texts("held", value.get("held", []))
    return draw_pool(datasets or _homes(taken), taken, held=held, capacity=capacity)


def _texts(key: str, value: object) -> list[str]:
    if not isinstance(value, list):
        raise Wrong(f"{key}: must be a list of names, not {shown(value)}")
    for place, one in enumerate(value):
        if not isinstance(one, str):
            raise Wrong(f"{key}[{place}]: must be a name, not {shown(one)}")
    return value


def _snapshots(value: object) -> Iterator[tuple[str, int]]:
    if not isinstance(value, list):
        raise Wrong(f"snapshots: must be a list of [name, creation], not {shown(value)}")
    for place, one in enumerate(value):
        match one:
            case [str(name), int(creation)] if "@" in name and not isinstance(creation, bool):
                yield name, creation
            case _:
                raise Wrong(
                    f'snapshots[{place}]: must be ["dataset@snapshot", creation in seconds], '
                    f"not {shown(one)}"
                )
