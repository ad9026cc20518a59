"""A director writes the recovery sheet through the gate of a real target, and no other file."""

from __future__ import annotations

import shlex

import pytest

from lab.deploy import Site
from lab.world import World
from tests.lab.cli import Zrep

pytestmark = pytest.mark.timeout(3600)

SLOW = 1800.0
FOLDER = "/backup/current/RECOVERY/platform"
SSH = (
    "ssh -F none -i /etc/zrep/keys/control -o IdentitiesOnly=yes -o BatchMode=yes "
    "-o UserKnownHostsFile=/etc/zrep/known_hosts zrep@target"
)


@pytest.fixture(scope="module")
def label(director: Zrep) -> str:
    director("sync", timeout=SLOW)
    return str(director.backups()[0]["children"][0]["snapshot"].partition("@")[2])


def test_the_sheet_is_in_the_targets_snapshot_for_root_alone(
    world: World, remote_site: Site, label: str
) -> None:
    target = world.node(remote_site.target)
    folder = f"{FOLDER}/.zfs/snapshot/{label}"
    assert f"SNAP={label}\n" in target.run(f"cat {folder}/RECOVERY.txt").stdout
    assert target.run(f"stat -c %a {folder}/RECOVERY.txt").stdout == "600\n"
    assert "[target]" in target.run(f"cat {folder}/zrep.toml").stdout


def test_the_director_prints_one_made_anew(director: Zrep, label: str) -> None:
    shown = director.json("show", "latest", "--recovery")
    assert shown["stored"] is False
    assert label in shown["sheet"]
    assert "guid" in shown["sheet"]


def test_a_drill_is_refused_where_files_cannot_be_read(director: Zrep, label: str) -> None:
    assert label
    director("drill", status=5)


@pytest.mark.parametrize(
    "request_",
    [
        f"dd of={FOLDER}/other oflag=nofollow bs=64K status=none",
        "dd of=/etc/cron.d/x oflag=nofollow bs=64K status=none",
        f"dd of={FOLDER}/../../manager-1/mail/zrep.toml oflag=nofollow bs=64K status=none",
        f"dd if={FOLDER}/zrep.toml",
    ],
)
def test_the_gate_writes_nothing_else(director: Zrep, label: str, request_: str) -> None:
    assert label
    words = shlex.join(shlex.split(request_))
    done = director.node.run(f"echo x | {SSH} -- {shlex.quote(words)}", check=False)
    assert done.returncode == 126
    assert "refused for role target" in done.stderr
