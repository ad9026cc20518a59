"""A person without privileges on the machine with a real pool: looks at backups and mounts them
through the operators' gate, and can have nothing else done.
"""

from __future__ import annotations

import json
import shlex
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.lab.cli import TRACEBACK, Zrep, tree_sum

GATE = "/usr/libexec/zrep/zrep-gate-operator"
MAIL = "manager-1/mail"
REFUSED = 126
HOSTILE = (
    "zfs destroy -r backup/current",
    "zfs destroy backup/current/manager-1/mail@{label}",
    "zfs snapshot backup/current/manager-1/mail@mine",
    "zfs rollback -r backup/current/manager-1/mail@{label}",
    "zfs set readonly=off backup/current",
    "zfs send -L -e -c backup/current/manager-1/mail@{label}",
    "zfs create -o mountpoint=/etc backup/sessions/x",
    "zfs clone -o readonly=on backup/current/manager-1/mail@{label} backup/sessions/x/a/b",
    "zfs mount backup/current/manager-1/mail",
    "zfs list -H; id",
    "sh -c id",
)


class Alice:
    """Commands of a login that is in no group of its own and has no password."""

    def __init__(self, zrep: Zrep) -> None:
        self.node = zrep.node

    def run(self, line: str, *, check: bool = True) -> CompletedProcess[str]:
        return self.node.run(f"su alice -c {shlex.quote(line)}", timeout=300, check=check)

    def json(self, *words: str) -> Any:
        return json.loads(self.run(shlex.join(("zrep", *words, "--json"))).stdout)


@pytest.fixture(scope="module")
def label(zrep: Zrep) -> str:
    zrep("sync")
    children = zrep.backups()[0]["children"]
    return str(children[0]["snapshot"].partition("@")[2])


@pytest.fixture(scope="module")
def alice(zrep: Zrep, label: str) -> Alice:
    assert label
    zrep.node.run("id alice 2>/dev/null || useradd --create-home alice")
    zrep("capsule", "operators", "alice", "--out", "/tmp/operators")
    zrep.node.run("/tmp/operators/install-source /tmp/operators")
    return Alice(zrep)


def test_a_backup_is_mounted_read_and_let_go(zrep: Zrep, alice: Alice) -> None:
    assert alice.json("list") == zrep.backups()
    session = alice.json("mount", "latest", "--source", MAIL, "--purpose", "a letter")
    path = session["paths"][MAIL]
    assert tree_sum(zrep.node, f"{path}/files")
    assert alice.run(f"ls {path}").stdout
    seen = zrep.json("sessions")
    assert [(s["session"], s["owner"]) for s in seen] == [(session["session"], "alice")]
    alice.run(f"zrep umount {session['session']}")
    assert zrep.json("sessions") == []


@pytest.mark.parametrize("words", ["prune", "replicate", "sync"])
def test_what_needs_root_is_refused_with_its_code(alice: Alice, words: str) -> None:
    done = alice.run(f"zrep {words}", check=False)
    assert done.returncode in (3, 7), done.stderr
    assert TRACEBACK not in done.stderr
    assert "next:" in done.stderr


@pytest.mark.parametrize("request_", HOSTILE)
def test_the_gate_runs_nothing_else(zrep: Zrep, alice: Alice, label: str, request_: str) -> None:
    before = zrep.node.run("zfs list -H -t all -o name,guid,mounted").stdout
    words = shlex.quote(request_.format(label=label))
    done = alice.run(f"SSH_ORIGINAL_COMMAND={words} sudo -n {GATE}", check=False)
    assert done.returncode == REFUSED
    assert zrep.node.run("zfs list -H -t all -o name,guid,mounted").stdout == before


def test_sudo_starts_nothing_else(alice: Alice) -> None:
    for line in ("zfs list", "zrep list", f"{GATE} target", "sh -c id"):
        assert alice.run(f"sudo -n {line}", check=False).returncode == 1
