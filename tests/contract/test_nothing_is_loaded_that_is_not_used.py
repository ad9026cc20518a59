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
from pathlib import Path

import pytest

from tests.unit.config_files import GOOD, POLICIES
from tests.unit.policy_commands import write_config, write_pool
from tests.unit.test_simulate_shows_what_a_policy_does import section

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
    "zrep.capsule.gate_reads",
    "zrep.capsule.gate_table",
    "zrep.capsule.gate_words",
    "zrep.frozen",
    "zrep.model.names",
}
OPERATOR_MODULES = {
    "zrep.capsule.gate_operator",
    "zrep.model.layout",
    "zrep.model.recovery",
    "zrep.model.key",
}
LISTED = """
import sys
from zrep.cli.main import run
from zrep.engine import observe
observe.backups_at = lambda zfs, root: ()
assert run(["--config", sys.argv[1], *sys.argv[2].split()]) == 0
"""
SESSIONS = LISTED.replace("observe.backups_at =", "mount.list_sessions =").replace(
    "import observe", "import mount"
)
# Of the values those alone that a configuration is made of, and what a list of backups says.
LIST_MODELS = {
    f"zrep.model.{name}"
    for name in (
        *("ages", "backup", "drill", "guard", "housekeeping", "inventory", "key", "layout"),
        *("methods", "moment", "monitoring", "names", "policy", "recovery", "source"),
    )
}
NOT_FOR_A_LOOK = {
    *("zrep.config.positions", "zrep.config.idle", "zrep.config.datasets", "zrep.model.sanoid"),
    *("zrep.host.pipeline", "zrep.host.ssh", "zrep.host.ssh_argv"),
    *("logging", "hashlib", "_strptime", "paramiko", "tomlkit", "croniter", "humanize"),
}
CONFIG = """
[target]
dataset = "backup/current"
policy = "production"

[deployment.prod]
hosts = { manager-1 = "10.0.0.11" }

[set.platform.source.etc]
host = "manager-1"
method = "dir"
path = "/etc"

[service.wordpress]
source = "manager-1/etc"
paths = ["wordpress"]

[replica.offsite]
host = "offsite.example.org"
dataset = "tank/prod"
policy = "offsite"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a program had loaded in the end."""

    classes: frozenset[str]
    modules: frozenset[str]
    said: str

    @property
    def ours(self) -> frozenset[str]:
        """Modules of zrep that are no packages."""
        names = {m for m in self.modules if m.startswith("zrep.")}
        return frozenset(m for m in names if not any(n.startswith(f"{m}.") for n in names))


def loaded(code: str, *args: str) -> Loaded:
    done = subprocess.run(
        (sys.executable, "-c", code + COUNT, *args), check=True, capture_output=True, text=True
    )
    *said, last = done.stdout.splitlines()
    classes, modules = json.loads(last)
    return Loaded(classes=frozenset(classes), modules=frozenset(modules), said="\n".join(said))


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


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "zrep.toml"
    path.write_text(CONFIG)
    return str(path)


def test_a_list_loads_the_configuration_and_what_it_shows(config: str) -> None:
    found = loaded(LISTED, config, "list")
    assert {m for m in found.ours if m.startswith("zrep.model.")} == LIST_MODELS
    assert {m for m in found.ours if m.startswith("zrep.planner.")} == {"zrep.planner.backups"}
    assert found.modules & NOT_FOR_A_LOOK == set()
    assert len(found.classes) <= 48
    assert len(found.ours) <= 56


def test_sessions_load_what_they_are_besides(config: str) -> None:
    found = loaded(SESSIONS, config, "sessions")
    assert {m for m in found.ours if m.startswith("zrep.model.")} == {
        *LIST_MODELS,
        "zrep.model.session",
    }
    assert found.modules & NOT_FOR_A_LOOK == set()
    assert len(found.classes) <= 53
    assert len(found.ours) <= 59


LOADING = """
import pathlib, sys
from zrep.config import load
load(pathlib.Path(sys.argv[1]), policy_dirs=(pathlib.Path(sys.argv[2]),))
"""


def test_loading_a_configuration_imports_nothing_heavy(tmp_path: Path) -> None:
    path = tmp_path / "zrep.toml"
    path.write_text(GOOD)
    heavy = {"tomlkit", "croniter", "zoneinfo", "difflib", "click", "paramiko"}
    assert loaded(LOADING, str(path), str(POLICIES)).modules & heavy == set()


def test_making_the_manual_page_needs_nothing_but_click() -> None:
    found = loaded("from zrep.cli.man_page import zrep_man; zrep_man()")
    heavy = {"paramiko", "tomlkit", "humanize", "croniter", "libzfs_core", "cryptography"}
    assert found.modules & heavy == set()


SIMULATED = """
import sys
from zrep.cli.main import run
assert run(sys.argv[1:]) == 0
"""


def test_simulating_imports_neither_zfs_nor_hosts(tmp_path: Path) -> None:
    """No ZFS and no /etc is needed."""
    pool = write_pool(tmp_path, ["tank/a"])
    config = write_config(tmp_path, section(hourly=1))
    args = ("simulate", "--config", str(config), "--inventory", str(pool), "--json")
    found = loaded(SIMULATED, *args)
    heavy = ("zrep.zfs", "zrep.host", "zrep.engine", "paramiko", "libzfs_core", "tomlkit")
    assert [m for m in found.modules if m.startswith(heavy)] == []
    assert len(json.loads(found.said)["take"]) == 1
