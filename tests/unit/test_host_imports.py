"""Start-up stays light: nobody pays for what a command does not use.

Counted, not timed. A dataclass is code that is written and compiled when its module is loaded: on a
slow machine each costs as much as a small program.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

COUNT = """
import dataclasses, json, sys
ours = [m for name, m in sys.modules.items() if name.partition(".")[0] == "zrep"]
classes = [c for m in ours for c in vars(m).values() if isinstance(c, type)]
made = {f"{c.__module__}.{c.__name__}" for c in classes if dataclasses.is_dataclass(c)}
print(json.dumps([sorted(made), sorted(sys.modules)]))
"""
GATE_TOML = """
[target]
dataset = "tank/prod"
sessions = "tank/prod-sessions"
[replica]
dataset = "tank/prod"
sessions = "tank/prod-sessions"
send_back = true
[operator]
dataset = "tank/prod"
sessions = "tank/prod-sessions"
"""
ASKED = """
import sys
from zrep.engine.gate import expected_pull, gate_main as g
policy = g.parse_policy(sys.argv[1], g.Role(sys.argv[2]))
gate = g.Gate(policy=policy, facts=g.HostFacts(), pull_argv=expected_pull)
verdict = gate.judge(g.split_request(sys.argv[3]))
assert isinstance(verdict, g.Allowed), verdict
"""
LIST = "zfs list -H -p -r -t filesystem,volume -o name,guid tank/prod"
HOLDS = "zfs holds -H tank/prod/manager-1/etc@zrep_20260102_030405_daily"
# What only a pull, a sheet or a resumed stream may need, and what no gate needs.
CHILDREN = {"subprocess", "threading", "selectors", "signal", "logging"}
FAR = {"json", "pathlib", "urllib", "ipaddress", "fnmatch", "locale", "_strptime", "click"}
GATE_MODULES = {
    "zrep.engine.gate",
    "zrep.capsule.gate_main",
    "zrep.capsule.gate",
    "zrep.capsule.gate_policy",
    "zrep.capsule.gate_table",
    "zrep.capsule.gate_words",
    "zrep.model.names",
}
OPERATOR_MODULES = {
    "zrep.capsule.gate_operator",
    "zrep.model.layout",
    "zrep.model.recovery",
    "zrep.model.key",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a program had loaded in the end."""

    classes: frozenset[str]
    modules: frozenset[str]

    @property
    def ours(self) -> frozenset[str]:
        """Modules of zrep that are no packages."""
        names = {m for m in self.modules if m.startswith("zrep.")}
        return frozenset(m for m in names if not any(n.startswith(f"{m}.") for n in names))


def loaded(code: str, *args: str) -> Loaded:
    done = subprocess.run(
        (sys.executable, "-c", code + COUNT, *args), check=True, capture_output=True, text=True
    )
    classes, modules = json.loads(done.stdout.splitlines()[-1])
    return Loaded(classes=frozenset(classes), modules=frozenset(modules))


@pytest.mark.parametrize("module", ["zrep.host.local", "zrep.host.process", "zrep.host.ssh"])
def test_importing_a_host_does_not_import_paramiko(module: str) -> None:
    assert "paramiko" not in loaded(f"import {module}").modules


@pytest.mark.parametrize(
    ("role", "request_text", "more"),
    [
        ("target", LIST, {"zrep.capsule.gate_login", "zrep.model.key"}),
        ("replica", LIST, set()),
        ("replica", HOLDS, set()),
        ("operator", LIST, OPERATOR_MODULES),
        ("operator", HOLDS.replace("holds -H", "hold zrep:session:a"), OPERATOR_MODULES),
    ],
)
def test_a_gate_loads_what_the_request_needs(
    role: str, request_text: str, more: Sequence[str]
) -> None:
    found = loaded(ASKED, GATE_TOML, role, request_text)
    assert found.ours == GATE_MODULES | set(more)
    assert len(found.classes) <= 12
    # json and dataclasses are the counting's own.
    assert found.modules & (CHILDREN | FAR - {"json"}) == set()
