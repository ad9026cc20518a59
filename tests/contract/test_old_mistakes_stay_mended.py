"""What the scripts did wrong that zrep takes the place of, each provoked again in a whole run or
restore: the table is docs/predecessor.md. Statuses are those of the commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.contract.capsule_world import can_unshare
from tests.contract.platform_world import (
    BEFORE,
    FIRST,
    LAST,
    NAMES,
    PlatformSite,
    Zrep,
    back_up,
    commands,
    platform_site,
    published,
)
from tests.contract.restore_world import WEB, RestoreSite, restore_site
from tests.contract.sync_world import with_set
from zrep.engine.mount import list_sessions
from zrep.engine.restore_record import Progressed, Records
from zrep.errors import Exit
from zrep.model.source import OnPartial
from zrep.source import barrier

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

LATER = timedelta(hours=1)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[PlatformSite]:
    with platform_site(tmp_path) as made:
        yield made


@pytest.fixture
def zrep(site: PlatformSite, monkeypatch: pytest.MonkeyPatch) -> Zrep:
    """A host that refuses to let go is asked once: that one goes on asking is shown elsewhere."""
    monkeypatch.setattr(barrier, "FIRST_WAIT", 600.0)
    return commands(site, monkeypatch)


def listed(zrep: Zrep, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    capsys.readouterr()
    assert zrep("list", "--json") == Exit.DONE
    found: list[dict[str, str]] = json.loads(capsys.readouterr().out)
    return found


# ---- A: pausing and letting go ----------------------------------------------------------------


@pytest.mark.parametrize("first", ["is paused and stays so", "cannot be paused either"])
def test_pause_and_unpause_that_fail_on_every_host_fail_the_run_and_publish_nothing(
    site: PlatformSite, zrep: Zrep, capsys: pytest.CaptureFixture[str], first: str
) -> None:
    stays = first == "is paused and stays so"
    for name, world in site.worlds.items():
        world.set_fault(f"stubborn-db.{name}")
        world.set_fault("after-pausing", f": >$W/stubborn-web.{name}\n")
        if not stays:
            world.set_fault(f"stubborn-web.{name}")
    assert zrep("sync") == Exit.SOURCE
    said = capsys.readouterr().err
    named = {name for name in NAMES if f"web.{name}" in said}
    assert named == {*NAMES} if stays else named
    assert ("[source.still-paused]" in said) == stays
    assert published(site) == []
    assert listed(zrep, capsys) == []
    assert site.prepared() == []
    assert site.paused() == ({f"web.{n}" for n in NAMES} if stays else set())


def test_what_a_failed_thaw_left_paused_is_let_go_by_the_timers(
    site: PlatformSite, zrep: Zrep
) -> None:
    for name, world in site.worlds.items():
        world.set_fault(f"stubborn-db.{name}")
        world.set_fault("after-pausing", f": >$W/stubborn-web.{name}\n")
    assert zrep("sync") == Exit.SOURCE
    assert site.paused() == {f"web.{name}" for name in NAMES}
    for name, world in site.worlds.items():
        world.clear_fault(f"stubborn-web.{name}")
        assert world.fire_timers() == [0]
    assert site.paused() == set()


def test_without_an_engine_on_any_host_nothing_is_paused_or_published(
    site: PlatformSite, zrep: Zrep, capsys: pytest.CaptureFixture[str]
) -> None:
    for world in site.worlds.values():
        world.set_fault("down")
    assert zrep("sync") == Exit.SOURCE
    assert "Cannot connect to the Docker daemon" in capsys.readouterr().err
    assert published(site) == []
    assert listed(zrep, capsys) == []


def test_an_unpause_that_fails_ends_with_10_and_names_all_although_there_is_a_backup(
    site: PlatformSite, zrep: Zrep, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, world in site.worlds.items():
        world.set_fault("after-pausing", f": >$W/stubborn-web.{name}\n")
    assert zrep("sync") == Exit.SOURCE
    said = capsys.readouterr().err
    assert "[source.still-paused]" in said
    for name in NAMES:
        assert f"web.{name}" in said
    assert site.paused() == {f"web.{name}" for name in NAMES}
    assert len(listed(zrep, capsys)) == 1


@pytest.mark.parametrize(("bad", "status"), [(NAMES[:1], Exit.PARTIAL), (NAMES, Exit.SOURCE)])
def test_a_command_to_pause_that_failed_somewhere_says_where_and_in_its_status(
    site: PlatformSite,
    zrep: Zrep,
    capsys: pytest.CaptureFixture[str],
    bad: tuple[str, ...],
    status: Exit,
) -> None:
    for name in bad:
        site.worlds[name].set_fault(f"stubborn-web.{name}")
    assert zrep("docker", "pause") == status
    said = capsys.readouterr().out
    assert {name for name in NAMES if f"container web.{name} cannot be paused" in said} == {*bad}
    assert {name for name in NAMES if f"db.{name}" in site.paused()} == {*NAMES} - {*bad}


@pytest.mark.parametrize(("bad", "status"), [(NAMES[:1], Exit.PARTIAL), (NAMES, Exit.SOURCE)])
def test_a_command_to_let_go_that_failed_somewhere_says_where_and_in_its_status(
    site: PlatformSite,
    zrep: Zrep,
    capsys: pytest.CaptureFixture[str],
    bad: tuple[str, ...],
    status: Exit,
) -> None:
    assert zrep("docker", "pause") == Exit.DONE
    for name in bad:
        site.worlds[name].set_fault(f"stubborn-web.{name}")
    assert zrep("docker", "unpause") == status
    said = capsys.readouterr().out
    assert {name for name in NAMES if f"web.{name} is still paused" in said} == {*bad}
    assert site.paused() == {f"web.{name}" for name in bad}


# ---- B: transfers -----------------------------------------------------------------------------


def lose_snapshots(site: PlatformSite, *names: str) -> None:
    """What LVM's monitor does to a snapshot that has overflowed, right before the next rsync."""

    def lose(_: object) -> None:
        for name in names:
            for mount in site.worlds[name].mounts():
                assert site.worlds[name].run("umount", "-l", mount).returncode == 0

    site.pipe.before = lose


def instead_of_ssh(site: PlatformSite, script: str) -> None:
    site.pipe.shell.write_text(f"#!/bin/sh\n{script}\n")


def release_too_early(site: PlatformSite) -> None:
    def release(_: object) -> None:
        for world in site.worlds.values():
            assert world.capsule("release").returncode == 0

    site.pipe.before = release


EVERY_RSYNC: dict[str, Callable[[PlatformSite], None]] = {
    "the snapshots were lost": lambda site: lose_snapshots(site, *NAMES),
    "nothing is prepared any more": release_too_early,
    "rsync was killed": lambda site: instead_of_ssh(site, "kill -9 $PPID"),
}


@pytest.mark.parametrize("fault", EVERY_RSYNC)
def test_when_every_rsync_fails_there_is_no_snapshot_and_nothing_is_listed(
    site: PlatformSite, zrep: Zrep, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    good = site.pipe.shell.read_text()
    EVERY_RSYNC[fault](site)
    assert zrep("sync") == Exit.REFUSED
    said = capsys.readouterr().err
    assert "nothing was published for set platform" in said
    assert all(f"{name}/data" in said for name in NAMES)
    assert published(site) == []
    assert listed(zrep, capsys) == []
    assert site.prepared() == []
    assert site.paused() == set()
    site.pipe.before = lambda _: None
    site.pipe.shell.write_text(good)
    back_up(site, datetime.now(UTC) + LATER)
    assert [backup["state"] for backup in listed(zrep, capsys)] == ["complete"]


def test_a_snapshot_that_was_lost_while_it_waited_its_turn_empties_nothing(
    site: PlatformSite, zrep: Zrep, capsys: pytest.CaptureFixture[str]
) -> None:
    """The silent wipe: under the mount there is an empty folder, which would make an empty copy."""
    back_up(site)
    before = {name: site.copied(name) for name in NAMES}
    lose_snapshots(site, LAST)
    capsys.readouterr()
    assert zrep("sync") == Exit.PARTIAL
    assert (
        f"{LAST}/data: rsync failed: the snapshot is no longer mounted" in capsys.readouterr().err
    )
    assert {name: site.copied(name) for name in NAMES} == before
    states = [backup["state"] for backup in listed(zrep, capsys)]
    assert states == ["partial", "complete"]
    assert zrep("mount", "latest", "--dry-run") == Exit.DONE
    assert BEFORE.strftime("%Y%m%d_%H%M%S") in capsys.readouterr().out


def test_one_failed_source_leaves_no_backup_where_partial_ones_are_refused(
    site: PlatformSite, zrep: Zrep, capsys: pytest.CaptureFixture[str]
) -> None:
    with_set(site, on_partial=OnPartial.REFUSE)
    lose_snapshots(site, FIRST)
    assert zrep("sync") == Exit.REFUSED
    assert published(site) == []
    assert listed(zrep, capsys) == []


# ---- C: a restore that fails ------------------------------------------------------------------

COUNTS = {"first_db": 1, "first_web": 2, "post": 1, "second": 3}


@pytest.fixture
def old_site(tmp_path: Path) -> Iterator[RestoreSite]:
    """There is a backup, and its source has changed since."""
    with restore_site(tmp_path) as made:
        (made.live(WEB) / "a/large").write_bytes(bytes(3 << 20))
        back_up(made)
        (made.live(WEB) / "a/large").write_text("small")
        yield made


@pytest.fixture
def zrep_there(old_site: RestoreSite, monkeypatch: pytest.MonkeyPatch) -> Zrep:
    return commands(old_site, monkeypatch)


def test_a_restore_that_fails_on_the_target_ends_with_its_status_and_the_record_stays(
    old_site: RestoreSite, zrep_there: Zrep, capsys: pytest.CaptureFixture[str]
) -> None:
    """Taking the mounted backup away afterwards goes well, and must not be the last word."""
    world, live = old_site.world, str(old_site.live(WEB))
    assert world.run("mount", "-t", "tmpfs", "-o", "size=1m", "none", live).returncode == 0
    old_site.arm("web")
    assert zrep_there("restore", "latest", "--source", "manager-1/web", "--yes") == Exit.SOURCE
    assert "no space is left on the destination" in capsys.readouterr().err
    (record,) = Records(old_site.state_dir).all()
    assert (record.state, record.step) == (Progressed.FAILED, "write manager-1/web")
    assert old_site.counts() == {**COUNTS, "first_db": 0, "first_web": 0, "second": 0}
    assert list_sessions(old_site.pool, old_site.sessions_root) == ()
    assert zrep_there("restore", "--list") == Exit.DONE
    assert "failed" in capsys.readouterr().out
    assert world.run("mount", "-o", "remount,size=8m", live).returncode == 0
    assert zrep_there("restore", "--resume", "--yes") == Exit.DONE
    assert Records(old_site.state_dir).all()[0].state is Progressed.DONE
    assert old_site.counts() == COUNTS


def test_a_restore_whose_backup_cannot_be_mounted_fails_and_touches_nothing(
    old_site: RestoreSite, zrep_there: Zrep, capsys: pytest.CaptureFixture[str]
) -> None:
    old_site.arm()
    old_site.pool.set_properties([old_site.sessions_root], {"mountpoint": "none"})
    assert zrep_there("restore", "latest", "--source", "manager-1/web", "--yes") == Exit.ZFS
    assert "cannot mount" in capsys.readouterr().err
    assert (old_site.live(WEB) / "a/large").read_text() == "small"
    assert old_site.counts() == COUNTS
    assert list_sessions(old_site.pool, old_site.sessions_root) == ()


# ---- D: somebody else's clone -----------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [("mount", "latest"), ("restore", "latest", "--source", "manager-1/web", "--yes")]
)
def test_a_mount_that_fails_because_of_somebody_elses_clone_leaves_that_clone_alone(
    old_site: RestoreSite,
    zrep_there: Zrep,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    """Chance gives both sessions one name."""
    monkeypatch.setattr("os.urandom", lambda size: (b"\xbe\xef" * size)[:size])
    old_site.arm()
    assert zrep_there("mount", "latest", "--purpose", "looking for a report") == Exit.DONE
    (theirs,) = list_sessions(old_site.pool, old_site.sessions_root)
    before = old_site.pool.pool
    assert zrep_there(*words) == Exit.ZFS
    assert old_site.pool.pool.nodes == before.nodes
    assert list_sessions(old_site.pool, old_site.sessions_root) == (theirs,)
    clone = old_site.pool.place(theirs.clones[WEB].dataset)
    assert (clone / "a/large").stat().st_size == 3 << 20
    assert (old_site.live(WEB) / "a/large").read_text() == "small"
