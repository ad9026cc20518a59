"""What was imported is found, mounted, pruned, replicated and restored as any other backup."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.gate_support import replica_gate, target_gate
from tests.unit.old_layout import (
    CONFIGURED,
    DOCKER,
    DOCKER_FOLDER,
    FIRST,
    LOCAL,
    LOCAL_FOLDER,
    SECOND,
    THIRD,
    OldWorld,
    ids,
    publish,
    three_runs,
)
from tests.unit.shelves import ROOT, files
from tests.unit.test_engine_on_a_simulated_pool import COPY, move, offsite, run, sides
from tests.unit.test_sessions_on_a_simulated_pool import here, mount
from zrep.capsule.gate import Gate
from zrep.capsule.gate_policy import Allowed
from zrep.engine.bring_back import Returning
from zrep.engine.browse import content_of, diff_backups, find_versions
from zrep.engine.journal import Journal
from zrep.engine.mount import clone_properties, list_sessions, mountpoints, umount
from zrep.engine.progress import Silent
from zrep.engine.transfer import find_guards
from zrep.engine.undelete import Tree, undelete
from zrep.errors import InvariantBroken, Refused
from zrep.model.housekeeping import DOOMED
from zrep.model.layout import HISTORY, IMPORTED
from zrep.model.names import BackupId, DatasetName, SnapClass
from zrep.model.plan import SendSpec
from zrep.model.policy import Policy
from zrep.model.restore import Item, Mode, RestorePlan
from zrep.model.session import encode_folder
from zrep.model.source import (
    Address,
    BackupSet,
    Config,
    Replica,
    Target,
)
from zrep.planner.backups import resolve
from zrep.planner.compare import Verb
from zrep.planner.prune import check_prune, plan_prune
from zrep.planner.publish import check_order
from zrep.planner.simulate.pool import new_pool
from zrep.report.backups import backup_json, render_backup
from zrep.report.import_layout import import_json, render_import
from zrep.report.restore_script import render_script
from zrep.zfs import argv
from zrep.zfs.fake import FakeZfs, transfer


@pytest.fixture
def world(tmp_path: Path) -> OldWorld:
    return three_runs(tmp_path)


def test_order_is_of_the_moment_for_the_old_clock_was_ahead(world: OldWorld) -> None:
    """The third says 03:00 and was made at 01:00 UTC; a run at 02:00 UTC is newer."""
    world.run()
    check_order(world.backups(), BackupId("20220907_020000"))
    publish(world.zfs, "20220907_020000")
    assert ids(world) == ["20220907_020000", THIRD, SECOND, FIRST]
    assert str(resolve(world.backups(), "@2022-09-07T01:30").id) == THIRD
    with pytest.raises(Refused, match="exists already"):
        check_order(world.backups(), BackupId(THIRD))


def test_find_diff_and_cat_read_the_old_folders(world: OldWorld) -> None:
    world.run()
    shelf = world.shelf()
    history = find_versions(shelf, shelf.locate("/docker/etc/x"))
    assert [[str(b) for b in v.backups] for v in history.versions] == [[FIRST], [SECOND]]
    assert [str(d.after) for d in history.deletions] == [SECOND]
    old, new = shelf.find(FIRST), shelf.find(THIRD)
    changes = [(c.path, c.verb) for c in diff_backups(shelf, old, new, None)]
    assert ("manager-1/docker/etc/x", Verb.REMOVED) in changes
    assert not [path for path, _ in changes if path.startswith("cassandra-1")]
    location = shelf.locate("/docker/etc/x")
    assert b"".join(content_of(shelf, shelf.find(SECOND), location)) == b"bb"


def test_old_and_new_backups_are_one_history(world: OldWorld) -> None:
    world.run()
    publish(world.zfs, "20220908_120000")
    folder = world.top / str(DOCKER) / ".zfs" / "snapshot" / "zrep_20220908_120000_daily"
    folder.mkdir(parents=True)
    files(etc__z="c")(folder)
    history = find_versions(world.shelf(), world.shelf().locate("/docker/etc/z"))
    assert [[str(b) for b in v.backups] for v in history.versions] == [[THIRD, "20220908_120000"]]


def test_a_session_shows_each_source_in_its_folder_and_holds_the_snapshot_once(
    world: OldWorld,
) -> None:
    world.run()
    place = here(world.zfs)
    made = mount(place, SECOND)
    assert mountpoints(made) == {
        key: f"/backup/sessions/{made.name}/{key}/{folder}"
        for key, folder in ((LOCAL, LOCAL_FOLDER), (DOCKER, DOCKER_FOLDER))
    }
    assert list(list_sessions(world.zfs, place.sessions_root)) == [made]
    old = ROOT.at(f"snap_{SECOND}")
    assert world.zfs.holds([old]) == {old: frozenset({made.tag})}
    umount(world.zfs, made)
    assert world.zfs.holds([old]) == {old: frozenset()}


def prune(world: OldWorld, policy: Policy, *, grace: int = 0) -> list[str]:
    """What would be destroyed, a hundred years later."""
    now = int(BackupId("21220101_000000").moment.timestamp())
    plan = plan_prune(world.backups(), policy, holds={}, now=now, grace=grace)
    check_prune(plan)
    return [s.name.snap for s in plan.phases.destroy]


def test_what_was_imported_as_manual_stays_unless_the_policy_says_how_many(world: OldWorld) -> None:
    world.run()
    publish(world.zfs, "20220908_120000")
    assert prune(world, Policy(name="p", keep={SnapClass.DAILY: 1})) == []
    few = Policy(name="p", keep={SnapClass.DAILY: 1, SnapClass.MANUAL: 1})
    assert prune(world, few) == [f"snap_{SECOND}", f"snap_{FIRST}"]


def test_the_newest_complete_one_stays_and_what_was_not_imported_is_not_counted(
    world: OldWorld,
) -> None:
    world.run(classes=frozenset({SnapClass.DAILY}))
    world.snapshot("20220909_030000", {DOCKER_FOLDER: files(x="1")})
    world.foreign("snap_by_hand", BackupId("20220910_000000"))
    nothing_kept = Policy(name="p", keep={})
    assert prune(world, nothing_kept) == [f"snap_{SECOND}", f"snap_{FIRST}"]


def test_a_plan_with_a_snapshot_that_was_not_imported_is_not_carried_out(world: OldWorld) -> None:
    world.run(classes=frozenset({SnapClass.DAILY}))
    now = int(BackupId("21220101_000000").moment.timestamp())
    plan = plan_prune(world.backups(), Policy(name="p", keep={}), holds={}, now=now)
    [first, *rest] = plan.judgements
    bare = tuple(
        replace(c, snapshot=replace(c.snapshot, properties={})) for c in plan.doomed[0].children
    )
    bad = replace(rest[0], backup=replace(plan.doomed[0], children=bare))
    with pytest.raises(InvariantBroken, match="is not ours"):
        check_prune(replace(plan, judgements=(first, bad)))


def test_a_mark_of_prune_can_be_taken_back_by_the_id(world: OldWorld) -> None:
    world.run()
    world.zfs.set_properties([ROOT.at(f"snap_{FIRST}")], {DOOMED: "5"})
    tree = Tree(zfs=world.zfs, inventory=world.zfs.inventory(ROOT))
    assert [s.name.snap for s in undelete([tree], [FIRST], keep=False)] == [f"snap_{FIRST}"]


def test_nobody_has_counted_so_the_deletion_guard_has_no_reference(world: OldWorld) -> None:
    world.run()
    backup_set = BackupSet(name="platform", sources=world.shelf().sources[:1])
    inventory = world.zfs.inventory(ROOT)
    assert find_guards(backup_set, ROOT, inventory, world.backups()).last == {}
    publish(world.zfs, "20220908_120000")
    inventory = world.zfs.inventory(ROOT)
    assert find_guards(backup_set, ROOT, inventory, world.backups()).last[DOCKER].files == 7


def test_show_and_list_say_where_it_comes_from(world: OldWorld) -> None:
    plan = world.run()
    newest = world.backups()[0]
    text = render_backup(newest)
    assert f"{ROOT}@snap_{THIRD}/{DOCKER_FOLDER}" in text
    assert "imported by  zrep" in text
    found = backup_json(newest)
    assert found["imported"] is True
    assert newest.written == 1 << 20
    told = import_json(plan)
    assert told["skipped"] == []
    assert "imported 3 snapshots into set platform as manual" in render_import(plan, planned=False)


def test_a_replica_that_was_made_new_gets_the_history_beside_its_root(
    world: OldWorld, tmp_path: Path
) -> None:
    world.foreign("snap_by_hand", BackupId("20220910_000000"))
    world.run()
    publish(world.zfs, "20220908_120000")
    there = offsite()
    both = sides(world.zfs, there)
    report = run(both, tmp_path)
    assert (report.failed, report.diverged) == ((), ())
    listed = [(b.id, b.state, b.keys) for b in world.backups(there, COPY)]
    assert listed == [(b.id, b.state, b.keys) for b in world.backups()]
    assert [s.name.snap for s in there.inventory(COPY / HISTORY).snapshots()] == [
        f"snap_{i}" for i in (FIRST, SECOND, THIRD)
    ]
    before = (world.zfs.inventory(ROOT), there.inventory(COPY))
    assert run(both, tmp_path).sent == ()
    assert (world.zfs.inventory(ROOT), there.inventory(COPY)) == before


def test_a_replica_that_was_received_in_the_old_days_goes_on_where_it_is(
    world: OldWorld, tmp_path: Path
) -> None:
    there = FakeZfs(new_pool("tank"))
    transfer(world.zfs, SendSpec(snapshot=ROOT.at(f"snap_{FIRST}")), there, COPY)
    world.run()
    report = run(sides(world.zfs, there), tmp_path)
    assert (report.failed, report.diverged) == ((), ())
    assert [s.name.snap for s in there.inventory(COPY).snapshots()] == [
        f"snap_{i}" for i in (FIRST, SECOND, THIRD)
    ]
    assert [str(b.id) for b in world.backups(there, COPY)] == [THIRD, SECOND, FIRST]


@pytest.mark.parametrize("received", [False, True], ids=["made new", "received of old"])
def test_what_a_replica_has_of_it_comes_back_from_there(
    world: OldWorld, tmp_path: Path, received: bool
) -> None:
    there = FakeZfs(new_pool("tank")) if received else offsite()
    if received:
        transfer(world.zfs, SendSpec(snapshot=ROOT.at(f"snap_{FIRST}")), there, COPY)
    world.run()
    run(sides(world.zfs, there), tmp_path)
    fresh = FakeZfs(new_pool("backup"))
    root = DatasetName("backup/restored")
    back = Returning(
        source=there,
        destination=fresh,
        replica=Replica(name="offsite", dataset=COPY),
        backup=resolve(world.backups(there, COPY), SECOND),
        keys=(DOCKER, LOCAL),
        root=root / SECOND,
        move=move,
    ).receive(Journal(tmp_path, "restore", "not opened"), Silent())
    assert {c.folder for c in back.children} == {DOCKER_FOLDER, LOCAL_FOLDER}
    assert [b.keys for b in world.backups(fresh, root / SECOND)] == [back.keys]


def test_what_was_not_imported_is_not_replicated(world: OldWorld, tmp_path: Path) -> None:
    there = offsite()
    assert run(sides(world.zfs, there), tmp_path).sent == ()
    assert list(there.inventory(COPY).snapshots()) == []


def test_a_restore_by_hand_takes_the_files_out_of_the_folder(world: OldWorld) -> None:
    world.run()
    item = Item(key=DOCKER, inside="etc", to="etc", mode=Mode.OVERWRITE)
    plan = RestorePlan(
        run="r",
        backup=BackupId(SECOND),
        items=(item,),
        services=(),
        hosts=(DOCKER.host,),
        full=False,
        steps=(),
    )
    config = Config(
        target=Target(dataset=ROOT, policy=Policy(name="p", keep={})),
        hosts={key.host: Address(host=key.host) for key in (DOCKER, LOCAL)},
        sets={"platform": BackupSet(name="platform", sources=CONFIGURED)},
        replicas={},
        services={},
    )
    text = render_script(plan, resolve(world.backups(), SECOND), config)
    assert f"{ROOT}@snap_{SECOND} /run/zrep-restore/{DOCKER}\n" in text
    assert f" /run/zrep-restore/{DOCKER}/{DOCKER_FOLDER}/etc" in text


def accepted(gate: Gate, *commands: tuple[str, ...]) -> bool:
    return all(isinstance(gate.judge(command), Allowed) for command in commands)


def test_a_director_may_do_everything_with_it_through_the_gates_but_destroy_it() -> None:
    """By its name alone the target's gate cannot know that it was imported."""
    old, clone = ROOT.at(f"snap_{FIRST}"), DatasetName("backup/sessions/x/manager-1/docker")
    properties = {**clone_properties(writable=False), **encode_folder(DOCKER_FOLDER)}
    assert accepted(
        target_gate(),
        argv.hold_argv([old], "zrep:session:x"),
        argv.clone_argv(old, clone, properties),
        argv.send_argv(SendSpec(snapshot=old)),
        argv.bookmark_argv(old, f"zrep_{FIRST}_offsite"),
        argv.set_argv([old], {DOOMED: "5"}),
    )
    assert not accepted(target_gate(), argv.destroy_snapshots_argv([old]))
    there = DatasetName("tank/sbdi") / HISTORY
    assert accepted(
        replica_gate(),
        argv.receive_argv(there),
        argv.set_argv([there.at(old.snap)], {IMPORTED: "manual"}),
        argv.hold_argv([there.at(old.snap)], "zrep:replica:offsite"),
        argv.clone_argv(there.at(old.snap), DatasetName("tank/sbdi-sessions/x/h"), properties),
    )
