"""The shell capsules as texts: they parse, and hold to the rules of constant text."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.rows import of_each
from zrep.capsule.install import PROGRAMS, load_hooks
from zrep.capsule.render import CAPSULES, PRIVILEGED

HOOKS = Path(__file__).parents[2] / "hooks"
SHELL = sorted(PROGRAMS)


@pytest.mark.parametrize("shell", ["dash", "bash --posix", "busybox sh"])
def test_every_capsule_parses_in_every_shell(shell: str) -> None:
    words = shell.split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"no {words[0]} here")
    loop = f'for file; do {shell} -n "$file" || echo "$file"; done'
    files = [str(HOOKS / name) for name in SHELL]
    done = subprocess.run(
        ("sh", "-c", loop, "sh", *files), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


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
