"""Draws what a policy keeps of a history in which nothing was ever pruned; docs/ has the drawings.

One sign for each snapshot, the newest on the right: # stays, . goes. Run as a program it prints
the drawings of all shipped policies (`python -m tests.unit.policy_drawing`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from zrep.config.document import Document, parse_document
from zrep.config.policy import read_policy
from zrep.model.names import SnapClass
from zrep.model.policy import SCHEDULED, Policy
from zrep.planner.due import last_slot
from zrep.planner.retention import Aged, judge

POLICIES = Path(__file__).parents[2] / "policies"
NOW = int(datetime(2024, 5, 1, 12, 30, tzinfo=UTC).timestamp())
BEYOND = 6  # snapshots of each class that are too many


def shipped() -> list[Policy]:
    return [load(path) for path in sorted(POLICIES.glob("*.toml"))]


def load(path: Path) -> Policy:
    document = parse_document(path.read_text(), str(path))
    assert isinstance(document, Document), document
    policy = read_policy(document, path.stem, [])
    assert policy is not None
    return policy


def history(policy: Policy) -> list[Aged]:
    """A snapshot at every slot of every class that the policy counts, oldest first."""
    drawn = [
        Aged(f"{snap_class}-{slot}", slot, (snap_class,))
        for snap_class in SCHEDULED
        if policy.count(snap_class)
        for slot in slots(policy, snap_class, policy.count(snap_class) + BEYOND)
    ]
    return sorted(drawn, key=lambda one: one.creation)


def slots(policy: Policy, snap_class: SnapClass, count: int) -> Iterator[int]:
    moment = NOW
    for _ in range(count):
        moment = last_slot(policy, snap_class, moment)
        yield moment
        moment -= 1


def draw(policy: Policy) -> str:
    drawn = history(policy)
    verdicts = judge(drawn, policy, NOW)
    lines = [policy.name]
    for snap_class in reversed(SCHEDULED):
        places = [i for i, one in enumerate(drawn) if one.classes == (snap_class,)]
        if places:
            kept = [drawn[i].creation for i in places if verdicts.kept(i)]
            signs = "".join("#" if verdicts.kept(i) else "." for i in places)
            oldest = datetime.fromtimestamp(kept[0], UTC)
            lines.append(f"  {snap_class:8}{signs}  {len(kept)}, from {oldest:%Y-%m-%d %H:%M}")
    return "\n".join(lines)


if __name__ == "__main__":
    print("\n\n".join(draw(policy) for policy in shipped()))  # noqa: T201
