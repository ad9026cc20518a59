"""The control key's gate hands over exactly what was asked, or nothing: the real script, with a
program in sudo's place that tells what it was given."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.capsule_world import RUN, CapsuleWorld, can_unshare, capsule_world

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

SUDO = '#!/bin/sh\necho "argv=$*"\necho "stdin=$(cat)"\n'


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CapsuleWorld]:
    tmp: Path = tmp_path_factory.mktemp("gate")
    with capsule_world(tmp) as made:
        (tmp / "sudo").write_text(SUDO)
        (tmp / "sudo").chmod(0o755)
        made.run("mount", "-t", "tmpfs", "none", "/usr/sbin")
        made.run("cp", str(tmp / "sudo"), "/usr/sbin/sudo")
        made.run("sh", "-c", "rm /usr/libexec/zrep/zrep-gate-*")
        yield made


def ask(world: CapsuleWorld, request: str) -> subprocess.CompletedProcess[str]:
    return world.run("env", f"SSH_ORIGINAL_COMMAND={request}", "/usr/libexec/zrep/gate")


@pytest.mark.parametrize(
    "verb", ["probe", "before", "quiesce", "snapshot", "thaw", "release", "check"]
)
@pytest.mark.parametrize("request_line", ["", f"run={RUN} set=platform-1.b"])
def test_a_verb_reaches_its_capsule_with_the_request_on_stdin(
    world: CapsuleWorld, verb: str, request_line: str
) -> None:
    done = ask(world, f"{verb} {request_line}".strip())
    assert done.returncode == 0
    assert done.stdout == f"argv=-n /usr/libexec/zrep/capsule-{verb}\nstdin={request_line}\n"


RESTORING = {
    "restore-look": "",
    "restore-open": f"run={RUN} source=docker-1.b",
    "restore-close": f"run={RUN} source=docker",
    "restore-safety": f"run={RUN} source=docker",
    "restore-discard": f"run={RUN} source=docker",
    "service-down": f"run={RUN} service=wordpress",
    "service-up": f"run={RUN} service=wordpress",
    "halt": f"run={RUN}",
    "unhalt": f"run={RUN}",
}


@pytest.mark.parametrize("verb", RESTORING)
def test_a_restores_verb_reaches_its_capsule(world: CapsuleWorld, verb: str) -> None:
    line = RESTORING[verb]
    done = ask(world, f"{verb} {line}".strip())
    assert done.stdout == f"argv=-n /usr/libexec/zrep/capsule-{verb}\nstdin={line}\n"


def test_opening_alone_may_say_whose_data_comes(world: CapsuleWorld) -> None:
    line = f"run={RUN} source=docker from=prod"
    done = ask(world, f"restore-open {line}")
    assert done.stdout == f"argv=-n /usr/libexec/zrep/capsule-restore-open\nstdin={line}\n"
    wrong = [
        *(f"{verb} {line}" for verb in ("restore-safety", "restore-close", "service-down")),
        *(f"restore-open run={RUN} source=docker {word}" for word in ("from=", "from=a/b", "x=y")),
        f"restore-open run={RUN} source=docker from=a from=b",
    ]
    for request in wrong:
        done = ask(world, request)
        assert (done.returncode, done.stdout) == (126, ""), request


@pytest.mark.parametrize("verb", RESTORING)
def test_a_restores_verb_takes_its_own_words_only(world: CapsuleWorld, verb: str) -> None:
    words = {"", *RESTORING.values(), f"run={RUN} set=platform", f"run={RUN} count=3"}
    kinds = {word.rpartition("=")[0] for word in (RESTORING[verb],)}
    for line in (w for w in words if w.rpartition("=")[0] not in kinds):
        done = ask(world, f"{verb} {line}".strip())
        assert (done.returncode, done.stdout) == (126, ""), line


@pytest.mark.parametrize(
    "request_line",
    [
        "",
        "id",
        "rsync-write",
        "zrep-arm",
        "arm",
        "restore",
        "probe;id",
        "probe\nid",
        "probe id",
        " probe",
        "probe ",
        "probe  ",
        "PROBE",
        "probe/../x",
        "rsync-read",
        "capsule-probe",
        "../bin/sh",
        "-n",
        "snapshot *",
        "pause",
        "unpause",
        "quiesce docker",
        f"quiesce run={RUN} set=a 999",
        "thaw all",
        f"thaw run={RUN}",
        "snapshot $(id)",
        "snapshot `id`",
        "snapshot run=x set=y",
        f"snapshot run={RUN}",
        "snapshot set=platform",
        f"snapshot set=platform run={RUN}",
        f"snapshot run={RUN} set=",
        f"snapshot run={RUN} set=-x",
        f"snapshot run={RUN} set=../x",
        f"snapshot run={RUN} set=a/b",
        f"snapshot run={RUN} set=A",
        f"snapshot run={RUN}  set=a",
        f"snapshot run={RUN} set=a ",
        f"snapshot run={RUN} set=a b=c",
        f"snapshot run={RUN} set=a set=b",
        f"snapshot run={RUN}0 set=a",
        f"snapshot run=0{RUN} set=a",
        f"snapshot run={RUN} set=a=b",
        f"snapshot\trun={RUN} set=a",
        f"snapshot run={RUN} set=ä",
        "rsync --server --daemon .",
        "zfs list",
        "zfs destroy -r backup",
        "scp -t /",
        "sh -c id",
        "x" * 100_000,
    ],
)
def test_anything_else_is_refused(world: CapsuleWorld, request_line: str) -> None:
    done = ask(world, request_line)
    assert (done.returncode, done.stdout) == (126, "")
    assert "may only say" in done.stderr


def test_zfs_requests_go_to_the_gate_of_the_role_where_there_is_one(tmp_path: Path) -> None:
    with capsule_world(tmp_path) as made:
        (tmp_path / "sudo").write_text('#!/bin/sh\necho "$* $SSH_ORIGINAL_COMMAND"\n')
        (tmp_path / "sudo").chmod(0o755)
        made.run("mount", "-t", "tmpfs", "none", "/usr/sbin")
        made.run("cp", str(tmp_path / "sudo"), "/usr/sbin/sudo")
        made.run("rm", "/usr/libexec/zrep/zrep-gate-target")
        done = ask(made, "zfs version")
    assert done.stdout == "-n /usr/libexec/zrep/zrep-gate-replica zfs version\n"
