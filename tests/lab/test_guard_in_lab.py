"""The deletion guard on real hosts: what is gone at the source stays in the copy until a person
agrees."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.deploy import Site
from lab.world import World
from tests.lab.cli import Zrep

KEY = "manager-1/mail"
FOLDER = "/srv/mail/files/many"
FILES = 400
PARTIAL = 4


@pytest.fixture
def many(world: World, zrep: Zrep) -> Iterator[World]:
    """A backup that has many small files."""
    node = world.node("manager-1")
    node.run(f"mkdir -p {FOLDER} && cd {FOLDER} && seq {FILES} | xargs touch")
    zrep("sync")
    yield world
    node.run(f"rm -rf {FOLDER}")


def copied(zrep: Zrep) -> int:
    place = zrep.node.run("zfs get -H -o value mountpoint backup/current/" + KEY).stdout.strip()
    return int(zrep.node.run(f"find {place}/files/many -type f | wc -l").stdout)


def guard(zrep: Zrep) -> str:
    return zrep.node.run(f"zfs get -H -o value io.zrep:guard backup/current/{KEY}").stdout.strip()


def test_nothing_goes_before_a_person_agrees_and_all_of_it_afterwards(
    many: World, zrep: Zrep, local_site: Site
) -> None:
    many.node("manager-1").run(f"rm {FOLDER}/*")
    for _ in range(2):
        report = zrep.json("sync", status=PARTIAL)
        failed = {s["source"]: s["why"] for s in report["sources"] if not s["ok"]}
        assert list(failed) == [KEY]
        assert "--accept-deletions" in failed[KEY]
        assert copied(zrep) == FILES
        assert f'"deletes":{FILES}' in guard(zrep)
    assert local_site.target == "target"
    assert [w["source"] for w in zrep.json("sync", "--dry-run")["waiting"]] == [KEY]
    assert zrep.json("sync", "--accept-deletions", KEY)["state"] == "complete"
    assert copied(zrep) == 0
    assert guard(zrep) == "-"


def test_two_sources_at_once_arrive_whole(many: World, zrep: Zrep) -> None:
    path = "/etc/zrep/zrep.toml"
    before = zrep.node.run(f"cat {path}").stdout
    parallel = before.replace(
        "[set.platform.source.docker]",
        "[set.platform]\nparallel = 2\n\n[set.platform.source.docker]",
    )
    assert parallel != before
    zrep.node.push_bytes(parallel.encode(), path)
    try:
        assert zrep.json("sync")["state"] == "complete"
    finally:
        zrep.node.push_bytes(before.encode(), path)
    assert copied(zrep) == FILES
    assert (
        many.node("manager-1").run("findmnt -rn -o TARGET | grep ^/run/zrep || true").stdout == ""
    )
