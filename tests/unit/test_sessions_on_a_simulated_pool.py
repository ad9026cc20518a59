"""Sessions of a part, of a service, on a replica, and their end, on pools that are simulated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.test_engine_on_a_simulated_pool import (
    COPY,
    HOURLY,
    KEYS,
    ROOT,
    SESSIONS,
    held,
    mounted,
    publish,
    sides,
    target,
)
from zrep.engine.journal import Journal
from zrep.engine.mount import apply_mount, list_sessions, umount, umount_expired
from zrep.engine.progress import Silent
from zrep.engine.replicate import replicate
from zrep.engine.requests import MountWish, Place, mount_request
from zrep.errors import (
    BackupNotFound,
    DatasetBusy,
    DatasetExists,
    Refused,
    UnknownName,
    UsageError,
    ZfsError,
)
from zrep.model.key import SourceKey
from zrep.model.names import DatasetName, SnapshotName, make_label
from zrep.model.session import Session, replica_sessions
from zrep.model.source import Address, Service
from zrep.planner.simulate import datasets
from zrep.planner.simulate.pool import new_pool
from zrep.report.sessions import render_mounted, session_json
from zrep.zfs.fake import FakeZfs

WORDPRESS = Service(name="wordpress", source=KEYS[0], paths=("var/wordpress", "etc/wordpress"))


def here(zfs: FakeZfs) -> Place:
    return Place(zfs=zfs, root=ROOT, sessions_root=SESSIONS, address=None)


def mount(place: Place, backup: str = "latest", **wish: object) -> Session:
    plan = mount_request(place, MountWish(backup=backup, owner="me", **wish))  # type: ignore[arg-type]
    return apply_mount(place.zfs, plan)


def clones(session: Session) -> list[str]:
    return [str(key) for key in session.clones]


def test_only_the_sources_that_are_named_are_cloned_and_held() -> None:
    zfs = target()
    backup = publish(zfs, 1)
    made = mount(here(zfs), sources=("h2/b",))
    assert clones(made) == ["h2/b"]
    assert held(zfs, ROOT) == {f"{ROOT}/h2/b@{make_label(backup, HOURLY)} {made.tag}"}
    umount(zfs, made)
    assert [str(d.name) for d in zfs.inventory(SESSIONS)] == [str(SESSIONS)]


def test_a_service_is_its_source_and_the_paths_in_it() -> None:
    zfs = target()
    publish(zfs, 1)
    made = mount(here(zfs), service=WORDPRESS)
    top = made.clones[KEYS[0]].mountpoint
    assert clones(made) == ["h1/a"]
    assert made.purpose == "service wordpress"
    told = render_mounted(made, {KEYS[0]: str(top)}, service=WORDPRESS).splitlines()
    assert told[1:] == [f"wordpress\t{top}/{path}" for path in WORDPRESS.paths]
    assert session_json(made, None, WORDPRESS)["service"] == {
        "name": "wordpress",
        "paths": [f"{top}/{path}" for path in WORDPRESS.paths],
    }


def test_an_older_backup_is_named_by_its_place() -> None:
    zfs = target()
    first, _ = publish(zfs, 1), publish(zfs, 2)
    assert mount(here(zfs), "latest~1").backup == first
    assert mount(here(zfs), "@2022-01-01T12:00:01").backup == first


def test_what_cannot_be_mounted_is_not_left_behind() -> None:
    zfs = target()
    publish(zfs, 1)
    zfs.create(SESSIONS, {"mountpoint": "none"})
    with pytest.raises(ZfsError, match="cannot mount"):
        mount(here(zfs))
    assert [d.name for d in zfs.inventory(SESSIONS)] == [SESSIONS]
    assert held(zfs, ROOT) == set()


class FullFolder(FakeZfs):
    """Clones are made, and not mounted for their folder is not empty, with overlay=off."""

    def clone(
        self, snapshot: SnapshotName, dataset: DatasetName, properties: Mapping[str, str]
    ) -> None:
        super().clone(snapshot, dataset, properties)
        raise ZfsError("filesystem successfully created, but not mounted")


def test_a_clone_that_is_made_and_not_mounted_is_taken_away() -> None:
    zfs = target()
    publish(zfs, 1)
    with pytest.raises(ZfsError, match="not mounted"):
        mount(here(full := FullFolder(zfs.pool)))
    assert [d.name for d in full.inventory(SESSIONS)] == [SESSIONS]
    assert held(full, ROOT) == set()


def test_a_session_of_the_same_name_is_left_alone() -> None:
    zfs = target()
    publish(zfs, 1)
    plan = mount_request(here(zfs), MountWish(backup="latest", owner="me"))
    made = apply_mount(zfs, plan)
    with pytest.raises(DatasetExists):
        apply_mount(zfs, plan)
    assert list_sessions(zfs, SESSIONS) == (made,)


@pytest.mark.parametrize("writable", [True, False])
def test_clones_are_locked_down_whatever_the_sessions_root_allows(writable: bool) -> None:
    zfs = target()
    publish(zfs, 1)
    zfs.create(SESSIONS, {"exec": "on", "setuid": "on", "devices": "on"})
    made = mount(here(zfs), writable=writable)
    for clone in made.clones.values():
        found = zfs.get(clone.dataset, ("exec", "setuid", "devices", "readonly"))
        assert list(found.values()) == ["off"] * 3 + ["off" if writable else "on"]
    assert list_sessions(zfs, SESSIONS)[0].writable is writable


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"sources": ("h1/nothing",)}, UnknownName),
        ({"sources": ("a",)}, UnknownName),
        ({"sources": ("h2/b",), "service": WORDPRESS}, UsageError),
        ({"ttl": "soon"}, UsageError),
        ({"service": replace(WORDPRESS, source=SourceKey("h9", "x"))}, BackupNotFound),
    ],
    ids=str,
)
def test_what_cannot_be_mounted_leaves_the_pool_alone(
    wish: dict[str, object], error: type[Exception]
) -> None:
    zfs = target()
    publish(zfs, 1)
    before = zfs.pool
    with pytest.raises(error):
        mount(here(zfs), **wish)  # type: ignore[arg-type]
    assert zfs.pool == before


def offsite(source: FakeZfs, folder: Path) -> Place:
    zfs = FakeZfs(new_pool("tank"))
    zfs.create(COPY, {"readonly": "on", "canmount": "off"})
    with Journal(folder, "replicate", "test") as journal:
        replicate(sides(source, zfs), journal, Silent())
    root = replica_sessions(COPY)
    return Place(zfs=zfs, root=COPY, sessions_root=root, address=None, replica="offsite")


def test_a_replica_is_browsed_beside_its_tree_and_follows_on(tmp_path: Path) -> None:
    source = target()
    first = publish(source, 1)
    there = offsite(source, tmp_path)
    made = mount(there)
    assert made.backup == first
    assert [c.mountpoint for c in made.clones.values()] == [
        f"/tank/copy-sessions/{made.name}/{key}" for key in KEYS
    ]
    publish(source, 2)
    assert isinstance(there.zfs, FakeZfs)
    with Journal(tmp_path, "replicate", "test") as journal:
        report = replicate(sides(source, there.zfs), journal, Silent())
    assert (report.failed, report.diverged, len(report.sent)) == ((), (), 2)
    assert there.sessions() == (made,)
    told = render_mounted(made, {}, address=Address(host="far"), replica=there.replica)
    assert f"session {made.name} on far, until " in told
    assert told.endswith(f"zrep umount {made.name} --from offsite")
    umount(there.zfs, made)
    assert there.sessions() == ()


def test_a_session_on_a_replica_cannot_be_written_to(tmp_path: Path) -> None:
    source = target()
    publish(source, 1)
    there = offsite(source, tmp_path)
    with pytest.raises(Refused, match="read-only"):
        mount(there, writable=True)


def test_a_replica_that_is_a_pool_has_its_sessions_in_it() -> None:
    assert str(replica_sessions(DatasetName("tank"))) == "tank/sessions"


def test_a_session_in_use_stays_whole() -> None:
    zfs = target()
    publish(zfs, 1)
    made = mounted(zfs, "s1")
    zfs.pool = datasets.use(zfs.pool, made.clones[KEYS[0]].dataset)
    before = zfs.inventory(SESSIONS)
    with pytest.raises(DatasetBusy):
        umount(zfs, made)
    assert zfs.inventory(SESSIONS) == before
    zfs.pool = datasets.use(zfs.pool, made.clones[KEYS[0]].dataset, in_use=False)
    umount(zfs, made)
    assert list_sessions(zfs, SESSIONS) == ()


def test_only_what_has_expired_and_is_not_in_use_is_reaped() -> None:
    zfs = target()
    publish(zfs, 1)
    old, used = mounted(zfs, "old"), mounted(zfs, "used")
    young = mount(here(zfs), ttl="1h")
    zfs.pool = datasets.use(zfs.pool, used.clones[KEYS[1]].dataset)
    now = old.expires + 1
    gone, kept = umount_expired(zfs, (old, used, replace(young, expires=now)), now)
    assert gone == (old,)
    assert list(kept) == ["used"]
    assert isinstance(kept["used"], DatasetBusy)
    assert {s.name for s in list_sessions(zfs, SESSIONS)} == {"used", young.name}
