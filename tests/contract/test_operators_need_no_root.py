"""People who are not root look at backups and mount them through the machine's own sudo."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.capsule_world import RUN, can_unshare
from tests.contract.operator_world import DOOMED_RUN, OperatorWorld, operator_world
from zrep.cli.main import COMMANDS, HIDDEN
from zrep.errors import Exit
from zrep.host.sudo import GATE
from zrep.zfs.argv import MAX_COMMAND

pytestmark = pytest.mark.skipif(
    os.getuid() != 0 or not can_unshare() or shutil.which("visudo") is None,
    reason="needs root, namespaces and sudo",
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorWorld]:
    with operator_world(tmp_path_factory.mktemp("operators")) as made:
        done = made.install("alice", "%lookers")
        assert (done.returncode, done.stderr) == (0, "")
        yield made


def test_the_installer_makes_three_files_and_no_user_and_is_done_the_second_time(
    world: OperatorWorld,
) -> None:
    assert world.install("alice", "%lookers").stdout == ""
    there = ("/etc/zrep/gate-operator.toml", "/etc/sudoers.d/zrep-operators", GATE)
    modes = world.inside.run("stat", "-c", "%U:%a", *there).stdout.split()
    assert modes == ["root:644", "root:440", "root:755"]
    assert not world.inside.exists("/var/lib/zrep-operator")
    assert world.inside.run("id", "zrep").returncode != 0


def test_a_person_sees_mounts_and_takes_away_again(world: OperatorWorld) -> None:
    before = world.zrep("alice", "list", "--json").stdout
    assert [backup["id"] for backup in json.loads(before)] == [RUN, DOOMED_RUN]
    assert RUN in world.zrep("alice", "show", "latest").stdout

    done = world.zrep("alice", "mount", "latest", "--purpose", "find 'it'; $(now)", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    [session] = json.loads(world.zrep("alice", "sessions", "--json").stdout)
    assert (session["owner"], session["purpose"]) == ("alice", "find 'it'; $(now)")
    assert session["session"] in world.zrep("alice", "explain", RUN).stdout

    gone = world.zrep("alice", "umount", session["session"])
    assert (gone.returncode, gone.stderr) == (0, "")
    assert json.loads(world.zrep("alice", "sessions", "--json").stdout) == []
    assert world.zrep("alice", "list", "--json").stdout == before


def owner(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["owner"])


MOUNT = ("zrep", "mount", "latest", "--dry-run", "--json")


def test_a_session_belongs_to_who_asked(world: OperatorWorld) -> None:
    """What a person's environment says of sudo counts for nothing: root's is sudo's own word."""
    assert owner(world.by("alice", *MOUNT, SUDO_USER="root")) == "alice"
    assert owner(world.by("root", *MOUNT, SUDO_USER="anna")) == "anna"
    assert owner(world.by("root", *MOUNT)) == "root"


def test_a_group_is_named_by_its_members(world: OperatorWorld) -> None:
    done = world.zrep("carol", "list")
    assert (done.returncode, done.stderr) == (0, "")


def test_who_is_not_named_is_told_so(world: OperatorWorld) -> None:
    done = world.zrep("bob", "list")
    assert (done.returncode, done.stdout) == (Exit.UNREACHABLE, "")
    assert done.stderr.startswith("zrep: [host.refused] ")
    assert "sudo does not let you ask" in done.stderr
    assert "capsule operators" in done.stderr


def test_what_the_gate_does_not_let_through_needs_root_and_says_so(world: OperatorWorld) -> None:
    before = world.pool()
    done = world.zrep("alice", "undelete", DOOMED_RUN)
    assert (done.returncode, done.stdout) == (Exit.UNREACHABLE, "")
    assert "refused for role operator" in done.stderr
    assert "next: this needs root" in done.stderr
    assert world.pool() == before


ASKED = """
sync
coverage
recover
show latest --recovery
restore latest --yes
restore --list
restore --resume 20260102_030405
mount latest --from offsite
umount --expired
find /docker/x
diff latest latest /docker
cat latest /docker/x
cp latest:/docker/x /tmp
replicate offsite
replicate offsite --dry-run
import-layout
snapshot
prune
undelete
explain 20260102_030405
simulate
drill latest
drill --list
status
check runs
check drill
config check
capsule deploy --all --dry-run
docker status
key show
key create control
list
sessions
"""


def test_every_command_is_asked() -> None:
    assert {line.split()[0] for line in ASKED.split("\n") if line} == set(COMMANDS) - HIDDEN


@pytest.mark.parametrize("line", ASKED.strip().splitlines())
def test_what_root_alone_may_read_write_or_lock_is_told_and_is_no_traceback(
    world: OperatorWorld, line: str
) -> None:
    before = world.pool()
    done = world.zrep("alice", *line.split())
    assert "Traceback" not in done.stderr
    assert done.returncode != Exit.BUG
    assert done.returncode == 0 or done.stderr or done.stdout
    assert world.pool() == before


CLOSED = ("restore --list", "restore --resume 20260102_030405", "drill --list", "key show", "prune")


@pytest.mark.parametrize("line", CLOSED)
def test_what_is_closed_is_not_taken_for_empty(world: OperatorWorld, line: str) -> None:
    done = world.zrep("alice", *line.split())
    assert (done.returncode, done.stdout) == (Exit.CONFIG, "")
    assert "Permission denied" in done.stderr
    assert "next: run as" in done.stderr


# ---- by the gate alone ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv",
    [
        ("sudo", "-n", GATE, "x"),
        ("sudo", "-n", GATE, ""),
        ("sudo", "-n", "zrep", "list"),
        ("sudo", "-n", "/usr/local/sbin/zrep", "gate", "operator"),
        ("sudo", "-n", "sh"),
        ("sudo", "-n", "-u", "bob", GATE),
        ("sudo", "-n", "-s"),
        ("sudo", "-n", "zfs", "list"),
        ("sudo", "-n", "-E", GATE),
        ("sudo", "-n", "ZREP_CONFIG=/tmp/x", GATE),
    ],
    ids=lambda argv: " ".join(argv[2:]),
)
def test_sudo_starts_one_program_without_arguments(
    world: OperatorWorld, argv: tuple[str, ...]
) -> None:
    done = world.by("alice", *argv, SSH_ORIGINAL_COMMAND="zfs list")
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize(
    "request_text",
    [
        "",
        "sh",
        "zfs destroy backup/current",
        f"zfs destroy backup/current/manager-1/docker@zrep_{RUN}_hourly",
        "zfs mount -a",
        "zfs create -u backup/sessions/x; id",
        "zfs  list",
    ],
)
def test_the_gate_refuses_all_else(world: OperatorWorld, request_text: str) -> None:
    done = world.by("alice", "sudo", "-n", GATE, SSH_ORIGINAL_COMMAND=request_text)
    assert (done.returncode, done.stdout) == (126, "")
    assert done.stderr.startswith("zrep gate: refused for role operator: ")


def test_of_the_environment_the_request_alone_arrives(world: OperatorWorld) -> None:
    """Looked at by a zrep that prints it."""
    shown = "#!/bin/sh\n/usr/bin/env\n"
    world.inside.run("sh", "-c", "mv /usr/local/sbin/zrep /usr/local/sbin/zrep.away")
    world.inside.run("sh", "-c", "cat >/usr/local/sbin/zrep; chmod 755 $0", "zrep", stdin=shown)
    world.inside.run("chmod", "755", "/usr/local/sbin/zrep")
    try:
        env = {
            "SSH_ORIGINAL_COMMAND": "zfs list 'a b'",
            "PYTHONPATH": "/tmp/x",
            "ZREP_CONFIG": "/tmp/x",
            "LD_PRELOAD": "/tmp/x.so",
            "BASH_ENV": "/tmp/x",
        }
        done = world.by("alice", "sudo", "-n", GATE, **env)
    finally:
        world.inside.run("mv", "/usr/local/sbin/zrep.away", "/usr/local/sbin/zrep")
    lines = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert lines["SSH_ORIGINAL_COMMAND"] == "zfs list 'a b'"
    assert lines["SUDO_USER"] == "alice"
    assert not {"PYTHONPATH", "ZREP_CONFIG", "LD_PRELOAD", "BASH_ENV"} & lines.keys()


def test_the_longest_request_passes(world: OperatorWorld) -> None:
    name = f"backup/current/manager-1/docker@zrep_{RUN}_hourly"
    request_text = " ".join(("zfs", "holds", "-H", *(name,) * (MAX_COMMAND // (len(name) + 1))))
    done = world.by("alice", "sudo", "-n", GATE, SSH_ORIGINAL_COMMAND=request_text)
    assert (done.returncode, done.stderr) == (0, "")


# ---- what an administrator may have done ------------------------------------------------------


def test_a_policy_that_others_can_write_lets_nothing_through(tmp_path: Path) -> None:
    with operator_world(tmp_path) as world:
        world.install("alice")
        world.inside.run("chmod", "666", "/etc/zrep/gate-operator.toml")
        done = world.zrep("alice", "list")
        assert done.returncode == Exit.UNREACHABLE
        assert "can be written by others than root" in done.stderr


def test_other_rules_and_policies_of_the_machine_stay_as_they_are(tmp_path: Path) -> None:
    """It may be a source host, a target or a replica as well."""
    with operator_world(tmp_path) as world:
        own = {"etc/sudoers.d/zrep": "zrep ALL=(root) NOPASSWD: /usr/libexec/zrep/x\n"}
        own["etc/zrep/gate.toml"] = "[target]\n"
        for path, text in own.items():
            (tmp_path / path).write_text(text)
        world.install("alice")
        world.install("carol")
        assert {path: (tmp_path / path).read_text() for path in own} == own
        assert world.zrep("carol", "list").returncode == 0
        assert world.zrep("alice", "list").returncode == Exit.UNREACHABLE


def test_a_fragment_that_visudo_refuses_stops_everything(tmp_path: Path) -> None:
    with operator_world(tmp_path) as world:
        out = tmp_path / "operators"
        world.zrep("root", "capsule", "operators", "alice", "--out", str(out))
        (out / "root/etc/sudoers.d/zrep-operators").write_text("alice may all\n")
        done = world.inside.run(str(out / "install-source"), str(out))
        assert done.returncode != 0
        assert "not valid" in done.stderr
        assert not world.inside.exists(GATE)


def test_without_the_program_zfs_itself_is_asked(tmp_path: Path) -> None:
    with operator_world(tmp_path) as world:
        assert world.zrep("bob", "list").returncode == 0
        done = world.zrep("bob", "mount", "latest")
        assert done.returncode != 0
        assert "sudo" not in done.stderr
        stranger = ("setpriv", "--reuid=64999", "--regid=64999", "--clear-groups")
        assert owner(world.inside.run(*stranger, *MOUNT)) == "64999"
