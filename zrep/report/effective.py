"""Effective settings of datasets, as JSON in sanoid's terms and as a table for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zrep.model.policy import SCHEDULED
from zrep.model.sanoid import DEFAULTS, TOGGLES
from zrep.planner.effective import Effective
from zrep.report.table import render_table

_CLASSES = tuple(c.value for c in reversed(SCHEDULED))


def effective_json(effective: Iterable[Effective], errors: Sequence[str]) -> dict[str, object]:
    return {"effective": {e.section: values_json(e) for e in effective}, "errors": list(errors)}


def values_json(effective: Effective) -> dict[str, object]:
    """All values as text; switches that are known as 0 and 1, facts about recursion as 1."""
    values: dict[str, object] = dict(effective.values)
    values |= {k: int(str(values[k])) for k in TOGGLES if values.get(k) in {"0", "1"}}
    values["path"] = effective.path
    if effective.zfs_recursion:
        values["zfs_recursion"] = 1
    if effective.inherited:
        values["initialized"] = 1
    return values


def render_effective(effective: Sequence[Effective]) -> str:
    """One line per dataset: counts, what is done, which section spoke last, and what is unusual."""
    if not effective:
        return "no dataset has a section"
    head = ("DATASET", *(c.upper() for c in _CLASSES), "TAKES", "PRUNES", "SECTION", "ALSO")
    rows = [
        (
            e.path,
            *(e.values[c] for c in _CLASSES),
            _takes(e),
            "yes" if e.prunes else "no",
            e.by,
            " ".join(_unusual(e)),
        )
        for e in sorted(effective, key=lambda e: e.path)
    ]
    return render_table(head, rows, right=frozenset(c.upper() for c in _CLASSES))


def _takes(effective: Effective) -> str:
    if effective.takes:
        return "yes, with children" if effective.zfs_recursion else "yes"
    return "by its parent" if effective.zfs_recursion else "no"


def _unusual(effective: Effective) -> Iterable[str]:
    """Other settings than the counts and switches shown, where they differ from the default."""
    shown = {*_CLASSES, "autosnap", "autoprune", "path"}
    for key, value in sorted(effective.values.items()):
        usual = DEFAULTS.get(key, "")
        if key not in shown and _plain(key, value) != _plain(key, usual):
            yield f"{key}={value}"


def _plain(key: str, value: str) -> str:
    """Switches compare by what they mean: "no", "0" and "" are all off."""
    if key not in TOGGLES:
        return value
    return "0" if value in {"", "0", "no"} else "1" if value in {"1", "yes"} else value
