"""Whole runs with the real rsync and capsules: the deletion guard, several transfers at once, and
what ends when a run is ended."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.contract.capsule_world import CapsuleWorld, can_unshare, capsule_world
from tests.contract.sync_world import HOST, PipeSite, Told, web_and_mail, with_set
from zrep.engine.sync import SyncReport, plan_sync, sync
from zrep.errors import PoolFull, Refused, UnknownName, UsageError
from zrep.model.backup import State, decode_manifest
from zrep.model.coverage import Uncovered
from zrep.model.guard import Allowance
from zrep.model.names import BackupId
from zrep.model.waiting import GUARD, decode_waiting
from zrep.report.sync import plan_json, render_plan

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

WEB, MAIL = f"{HOST}/web", f"{HOST}/mail"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[CapsuleWorld]:
    with capsule_world(tmp_path) as made:
        yield made


@pytest.fixture
def site(world: CapsuleWorld, tmp_path: Path) -> PipeSite:
    return web_and_mail(world, tmp_path)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs within one second would have one id; every run has a second of its own here."""
    seconds = iter(range(60))
    monkeypatch.setattr(
        BackupId, "at", staticmethod(lambda _: BackupId(f"20260102_0304{next(seconds):02d}"))
    )


def run(site: PipeSite, *accept: str) -> SyncReport:
    return sync(site, None, Told(), accept=accept)


def states(report: SyncReport) -> dict[str, bool]:
    return {str(r.key): r.ok for r in report.published.manifest.sources}


def copied(site: PipeSite, key: str) -> int:
    return len(list((site.pool.folder / key).iterdir()))


def waits(site: PipeSite, key: str) -> int | None:
    dataset = site.pool.inventory(site.root, snapshots=False).get(site.root / key)
    waiting = decode_waiting(dataset.properties) if dataset else None
    return waiting.deletes if waiting else None


def thin_out(world: CapsuleWorld, name: str, count: int) -> None:
    for file in sorted((world.source / name).iterdir())[:count]:
        file.unlink()


def test_a_run_without_deletions_reads_each_source_once(site: PipeSite) -> None:
    assert run(site).published.manifest.state is State.COMPLETE
    site.passes()
    run(site)
    assert site.passes() == [("--max-delete=0",)] * 2


def test_a_few_deletions_are_made_without_counting_first(
    site: PipeSite, world: CapsuleWorld
) -> None:
    run(site)
    site.passes()
    thin_out(world, "web", 7)
    report = run(site)
    assert [p for p in site.passes() if p != ("--max-delete=0",)] == [("--max-delete=7",)]
    assert {str(r.key): r.deleted for r in report.published.manifest.sources} == {WEB: 7, MAIL: 0}
    assert copied(site, WEB) == 293


def test_too_many_deletions_leave_the_copy_whole_until_a_person_agrees(
    site: PipeSite, world: CapsuleWorld
) -> None:
    run(site)
    thin_out(world, "web", 200)
    (world.source / "web/new").write_text("new")
    for _ in range(2):
        report = run(site)
        assert states(report) == {WEB: False, MAIL: True}
        assert report.published.manifest.state is State.PARTIAL
        assert copied(site, WEB) == 301
        assert waits(site, WEB) == 200
        assert f"zrep sync --accept-deletions {WEB}" in " ".join(report.warnings)
    report = run(site, WEB)
    assert report.published.manifest.state is State.COMPLETE
    assert copied(site, WEB) == 101
    assert waits(site, WEB) is None


def test_the_silent_wipe_an_emptied_source_never_empties_the_copy(
    site: PipeSite, world: CapsuleWorld
) -> None:
    """The original scripts made 500 files 0, ended with 0 and published that."""
    run(site)
    thin_out(world, "web", 300)
    report = run(site)
    assert states(report)[WEB] is False
    assert copied(site, WEB) == 300


def test_consent_is_for_what_was_shown(site: PipeSite, world: CapsuleWorld) -> None:
    run(site)
    thin_out(world, "web", 110)
    run(site)
    assert waits(site, WEB) == 110
    thin_out(world, "web", 190)
    report = run(site, WEB)
    assert states(report)[WEB] is False
    assert copied(site, WEB) == 300
    assert waits(site, WEB) == 300


def test_a_source_that_is_whole_again_waits_no_more(site: PipeSite, world: CapsuleWorld) -> None:
    run(site)
    shutil.move(world.source / "web", world.tmp / "aside")
    (world.source / "web").mkdir()
    run(site)
    assert waits(site, WEB) == 300
    (world.source / "web").rmdir()
    shutil.move(world.tmp / "aside", world.source / "web")
    assert run(site).published.manifest.state is State.COMPLETE
    assert waits(site, WEB) is None


def test_a_folder_that_became_a_file_is_counted_too(site: PipeSite, world: CapsuleWorld) -> None:
    """rsync clears the way for a file of the same name; that is deleting as well."""
    (world.source / "mail/d").mkdir()
    for n in range(150):
        (world.source / "mail/d" / str(n)).write_text("x")
    run(site)
    shutil.rmtree(world.source / "mail/d")
    (world.source / "mail/d").write_text("file")
    report = run(site)
    assert states(report)[MAIL] is False
    assert copied(site, f"{MAIL}/d") == 150
    assert run(site, MAIL).published.manifest.state is State.COMPLETE
    assert (site.pool.folder / MAIL / "d").read_text() == "file"


def test_a_source_that_shrank_far_is_not_published(site: PipeSite, world: CapsuleWorld) -> None:
    (world.source / "mail/big").write_bytes(b"x" * (4 << 20))
    run(site)
    (world.source / "mail/big").write_bytes(b"")
    report = run(site)
    assert states(report) == {WEB: True, MAIL: False}
    assert "bytes are left of" in report.published.manifest.sources[0].why


def test_a_larger_allowance_lets_it_pass(site: PipeSite, world: CapsuleWorld) -> None:
    run(site)
    web, mail = site.config.sets["platform"].sources
    with_set(site, sources=(replace(web, allowance=Allowance(count=0, percent=90)), mail))
    thin_out(world, "web", 200)
    assert run(site).published.manifest.state is State.COMPLETE


def test_consent_without_anything_waiting_is_refused_and_nothing_runs(site: PipeSite) -> None:
    run(site)
    site.passes()
    with pytest.raises(UsageError, match="nothing waits"):
        run(site, WEB)
    with pytest.raises(UnknownName):
        run(site, "manager-1/wbe")
    assert site.passes() == []


def test_the_dry_run_tells_what_waits(site: PipeSite, world: CapsuleWorld) -> None:
    run(site)
    thin_out(world, "web", 200)
    run(site)
    plan = plan_sync(site, site.backup_set(None), now=datetime.now(UTC))
    assert f"waiting {WEB}: 200 files to delete" in render_plan(plan)
    assert plan_json(plan)["waiting"] == [
        {"source": WEB, "run": "20260102_030401", "deletes": 200, "accepted": False}
    ]


def test_a_crash_between_publish_and_settling_only_delays_the_note(
    site: PipeSite, world: CapsuleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(site)
    thin_out(world, "web", 200)
    run(site)
    with monkeypatch.context() as patch:
        patch.setattr("zrep.engine.sync.settle", lambda *_: None)
        assert run(site, WEB).published.manifest.state is State.COMPLETE
    assert waits(site, WEB) == 200
    assert run(site).published.manifest.state is State.COMPLETE
    assert waits(site, WEB) is None


def test_a_spoilt_property_counts_as_no_consent(site: PipeSite, world: CapsuleWorld) -> None:
    run(site)
    thin_out(world, "web", 200)
    run(site)
    site.pool.set_properties([site.root / WEB], {GUARD: "{nonsense"})
    with pytest.raises(UsageError, match="nothing waits"):
        run(site, WEB)
    assert states(run(site))[WEB] is False


def test_when_every_source_needs_consent_nothing_is_published(
    site: PipeSite, world: CapsuleWorld
) -> None:
    run(site)
    thin_out(world, "web", 200)
    thin_out(world, "mail", 1)
    before = site.pool.inventory(site.root)
    with pytest.raises(Refused, match="nothing was published"):
        run(site)
    assert [s.name for s in site.pool.inventory(site.root).snapshots()] == [
        s.name for s in before.snapshots()
    ]


# ---- several at once --------------------------------------------------------------------------


def test_two_at_once_give_what_one_after_the_other_gives(site: PipeSite) -> None:
    with_set(site, parallel=2)
    report = run(site)
    assert states(report) == {WEB: True, MAIL: True}
    assert (copied(site, WEB), copied(site, MAIL)) == (300, 1)


def test_two_are_under_way_at_the_same_time(site: PipeSite) -> None:
    """Each waits until the other has begun; one after the other would never end."""
    meeting = threading.Barrier(2)

    def meet(_: Sequence[str]) -> None:
        meeting.wait(timeout=20)

    with_set(site, parallel=2)
    site.pipe.before = meet
    assert run(site).published.manifest.state is State.COMPLETE


def test_the_bandwidth_is_shared_among_those_under_way(site: PipeSite) -> None:
    with_set(site, parallel=2, bwlimit=2000)
    assert run(site).published.manifest.state is State.COMPLETE
    assert site.passes() == [("--max-delete=0", "--bwlimit=1000")] * 2


@pytest.mark.parametrize("parallel", [1, 2])
def test_an_interrupt_ends_all_transfers_and_releases(
    site: PipeSite, world: CapsuleWorld, parallel: int
) -> None:
    """Slow transfers are under way when the person gives up: they do not go on behind her back."""
    (world.source / "mail/big").write_bytes(os.urandom(8 << 20))
    mail_first = tuple(reversed(site.config.sets["platform"].sources))
    with_set(site, parallel=parallel, bwlimit=16 * parallel, sources=mail_first)
    # Whoever started the tests in the background has them ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    ctrl_c = threading.Timer(3.0, lambda: os.kill(os.getpid(), signal.SIGINT))
    ctrl_c.start()
    begun = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            run(site)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - begun < 30
    assert world.mounts() == []
    assert not list(site.pool.inventory(site.root).snapshots())


# ---- faults on the way ------------------------------------------------------------------------


def test_a_link_that_drops_is_tried_again_from_the_same_snapshot(
    site: PipeSite, world: CapsuleWorld
) -> None:
    """What the source writes meanwhile must not get into a backup of another instant."""
    dropped = world.tmp / "dropped"
    words = site.pipe.shell.read_text().partition("\n")[2]
    site.pipe.shell.write_text(
        f"#!/bin/sh\n[ -e {dropped} ] || {{ : >{dropped}; exit 255; }}\n{words}"
    )
    told = Told()
    report = sync(site, None, told)
    assert report.published.manifest.state is State.COMPLETE
    assert any("again in 3 s" in line for line in told.lines)
    assert len({said[-2] for said in site.pipe.said if "web" in said[-2]}) == 1


def test_a_snapshot_that_zfs_refuses_leaves_no_backup_and_everything_released(
    site: PipeSite, world: CapsuleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise PoolFull("out of space", where="target")

    run(site)
    (world.source / "web/new").write_text("new")
    with monkeypatch.context() as patch:
        patch.setattr(site.pool, "snapshot", full)
        with pytest.raises(PoolFull):
            run(site)
    assert len({s.label for s in site.pool.inventory(site.root).snapshots()}) == 1
    assert copied(site, WEB) == 301
    assert world.mounts() == []
    assert run(site).published.manifest.state is State.COMPLETE


def test_what_no_source_covers_is_warned_of_and_kept_in_the_manifest(
    site: PipeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = Uncovered(host=HOST, path="/srv/forgotten", users=("db.1",))
    monkeypatch.setattr("zrep.engine.sync.find_uncovered", lambda *_: (missing,))
    report = run(site)
    assert f"no source covers {HOST}:/srv/forgotten (db.1)" in report.warnings[0]
    snapshot = next(site.pool.inventory(site.root).snapshots())
    found = decode_manifest(snapshot.properties)
    assert found is not None
    assert [u.path for u in found.uncovered] == ["/srv/forgotten"]
