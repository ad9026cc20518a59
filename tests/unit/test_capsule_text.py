"""The shell capsules as texts: they hold to the rules of constant text."""

from __future__ import annotations

import re
from pathlib import Path

from tests.unit.rows import of_each
from zrep.capsule.install import PROGRAMS, load_hooks
from zrep.capsule.render import CAPSULES, PRIVILEGED

HOOKS = Path(__file__).parents[2] / "hooks"
SHELL = sorted(PROGRAMS)


def test_nothing_is_evaluated_and_no_lazy_unmount_exists() -> None:
    hooks = load_hooks()
    bad = re.compile(
        r"^(?!\s*#).*(\beval\b|\bumount\s+-\S*l|\brm\s+-\S*r|dirname \"?\$0)", re.MULTILINE
    )
    assert {name for name in SHELL if bad.search(hooks[name])} == set()


@of_each([*PRIVILEGED, "check-sentinel", "gate"])
def test_a_capsule_takes_no_argument(name: str) -> None:
    """Outside functions and `set --`, no positional parameter is ever looked at."""
    text = load_hooks()[name]
    outside = re.sub(r"^\w+\(\) \{\n.*?^\}", "", text, flags=re.MULTILINE | re.DOTALL)
    before_split = outside.split("set -- $request")[0]
    assert not re.search(r"\$[1-9@*#]|\$\{[1-9@*#]", before_split)


def test_the_probe_hashes_the_capsules_that_are_rendered() -> None:
    match = re.search(r"^CAPSULES='(.*)'$", load_hooks()["capsule-lib"], re.MULTILINE)
    assert match is not None
    assert tuple(match[1].split()) == CAPSULES
