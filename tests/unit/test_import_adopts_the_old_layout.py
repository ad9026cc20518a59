"""Snapshots of the scripts before zrep become backups where they lie, and nothing else changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest

from tests.unit.old_layout import (
    DOCKER,
    DOCKER_FOLDER,
    FIRST,
    LOCAL,
    LOCAL_FOLDER,
    SECOND,
    STRAY,
    THIRD,
    OldWorld,
    ids,
    publish,
    three_runs,
)
from tests.unit.shelves import ROOT, files, nothing
from zrep.config import load
from zrep.engine.browse import content_of, find_versions
from zrep.engine.import_layout import Wish, observe_import, order_of
from zrep.engine.progress import Silent
from zrep.engine.site import open_site
from zrep.errors import Refused, UnknownName, UsageError
from zrep.model.backup import State
from zrep.model.key import SourceKey
from zrep.model.layout import IMPORTED
from zrep.model.names import BackupId, DatasetName, SnapClass, SnapshotName
from zrep.model.source import (
    Consistency,
    Method,
    Source,
)
from zrep.planner.backups import resolve
from zrep.planner.import_folders import parse_map
from zrep.report.import_layout import render_import
from zrep.zfs.fake import FakeZfs


@pytest.fixture
def world(tmp_path: Path) -> OldWorld:
    return three_runs(tmp_path)


def test_every_snapshot_becomes_a_complete_backup_of_its_own_id(world: OldWorld) -> None:
    assert ids(world) == []
    world.run()
    assert ids(world) == [THIRD, SECOND, FIRST]
    for backup in world.backups():
        assert (backup.set_name, backup.state) == ("platform", State.COMPLETE)
        assert backup.manifest is not None
        assert backup.manifest.consistency is Consistency.NONE
        assert backup.label.classes == (SnapClass.MANUAL,)
        assert sorted(backup.keys) == [LOCAL, DOCKER]


def test_nothing_but_properties_of_the_imported_snapshots_changes(world: OldWorld) -> None:
    world.foreign("autosnap_2022-09-07_00:00:00_daily", BackupId("20220907_000000"))
    before = world.zfs.inventory(ROOT)
    world.run()
    after = world.zfs.inventory(ROOT)
    for old, new in zip(before.snapshots(), after.snapshots(), strict=True):
        assert (old.name, old.guid, old.used, old.written) == (
            new.name,
            new.guid,
            new.used,
            new.written,
        )
        assert bool(new.properties) is new.name.snap.startswith("snap_")
    assert [d.properties for d in after] == [d.properties for d in before]


def test_twice_is_as_once(world: OldWorld) -> None:
    world.run()
    before = world.zfs.pool
    again = world.run()
    assert again.writes == ()
    assert [s.name.snap for s in again.already] == [f"snap_{i}" for i in (FIRST, SECOND, THIRD)]
    assert world.zfs.pool == before
    assert world.run(again=True).writes == ()
    assert world.zfs.pool == before


def test_the_same_command_with_a_map_may_be_repeated(world: OldWorld) -> None:
    key = SourceKey("manager-1", "other")
    world.run(maps={DOCKER_FOLDER: key})
    assert world.run(maps={DOCKER_FOLDER: key}).writes == ()


class Dying(FakeZfs):
    """Ends before write number `last`; with `within` after so many of its snapshots."""

    def __init__(self, zfs: FakeZfs, last: int, within: int) -> None:
        super().__init__(zfs.pool)
        self.left, self.within = last, within

    def set_properties(
        self, names: Sequence[DatasetName | SnapshotName], properties: Mapping[str, str]
    ) -> None:
        if not self.left:
            super().set_properties(names[: self.within], properties)
            raise KeyboardInterrupt
        self.left -= 1
        super().set_properties(names, properties)


def test_ended_at_any_write_no_half_backup_is_listed_and_the_next_run_ends_it(
    world: OldWorld,
) -> None:
    world.snapshot("20220908_030000", {DOCKER_FOLDER: files(x="1")})
    untouched = world.zfs.pool
    for last, within in product(range(3), range(3)):
        world.zfs.pool = untouched
        dying = Dying(world.zfs, last, within)
        with suppress(KeyboardInterrupt):
            world.run(dying)
        listed = {str(b.id): len(b.keys) for b in world.backups(dying)}
        assert len(listed) == (within if last == 2 else 0)
        assert listed.items() <= {FIRST: 2, SECOND: 2, THIRD: 2, "20220908_030000": 1}.items()
        assert all(b.state is State.COMPLETE for b in world.backups(dying))
        world.zfs.pool = dying.pool
        world.run()
        assert ids(world) == ["20220908_030000", THIRD, SECOND, FIRST]


def test_a_mark_without_a_manifest_is_no_backup(world: OldWorld) -> None:
    world.zfs.set_properties([ROOT.at(f"snap_{FIRST}")], {IMPORTED: "manual"})
    assert world.backups() == []


def test_a_mark_does_not_make_a_backup_of_another_name(world: OldWorld) -> None:
    others = [ROOT.at(snap) for snap in ("snap_20220903", "snap_20221341_000000", "autosnap_x")]
    for name in others:
        world.foreign(name.snap, BackupId("20220907_000000"))
    plan = world.run()
    assert [s.what for s in plan.skipped] == [str(name) for name in others[:2]]
    own = next(s for s in world.zfs.inventory(ROOT).snapshots() if s.label)
    world.zfs.set_properties(others, own.properties)
    assert ids(world) == [THIRD, SECOND, FIRST]


def test_a_manifest_that_leads_out_of_the_snapshot_is_none(world: OldWorld) -> None:
    world.run()
    for folder in ("../../etc", "..", ".", "a/b", "/etc"):
        words = f'{{"ok":true,"folder":"{folder}","method":"imported"}}'
        bad = {"io.zrep:src:manager-1:docker": words}
        world.zfs.set_properties([ROOT.at(f"snap_{FIRST}")], bad)
        assert ids(world) == [THIRD, SECOND]


def test_a_folder_without_a_source_is_one_of_its_own_name(world: OldWorld) -> None:
    world.snapshot("20220908_030000", {STRAY: files(core="1"), DOCKER_FOLDER: files(x="1")})
    plan = world.run()
    assert [(m.folder, str(m.key), m.configured) for m in plan.mapped] == [
        (LOCAL_FOLDER, "cassandra-1/local", True),
        (DOCKER_FOLDER, "manager-1/docker", True),
        (STRAY, "solr-9/srv-solr", False),
    ]
    found = find_versions(world.shelf(), world.shelf().locate("solr-9/srv-solr/core"))
    assert [str(b) for v in found.versions for b in v.backups] == ["20220908_030000"]


def test_a_map_says_what_a_folder_is_and_again_changes_it(world: OldWorld) -> None:
    world.snapshot("20220908_030000", {"Mail Box": files(a="1"), DOCKER_FOLDER: files(x="1")})
    first = world.run()
    assert [(s.what, "HOST@+PATH" in s.why) for s in first.skipped] == [("Mail Box", True)]
    mail = SourceKey("mail-1", "mail")
    second = world.run(maps={"Mail Box": mail}, again=True, classes=frozenset({SnapClass.MONTHLY}))
    assert second.skipped == ()
    newest = world.backups()[0]
    assert mail in newest.keys
    assert {b.label.classes for b in world.backups()} == {(SnapClass.MONTHLY,)}
    third = SourceKey("mail-1", "post")
    world.run(maps={"Mail Box": third}, again=True)
    assert sorted(world.backups()[0].keys) == [third, DOCKER]
    shelf = world.shelf()
    location = shelf.locate("mail-1/post/a")
    assert b"".join(content_of(shelf, world.backups()[0], location)) == b"1"


def test_an_emptied_folder_makes_the_backup_partial_and_never_the_latest(world: OldWorld) -> None:
    world.snapshot("20220908_030000", {DOCKER_FOLDER: nothing, LOCAL_FOLDER: files(y="1")})
    plan = world.run()
    newest = world.backups()[0]
    assert (newest.state, newest.keys) == (State.PARTIAL, (LOCAL,))
    assert str(resolve(world.backups(), "latest").id) == THIRD
    assert "manager-1/docker: its folder is empty" in render_import(plan, planned=True)


def test_a_snapshot_that_holds_no_source_is_skipped(world: OldWorld) -> None:
    world.snapshot("20220908_030000", {"lost+found": nothing})
    plan = world.run()
    assert [s.what for s in plan.skipped] == [f"{ROOT}@snap_20220908_030000"]
    assert ids(world) == [THIRD, SECOND, FIRST]


def test_the_places_of_the_new_layout_are_no_folders_of_the_old(world: OldWorld) -> None:
    """As when the scripts run on for a while beside zrep."""
    publish(world.zfs, "20220907_120000")
    world.snapshot("20220908_030000", {DOCKER_FOLDER: files(x="1"), "manager-1": files(docker="")})
    assert world.run().skipped == ()


def test_the_weaknesses_of_names_are_refused(world: OldWorld) -> None:
    before = world.zfs.pool
    twice = {DOCKER_FOLDER: LOCAL}
    with pytest.raises(Refused, match=r"two folders.*cassandra-1/local"):
        world.run(maps=twice)
    with pytest.raises(UnknownName, match="no snapshot has a folder 'manager-9@"):
        world.run(maps={"manager-9@+docker": DOCKER})
    taken = Source(key=SourceKey("manager-1", "docker"), method=Method.DIR, path="/elsewhere")
    with pytest.raises(Refused, match="which is another folder"):
        world.run(sources=(taken,))
    assert world.zfs.pool == before


@pytest.mark.parametrize(
    "text", ["manager-1@+docker", "=a/b", "x=a", "x=/b", "x=a/", "x=a/b/c", "x=A/b", "x=a/.."]
)
def test_a_map_that_says_no_source_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="--map"):
        parse_map(text)


def test_a_folder_may_have_an_equals_sign_in_its_name() -> None:
    assert parse_map("a=b@+c=h/s") == ("a=b@+c", SourceKey("h", "s"))


@pytest.mark.parametrize("where", ["pool", "root", "snapshot"])
def test_a_pool_of_another_tool_called_zrep_is_left_alone(world: OldWorld, where: str) -> None:
    places: Mapping[str, DatasetName | SnapshotName] = {
        "pool": DatasetName("backup"),
        "root": ROOT,
        "snapshot": ROOT.at(f"snap_{FIRST}"),
    }
    world.zfs.set_properties([places[where]], {"zrep:master": "yes"})
    before = world.zfs.pool
    with pytest.raises(Refused, match=r"another tool called zrep.*zrep:master"):
        world.run()
    assert world.zfs.pool == before


def test_an_id_that_is_taken_is_refused(world: OldWorld) -> None:
    publish(world.zfs, SECOND)
    with pytest.raises(Refused, match=f"(?s)snap_{SECOND}.*same id"):
        world.run()
    assert ids(world) == [SECOND]


def test_a_dataset_without_the_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="does not have the layout"):
        OldWorld(tmp_path).run()


CONFIG = f"""\
[target]
dataset = "{ROOT}"
policy = "production"

[deployment.lab]
hosts = {{ manager-1 = "10.0.0.1" }}

[set.one.source.etc]
host = "manager-1"
method = "dir"
path = "/etc"

[set.two.source.docker]
host = "manager-1"
method = "dir"
path = "/docker"
"""


def test_the_set_must_be_said_when_there_are_several(tmp_path: Path) -> None:
    path = tmp_path / "zrep.toml"
    path.write_text(CONFIG)
    with open_site(load(path)) as site:
        with pytest.raises(UnknownName, match=r"which set\?: one, two"):
            order_of(site, Wish())
        order = order_of(site, Wish(set_name="two", maps=("a=b/c", "a=b/c")))
        assert [str(s.key) for s in order.sources] == ["manager-1/docker", "manager-1/etc"]
        assert order.maps == {"a": SourceKey("b", "c")}
        assert order.classes == frozenset({SnapClass.MANUAL})
        with pytest.raises(UsageError, match="mapped twice"):
            order_of(site, Wish(set_name="two", maps=("a=b/c", "a=b/d")))


def test_on_a_director_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "zrep.toml"
    path.write_text(CONFIG.replace("policy", 'host = "far"\npolicy'))
    with (
        open_site(load(path)) as site,
        pytest.raises(Refused, match="only on the machine with the pool"),
    ):
        observe_import(site, Wish(set_name="one"), Silent())


def test_the_documentation_shows_what_is_said(tmp_path: Path) -> None:
    world = OldWorld(tmp_path)
    one, both = {DOCKER_FOLDER: files(x="1")}, {LOCAL_FOLDER: files(y="1")}
    world.snapshot(FIRST, {**one, **both, STRAY: files(z="1")})
    world.snapshot(SECOND, {**one, LOCAL_FOLDER: nothing})
    world.snapshot(THIRD, {**one, **both, "old mail": files(a="1")})
    text = render_import(world.work().plan(), planned=True)
    shown = "".join(f"    {line}".rstrip() + "\n" for line in text.splitlines())
    assert shown in (Path(__file__).parents[2] / "docs/import.md").read_text()
