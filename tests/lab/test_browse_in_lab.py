"""Browsing on a real pool: sessions in part, writable, off-site, expired; find, diff, cat, cp."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.deploy import ROOT, Site
from lab.node import Node
from lab.world import World
from tests.lab.cli import Zrep, tree_sum
from zrep.engine.snapshot_mount import CONTROL_ROOT

MAIL = "manager-1/mail"
FILES = "/srv/mail/files"
SERVICE = """
[service.post]
source = "manager-1/mail"
paths = ["files"]
"""


@pytest.fixture(scope="module")
def three(world: World, zrep: Zrep) -> list[dict[str, Any]]:
    """A file with two versions, then gone; oldest backup first."""
    source = world.node("manager-1")
    source.run(f"echo one >{FILES}/report && chmod 640 {FILES}/report")
    zrep("sync")
    source.run(f"echo the second >{FILES}/report && ln -s /etc/passwd {FILES}/sly")
    zrep("sync")
    source.run(f"rm {FILES}/report")
    zrep("sync")
    return zrep.backups()[:3][::-1]


@pytest.fixture(scope="module")
def with_service(zrep: Zrep) -> tuple[str, ...]:
    """Options that make zrep read a configuration with a service."""
    text = zrep.node.run("cat /etc/zrep/zrep.toml").stdout + SERVICE
    zrep.node.push_bytes(text.encode(), "/etc/zrep/service.toml")
    return ("--config", "/etc/zrep/service.toml")


@pytest.fixture(autouse=True)
def no_session_is_left(zrep: Zrep) -> Iterator[None]:
    yield
    for session in zrep.json("sessions"):
        zrep("umount", session["session"])


def options(node: Node, path: str) -> set[str]:
    return set(node.run(f"findmnt -n -o OPTIONS {path}").stdout.strip().split(","))


def datasets(node: Node, root: str) -> list[str]:
    return node.run(f"zfs list -H -r -o name {root}").stdout.split()


def test_one_source_is_one_clone_and_is_held_alone(zrep: Zrep, three: list[dict[str, Any]]) -> None:
    session = zrep.json("mount", "latest", "--source", MAIL)
    assert list(session["paths"]) == [MAIL]
    held = {
        child["source"]: zrep.node.run(f"zfs holds -H {child['snapshot']}").stdout
        for child in three[-1]["children"]
    }
    tag = f"zrep:session:{session['session']}"
    assert [source for source, text in held.items() if tag in text] == [MAIL]


def test_a_service_is_mounted_with_the_paths_of_its_data(
    zrep: Zrep, three: list[dict[str, Any]], with_service: tuple[str, ...]
) -> None:
    session = zrep.json(*with_service, "mount", three[0]["id"], "--service", "post")
    [path] = session["service"]["paths"]
    assert zrep.node.run(f"cat {path}/report").stdout == "one\n"


def test_older_ones_are_named_by_place_and_by_time(zrep: Zrep, three: list[dict[str, Any]]) -> None:
    for text, index in (("latest", 2), ("latest~2", 0)):
        assert zrep.json("show", text)["id"] == three[index]["id"]
    moment = zrep.node.run(f"date -u -d '{iso(three[1]['id'])}' +%s").stdout.strip()
    assert zrep.json("show", f"@{moment}")["id"] == three[1]["id"]
    assert zrep.json("show", f"@{iso(three[1]['id'])}")["id"] == three[1]["id"]


def iso(backup: str) -> str:
    day, clock = backup.split("_")
    return f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}Z"


def test_a_writable_clone_takes_writes_and_still_runs_nothing(
    zrep: Zrep, three: list[dict[str, Any]]
) -> None:
    assert three
    session = zrep.json("mount", "latest", "--source", MAIL, "--rw")
    path = session["paths"][MAIL]
    assert {"rw", "nosuid", "nodev", "noexec"} <= options(zrep.node, path)
    zrep.node.run(f"echo mine >{path}/mine && cp /bin/true {path}/true && chmod 4755 {path}/true")
    assert zrep.node.run(f"{path}/true", check=False).returncode == 126
    zrep("umount", session["session"])
    again = zrep.json("mount", "latest", "--source", MAIL)["paths"][MAIL]
    assert zrep.node.run(f"test -e {again}/mine", check=False).returncode == 1


def test_a_session_in_use_stays_whole_and_the_others_go(
    zrep: Zrep, three: list[dict[str, Any]]
) -> None:
    used = zrep.json("mount", "latest", "--ttl", "0s")
    idle = zrep.json("mount", three[0]["id"], "--ttl", "0s")
    young = zrep.json("mount", "latest", "--ttl", "1h")
    before = datasets(zrep.node, used["dataset"])
    zrep.node.run(
        f"systemd-run --quiet --unit=sitting -p WorkingDirectory={used['paths'][MAIL]} sleep 600"
    )
    try:
        zrep.node.run("sleep 1")
        zrep("umount", used["session"], status=9)
        done = zrep.json("umount", "--expired", status=4)
        assert done["destroyed"] == [idle["session"]]
        assert list(done["kept"]) == [used["session"]]
        assert datasets(zrep.node, used["dataset"]) == before
        for path in used["paths"].values():
            assert "ro" in options(zrep.node, path)
    finally:
        zrep.node.run("systemctl stop sitting")
    assert zrep.json("umount", "--expired")["destroyed"] == [used["session"]]
    assert [s["session"] for s in zrep.json("sessions")] == [young["session"]]


def test_the_reapers_unit_umounts_for_everybody(zrep: Zrep, three: list[dict[str, Any]]) -> None:
    """With mounts of its own it could not: the clones would stay busy."""
    assert three
    for name in ("zrep-reaper.service", "zrep-reaper.timer"):
        text = (ROOT / "systemd" / name).read_bytes()
        zrep.node.push_bytes(text, f"/etc/systemd/system/{name}")
    session = zrep.json("mount", "latest", "--ttl", "0s")
    path = session["paths"][MAIL]
    zrep.node.run("sleep 1; systemctl daemon-reload && systemctl start zrep-reaper.service")
    assert zrep.json("sessions") == []
    assert zrep.node.run(f"findmnt -rn {path}", check=False).stdout == ""
    zrep.node.run("systemctl enable --now --quiet zrep-reaper.timer")
    assert "zrep-reaper" in zrep.node.run("systemctl list-timers --no-legend").stdout
    zrep.node.run("systemctl disable --now --quiet zrep-reaper.timer")


def test_prune_says_for_which_session_and_until_when(
    zrep: Zrep, three: list[dict[str, Any]]
) -> None:
    session = zrep.json("mount", three[0]["id"], "--source", MAIL, "--ttl", "4h")
    plan = zrep.json("prune", "--dry-run")
    [mine] = [b for b in plan["backups"] if b["id"] == three[0]["id"]]
    said = [r for r in mine["reasons"] if r.startswith("kept for session")]
    assert len(said) == 1
    assert f"{session['session']} until 20" in said[0]
    assert not [r for r in mine["reasons"] if r.startswith("cloned")]


def test_the_offsite_copy_is_browsed_through_its_gate(
    world: World, zrep: Zrep, local_site: Site, three: list[dict[str, Any]]
) -> None:
    zrep("replicate", "offsite")
    offsite = world.node("offsite")
    session = zrep.json("mount", three[-1]["id"], "--from", "offsite")
    path = session["paths"][MAIL]
    assert session["host"] == "offsite"
    assert {"ro", "nosuid", "nodev", "noexec"} <= options(offsite, path)
    assert tree_sum(offsite, path + "/files") == tree_sum(world.node("manager-1"), FILES)
    assert [s["session"] for s in zrep.json("sessions", "--from", "offsite")] == [
        session["session"]
    ]
    zrep("sync")
    assert not zrep.json("replicate", "offsite")["failed"]
    zrep("mount", "latest", "--from", "offsite", "--rw", status=5)
    zrep("umount", session["session"], "--from", "offsite")
    root = f"{local_site.replica_dataset}-sessions"
    assert datasets(offsite, root) == [root]


def test_the_replicas_gate_gives_no_more_than_sessions_need(
    zrep: Zrep, local_site: Site, three: list[dict[str, Any]]
) -> None:
    ssh = (
        "ssh -F none -i /etc/zrep/keys/control -o IdentitiesOnly=yes -o BatchMode=yes "
        "-o UserKnownHostsFile=/etc/zrep/known_hosts zrep@offsite"
    )
    copy = local_site.replica_dataset
    snap = three[0]["children"][0]["snapshot"].partition("@")[2]
    for request in (
        f"zfs destroy {copy}/{MAIL}@{snap}",
        f"zfs clone {copy}/{MAIL}@{snap} {copy}-sessions/x",
        f"zfs mount {copy}/{MAIL}",
        f"zfs destroy {copy}-sessions",
    ):
        done = zrep.node.run(f"{ssh} -- '{request}' </dev/null", check=False)
        assert done.returncode == 126, request
        assert "refused for role replica" in done.stderr


def test_find_lists_both_versions_and_where_it_was_deleted(
    zrep: Zrep, three: list[dict[str, Any]]
) -> None:
    ids = [b["id"] for b in three]
    found = zrep.json("find", f"{FILES}/report")
    assert found["path"] == f"{MAIL}/files/report"
    mine = [v for v in found["versions"] if set(v["backups"]) & set(ids)]
    assert [(v["size"], v["mode"], v["backups"]) for v in mine] == [
        (len("one\n"), "0640", ids[:1]),
        (len("the second\n"), "0640", ids[1:2]),
    ]
    [deletion] = [d for d in found["deleted"] if d["after"] == ids[1]]
    assert deletion["backups"][0] == ids[2]


def test_zfs_marks_its_control_folder_as_zrep_expects(
    zrep: Zrep, three: list[dict[str, Any]]
) -> None:
    """Without that mark nothing below it would be proven."""
    assert three
    inode = zrep.node.run(f"stat -c %i /backup/current/{MAIL}/.zfs").stdout
    assert int(inode) == CONTROL_ROOT
    snap = three[0]["children"][0]["snapshot"].partition("@")[2]
    folder = f"/backup/current/{MAIL}/.zfs/snapshot/{snap}"
    zrep("cat", three[0]["id"], f"{MAIL}/files/report")
    source = zrep.node.run(f"findmnt -n -o SOURCE {folder}").stdout.strip()
    assert source == f"backup/current/{MAIL}@{snap}"


def test_diff_tells_exactly_what_was_done(zrep: Zrep, three: list[dict[str, Any]]) -> None:
    first, second, third = (b["id"] for b in three)
    changes = zrep.json("diff", first, second, FILES)
    assert [(c["change"], c["path"]) for c in changes] == [
        ("changed", f"{MAIL}/files/report"),
        ("added", f"{MAIL}/files/sly"),
    ]
    assert {"size", "mtime"} == set(changes[0]["fields"])
    assert zrep("diff", second, third, FILES).stdout == f"- {MAIL}/files/report\n"
    assert zrep("diff", second, second).stdout == ""


def test_cat_and_cp_give_back_what_was_deleted(zrep: Zrep, three: list[dict[str, Any]]) -> None:
    ids = [b["id"] for b in three]
    assert zrep("cat", ids[1], f"{FILES}/report").stdout == "the second\n"
    zrep.node.run("rm -rf /root/back && mkdir /root/back")
    zrep("cp", f"{ids[0]}:{MAIL}/files/report", "/root/back")
    assert zrep.node.run("stat -c %a:%s /root/back/report").stdout == "640:4\n"
    zrep("cp", f"{ids[1]}:{MAIL}/files/report", "/root/back", status=5)
    assert zrep.node.run("cat /root/back/report").stdout == "one\n"
    zrep("cp", "--force", f"{ids[1]}:{MAIL}/files/report", "/root/back")
    assert zrep.node.run("cat /root/back/report").stdout == "the second\n"
    zrep("cp", f"{ids[2]}:{FILES}", "/root/back/all")
    session = zrep.json("mount", ids[2], "--source", MAIL)
    assert tree_sum(zrep.node, "/root/back/all") == tree_sum(
        zrep.node, session["paths"][MAIL] + "/files"
    )


@pytest.mark.parametrize("path", ["sly", "../../../../etc/passwd", "nothing"])
def test_no_link_leads_out_of_a_backup(zrep: Zrep, three: list[dict[str, Any]], path: str) -> None:
    status = 2 if path == "nothing" else 5
    done = zrep("cat", three[1]["id"], f"{MAIL}/files/{path}", status=status)
    assert "root:" not in done.stdout
    zrep("cp", f"{three[1]['id']}:{MAIL}/files/sly/x", "/root/back", status=5)


def test_sessions_survive_a_reboot_mounted_and_can_be_umounted(
    zrep: Zrep, three: list[dict[str, Any]]
) -> None:
    session = zrep.json("mount", three[1]["id"])
    zrep.node.crash()
    zrep.node.run("zpool list backup || zpool import backup")
    zrep.node.run("zfs mount -a")
    [found] = zrep.json("sessions")
    assert found["session"] == session["session"]
    assert found["paths"] == session["paths"]
    zrep("umount", session["session"])
    assert datasets(zrep.node, "backup/sessions") == ["backup/sessions"]
