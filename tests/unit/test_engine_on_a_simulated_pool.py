"""Mounting and replicating, played on simulated pools that behave as the real ones do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from zrep.engine.journal import Journal
from zrep.engine.mount import apply_mount, list_sessions, plan_mount, umount
from zrep.engine.progress import Silent
from zrep.engine.replicate import ReplicaReport, Sides, replicate
from zrep.errors import CommandFailed, DatasetBusy, ZfsError
from zrep.model.backup import Manifest, SourceRecord, State, encode_manifest
from zrep.model.key import SourceKey
from zrep.model.names import BackupId, DatasetName, SnapClass, SnapshotName, make_label
from zrep.model.plan import Transfer
from zrep.model.session import Session
from zrep.model.source import Consistency, Replica
from zrep.planner.backups import find_backups
from zrep.planner.simulate import datasets
from zrep.planner.simulate.pool import new_pool
from zrep.zfs.fake import FakeZfs, transfer
from zrep.zfs.port import Zfs

ROOT, COPY = DatasetName("backup/current"), DatasetName("tank/copy")
SESSIONS = DatasetName("backup/sessions")
KEYS = (SourceKey("h1", "a"), SourceKey("h2", "b"))
HOURLY = frozenset({SnapClass.HOURLY})


def target() -> FakeZfs:
    zfs = FakeZfs(new_pool("backup"))
    for name in (ROOT, *(ROOT / k.host for k in KEYS), *(ROOT / str(k) for k in KEYS)):
        zfs.create(name, {})
    return zfs


def publish(zfs: FakeZfs, second: int) -> BackupId:
    backup = BackupId(f"20220101_1200{second:02d}")
    told = Manifest(
        set_name="platform",
        state=State.COMPLETE,
        consistency=Consistency.NODE,
        sources=tuple(SourceRecord(key=k, ok=True) for k in KEYS),
    )
    for key in KEYS:
        zfs.pool = datasets.write(zfs.pool, ROOT / str(key), 1 << 20)
    names = [(ROOT / str(k)).at(str(make_label(backup, HOURLY))) for k in KEYS]
    zfs.snapshot(names, encode_manifest(told))
    return backup


def offsite() -> FakeZfs:
    zfs = FakeZfs(new_pool("tank"))
    zfs.create(COPY, {"readonly": "on"})
    return zfs


def move(source: Zfs, destination: Zfs, step: Transfer, on_bytes: Callable[[int], None]) -> int:
    assert isinstance(source, FakeZfs)
    assert isinstance(destination, FakeZfs)
    moved = transfer(source, step.spec, destination, step.destination)
    on_bytes(moved)
    return moved


def sides(source: FakeZfs, destination: FakeZfs) -> Sides:
    replica = Replica(name="offsite", dataset=COPY)
    return Sides(source=source, destination=destination, root=ROOT, replica=replica, move=move)


def run(both: Sides, folder: Path) -> ReplicaReport:
    with Journal(folder, "replicate", "test") as journal:
        return replicate(both, journal, Silent())


def listed(zfs: FakeZfs, root: DatasetName) -> list[tuple[str, State]]:
    return [(str(b.id), b.state) for b in find_backups(zfs.inventory(root), root)]


def held(zfs: FakeZfs, root: DatasetName) -> set[str]:
    names = [s.name for s in zfs.inventory(root).snapshots()]
    return {f"{n} {tag}" for n, tags in zfs.holds(names).items() for tag in tags}


def test_a_replica_lists_the_same_backups_with_the_same_guids(tmp_path: Path) -> None:
    here, there = target(), offsite()
    for second in (1, 2, 3):
        publish(here, second)
    report = run(sides(here, there), tmp_path)
    assert not report.failed
    assert not report.diverged
    assert listed(there, COPY) == listed(here, ROOT)
    ours = [s.guid for s in here.inventory(ROOT).snapshots()]
    assert [s.guid for s in there.inventory(COPY).snapshots()] == ours


def test_the_common_base_is_held_on_both_sides_and_the_older_one_let_go(tmp_path: Path) -> None:
    here, there = target(), offsite()
    publish(here, 1)
    run(sides(here, there), tmp_path)
    newest = publish(here, 2)
    run(sides(here, there), tmp_path)
    for zfs, root in ((here, ROOT), (there, COPY)):
        assert held(zfs, root) == {
            f"{root}/{k}@{make_label(newest, HOURLY)} zrep:replica:offsite" for k in KEYS
        }


def test_a_bookmark_keeps_the_base_when_the_snapshot_is_lost(tmp_path: Path) -> None:
    here, there = target(), offsite()
    publish(here, 1)
    run(sides(here, there), tmp_path)
    lost = [s.name for s in here.inventory(ROOT).snapshots()]
    here.release(lost, "zrep:replica:offsite")
    assert here.destroy_snapshots(lost) == {}
    newest = publish(here, 2)
    report = run(sides(here, there), tmp_path)
    assert [s.transfer.spec.base for s in report.sent] == ["#zrep_20220101_120001_offsite"] * 2
    assert listed(there, COPY)[0] == (str(newest), State.COMPLETE)


def test_a_second_run_sends_and_changes_nothing(tmp_path: Path) -> None:
    here, there = target(), offsite()
    publish(here, 1)
    both = sides(here, there)
    run(both, tmp_path)
    before = (here.inventory(ROOT), there.inventory(COPY))
    report = run(both, tmp_path)
    assert report.sent == ()
    assert (here.inventory(ROOT), there.inventory(COPY)) == before


def test_one_divergent_dataset_does_not_keep_the_others_back(tmp_path: Path) -> None:
    here, there = target(), offsite()
    publish(here, 1)
    run(sides(here, there), tmp_path)
    there.snapshot([SnapshotName(COPY / "h1/a", "foreign")], {})
    publish(here, 2)
    report = run(sides(here, there), tmp_path)
    assert [d.source for d in report.diverged] == [ROOT / "h1/a"]
    assert [s.transfer.destination for s in report.sent] == [COPY / "h2/b"]
    assert listed(there, COPY)[0][1] is State.INCOMPLETE


def test_a_broken_stream_is_resumed_by_the_next_run(tmp_path: Path) -> None:
    here, there = target(), offsite()
    publish(here, 1)
    publish(here, 2)

    def cut(source: Zfs, destination: Zfs, step: Transfer, on_bytes: Callable[[int], None]) -> int:
        assert isinstance(source, FakeZfs)
        assert isinstance(destination, FakeZfs)
        on_bytes(1)
        return transfer(source, step.spec, destination, step.destination, upto=1)

    replica = Replica(name="offsite", dataset=COPY)
    broken = Sides(source=here, destination=there, root=ROOT, replica=replica, move=cut)
    report = run(broken, tmp_path)
    assert len(report.failed) == 2
    assert all(isinstance(f.error, CommandFailed) for f in report.failed)
    again = run(sides(here, there), tmp_path)
    assert not again.failed
    assert [s.transfer.spec.token is not None for s in again.sent].count(True) == 2
    assert listed(there, COPY) == listed(here, ROOT)


def test_a_partial_receive_whose_snapshot_is_gone_is_started_over(tmp_path: Path) -> None:
    here, there = target(), offsite()
    lost = publish(here, 1)
    replica = Replica(name="offsite", dataset=COPY)

    def cut(source: Zfs, destination: Zfs, step: Transfer, on_bytes: Callable[[int], None]) -> int:
        assert isinstance(source, FakeZfs)
        assert isinstance(destination, FakeZfs)
        on_bytes(1)
        return transfer(source, step.spec, destination, step.destination, upto=1)

    run(Sides(source=here, destination=there, root=ROOT, replica=replica, move=cut), tmp_path)
    names = [s.name for s in here.inventory(ROOT).snapshots()]
    assert here.destroy_snapshots(names) == {}
    publish(here, 2)
    report = run(sides(here, there), tmp_path)
    assert not report.failed
    assert listed(there, COPY) == listed(here, ROOT)
    assert str(lost) not in dict(listed(there, COPY))


def session(backup: BackupId, name: str) -> Session:
    return Session(
        name=name,
        dataset=SESSIONS / name,
        backup=backup,
        owner="me",
        purpose="",
        expires=1_800_000_000,
    )


def mounted(zfs: FakeZfs, name: str) -> Session:
    backup = find_backups(zfs.inventory(ROOT), ROOT)[0]
    return apply_mount(zfs, plan_mount(backup, session(backup.id, name)))


def test_a_session_is_found_again_from_zfs_alone() -> None:
    zfs = target()
    publish(zfs, 1)
    made = mounted(zfs, "s1")
    assert list_sessions(zfs, SESSIONS) == (made,)
    assert {str(k): c.mountpoint for k, c in made.clones.items()} == {
        "h1/a": "/backup/sessions/s1/h1/a",
        "h2/b": "/backup/sessions/s1/h2/b",
    }


def test_umount_leaves_the_pool_as_it_was() -> None:
    zfs = target()
    publish(zfs, 1)
    before = held(zfs, ROOT)
    umount(zfs, mounted(zfs, "s1"))
    assert [str(d.name) for d in zfs.inventory(SESSIONS)] == [str(SESSIONS)]
    assert held(zfs, ROOT) == before == set()


def test_two_first_sessions_at_once_make_their_root_once() -> None:
    """Between finding that there is none and making it, somebody else makes it."""

    class Busy(FakeZfs):
        def create(
            self, dataset: DatasetName, properties: Mapping[str, str], *, mount: bool = True
        ) -> None:
            if dataset == SESSIONS:
                super().create(dataset, properties, mount=mount)
            super().create(dataset, properties, mount=mount)

    zfs = Busy(target().pool)
    publish(zfs, 1)
    made = mounted(zfs, "s1")
    assert list_sessions(zfs, SESSIONS) == (made,)


def test_two_sessions_of_one_backup_are_independent() -> None:
    zfs = target()
    publish(zfs, 1)
    one, two = mounted(zfs, "s1"), mounted(zfs, "s2")
    umount(zfs, one)
    assert list_sessions(zfs, SESSIONS) == (two,)


def test_a_mount_that_fails_half_way_takes_only_its_own_things_away() -> None:
    zfs = target()
    publish(zfs, 1)
    other = mounted(zfs, "s1")
    backup = find_backups(zfs.inventory(ROOT), ROOT)[0]
    plan = plan_mount(backup, session(backup.id, "s2"))
    gone = plan.clones[1][1]
    umount(zfs, other)
    other = mounted(zfs, "s3")
    before = zfs.inventory(SESSIONS, snapshots=False)
    broken = (
        plan.clones[0],
        (plan.clones[1][0], SnapshotName(gone.dataset, "gone"), plan.clones[1][2]),
    )
    with pytest.raises(ZfsError):
        apply_mount(zfs, replace(plan, clones=broken))
    assert zfs.inventory(SESSIONS, snapshots=False) == before
    assert list_sessions(zfs, SESSIONS) == (other,)


def test_a_clone_that_is_in_use_stays_a_session() -> None:
    zfs = target()
    publish(zfs, 1)
    made = mounted(zfs, "s1")
    busy = made.clones[KEYS[1]].dataset
    zfs.pool = datasets.use(zfs.pool, busy)
    with pytest.raises(DatasetBusy):
        umount(zfs, made)
    assert [s.name for s in list_sessions(zfs, SESSIONS)] == ["s1"]
