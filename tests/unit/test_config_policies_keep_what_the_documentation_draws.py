"""Every shipped policy, planned over the history drawn in docs/policies.md."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.unit.policy_commands import zrep
from tests.unit.policy_drawing import POLICIES, draw, shipped
from zrep.model.policy import Policy

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()


def drawings() -> dict[str, str]:
    found = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return {d.splitlines()[0]: d for d in found[1].strip("\n").split("\n\n")}


def test_every_shipped_policy_is_drawn_and_introduced() -> None:
    names = [policy.name for policy in shipped()]
    assert list(drawings()) == names
    assert all(f"| `{name}` |" in PAGE for name in names)


@pytest.mark.parametrize("policy", shipped(), ids=lambda p: p.name)
def test_a_policy_keeps_what_is_drawn(policy: Policy) -> None:
    """To draw anew: python -m tests.unit.policy_drawing"""
    assert draw(policy) == drawings()[policy.name]


def test_the_documented_simulation_prints_what_is_documented(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = re.search(r"```\n\$ zrep (simulate .*?)\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    monkeypatch.chdir(POLICIES.parent)
    assert zrep(*shlex.split(found[1])).out == found[2]
