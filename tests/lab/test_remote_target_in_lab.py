"""zrep on a director: the target is another host, reached only through its gate."""

from __future__ import annotations

from typing import Any

import pytest

from lab.deploy import Site
from lab.world import World
from tests.lab.cli import Zrep, tree_sum


@pytest.fixture(scope="module")
def first(director: Zrep) -> dict[str, Any]:
    report: dict[str, Any] = director.json("sync")
    return report


def test_a_backup_is_made_listed_and_mounted_through_the_gate(
    world: World, director: Zrep, remote_site: Site, first: dict[str, Any]
) -> None:
    assert first["state"] == "complete"
    assert [b["id"] for b in director.backups()] == [first["id"]]
    session = director.json("mount", first["id"])
    target = world.node(remote_site.target)
    copied = tree_sum(target, session["paths"]["manager-1/mail"] + "/files")
    assert copied == tree_sum(world.node("manager-1"), "/srv/mail/files")
    director("umount", session["session"])
    assert director.json("sessions") == []


@pytest.mark.long
def test_it_is_replicated_and_pruned_through_the_gates(
    director: Zrep, first: dict[str, Any]
) -> None:
    assert first["state"] == "complete"
    sent = director.json("replicate", "offsite")
    assert not sent["failed"]
    assert len(sent["sent"]) == 3
    assert director.json("replicate", "offsite")["sent"] == []
    assert director.json("prune")["failed"] == {}


def test_the_directors_key_opens_nothing_but_the_gate(world: World, director: Zrep) -> None:
    """A shell, a file copy, another dataset and a port forward: all refused and changed nothing."""
    ssh = (
        "ssh -F none -i /etc/zrep/keys/control -o IdentitiesOnly=yes -o BatchMode=yes "
        "-o UserKnownHostsFile=/etc/zrep/known_hosts zrep@target"
    )
    for request in (
        "",
        "id",
        "zfs destroy -r backup",
        "zfs list -H -p tank; id",
        "zfs create tank/x",
        "rsync --server . /",
        "sh -c id",
        "zfs receive -F backup/current",
    ):
        done = director.node.run(f"{ssh} -- '{request}' </dev/null", check=False)
        assert done.returncode not in (0, 255), request
        assert "uid=" not in done.stdout
    assert "backup/current" in world.node("target").run("zfs list -H -o name").stdout
