"""A drill: what is checked of a mounted backup, and the evidence that is kept of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, field
from enum import StrEnum
from typing import Any

from zrep.frozen import dataclass

FORMAT = 1
# The signature's namespace: it can be taken for nothing else that the key has signed.
NAMESPACE = "zrep-drill"


class Outcome(StrEnum):
    """How one check ended. `skipped`: there is nothing to compare with."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class State(StrEnum):
    """How a drill ended; one that is not running any more and says so was interrupted."""

    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check of one subject (a source, or a service's command), and what it said."""

    check: str
    subject: str
    outcome: Outcome
    says: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All about one drill; `started` in epoch seconds, `snapshots` maps names to guids.

    `mount_seconds` until the data could be read, `seconds` for everything. `place` is the replica
    the backup was read from, empty for the target. `error` is what ended the drill early.
    """

    id: str
    backup: str
    set_name: str
    owner: str
    host: str
    version: str
    config: str
    started: int
    place: str = ""
    state: State = State.RUNNING
    snapshots: Mapping[str, str] = field(default_factory=dict, hash=False)
    findings: tuple[Finding, ...] = ()
    mount_seconds: float = 0.0
    seconds: float = 0.0
    error: str = ""

    @property
    def failed(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.outcome is Outcome.FAILED)


def encode_evidence(evidence: Evidence) -> str:
    return json.dumps({"format": FORMAT, **asdict(evidence)}, indent=2) + "\n"


def decode_evidence(text: str) -> Evidence:
    """ValueError for what encode_evidence has not written."""
    try:
        words: dict[str, Any] = json.loads(text)
        if words.pop("format") != FORMAT:
            raise ValueError("of another format")
        findings = tuple(_finding(one) for one in words["findings"])
        return Evidence(**{**words, "state": State(words["state"]), "findings": findings})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a record of a drill: {error}") from error


def _finding(words: dict[str, Any]) -> Finding:
    return Finding(**{**words, "outcome": Outcome(words["outcome"])})
