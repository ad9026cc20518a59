"""Reads tests/data/sanoid-vectors.json: what a real sanoid decided, as cases for our planners.

Only vectors whose configuration is one section for tank/a with whole numbers become policies
here; names, numbers and sections that sanoid reads in its own way are the INI reader's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zrep.model.autosnap import autosnap_class
from zrep.model.names import SnapClass
from zrep.model.policy import SCHEDULE_RANGES, SCHEDULED, Policy, Schedule

VECTORS = Path(__file__).parents[1] / "data" / "sanoid-vectors.json"
DEFAULT_KEEP = {SnapClass.HOURLY: 48, SnapClass.DAILY: 90, SnapClass.MONTHLY: 6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of sanoid on tank/a: what was there, and what it took and pruned."""

    id: str
    settings: Mapping[str, str]
    timezone: str
    now: int
    capacity: int
    snapshots: tuple[tuple[str, int], ...]
    took: frozenset[SnapClass]
    pruned: tuple[str, ...]
    died: bool
    takes: bool
    prunes: bool

    def policy(self) -> Policy:
        """The section as a policy; ValueError when it has values that we refuse."""
        words = dict(self.settings)
        keep = {c: int(words.pop(c, DEFAULT_KEEP.get(c, 0))) for c in SCHEDULED}
        plan = {k: int(words.pop(k)) for k in SCHEDULE_RANGES if k in words}
        prune = words.pop("autoprune", "yes") == "yes"
        defer = int(words.pop("prune_defer", 0))
        if words:
            raise ValueError(f"not ours to read: {words}")
        return Policy(
            name=self.id,
            keep=keep,
            schedule=Schedule(**plan),
            timezone=self.timezone,
            autoprune=prune,
            prune_defer=defer,
        )

    def newest(self) -> dict[SnapClass, int | None]:
        found: dict[SnapClass, int | None] = {}
        for name, creation in self.snapshots:
            snap_class = autosnap_class(name)
            if snap_class:
                found[snap_class] = max(creation, found.get(snap_class) or 0)
        return found


def all_vectors() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(VECTORS.read_text())["vectors"]
    return found


def runs(*prefixes: str) -> list[Run]:
    """The run vectors whose ids begin with one of `prefixes`, with a plain [tank/a] section."""
    vectors = [v for v in all_vectors() if v["kind"] == "run" and v["id"].startswith(prefixes)]
    return [_run(v) for v in vectors if v["config"].count("[") == 1 and "[tank/a]" in v["config"]]


def _run(vector: Mapping[str, Any]) -> Run:
    lines = vector["config"].splitlines()[1:]
    take = [w.partition("@")[2] for w in vector["expect"]["take"]]
    args = set(vector["args"])
    return Run(
        id=vector["id"],
        settings=dict(line.split("=", 1) for line in lines),
        timezone=vector["tz"],
        now=vector["now"],
        capacity=vector["pool_cap"],
        snapshots=tuple((n.partition("@")[2], c) for n, c in vector["snapshots"]),
        took=frozenset(c for n in take if (c := autosnap_class(n))),
        pruned=tuple(n.partition("@")[2] for n in vector["expect"]["prune"]),
        died=vector["expect"]["exit"] == "nonzero",
        takes=bool({"--cron", "--take-snapshots"} & args),
        prunes=bool({"--cron", "--prune-snapshots"} & args) and "--readonly" not in args,
    )
