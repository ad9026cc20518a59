"""What every implementation of the Zfs port promises; each case runs on every one of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.zfs_support import MIB, World, child, layout, seen, snaps, story, take, worlds
from zrep.errors import DatasetBusy, DatasetExists, DatasetMissing, ZfsError
from zrep.model.names import DatasetName
from zrep.model.plan import SendSpec
from zrep.zfs.cli import CliZfs
from zrep.zfs.lzc import LzcZfs

WORLDS = worlds()
# Where an implementation can differ from `zfs` on this machine. Over ssh the same commands run:
# quoting, lists of words and what stderr says may differ. With the library all but these runs
# the very code of the command, which test_the_library_is_asked_where_it_differs holds on to.
APART = {
    "cli-ssh": frozenset({"TestSnapshot", "TestHolds", "TestProperties"}),
    "lzc": frozenset({"TestSnapshot", "TestDestroySnapshots", "TestMounts"}),
}
BY_LIBRARY = frozenset({"snapshot", "destroy_snapshots"})


def runs_on(case: str, implementation: str) -> bool:
    """Whether the cases of this class run on it."""
    return case in APART.get(implementation, {case})


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "world" in metafunc.fixturenames:
        case = metafunc.cls.__name__ if metafunc.cls else ""
        names = [name for name in WORLDS if runs_on(case, name)]
        metafunc.parametrize("world", names, indirect=True)


def test_the_library_is_asked_where_it_differs() -> None:
    own = {name for name in vars(LzcZfs) if name in dir(CliZfs) and not name.startswith("__")}
    assert own == BY_LIBRARY


@pytest.fixture
def world(request: pytest.FixtureRequest) -> World:
    make: Callable[[], World] = WORLDS[request.param]
    return make()


class TestSnapshot:
    def test_all_are_of_one_transaction_group(self, world: World) -> None:
        names = [child(world, word).at("s") for word in ("a", "b", "c")]
        world.zfs.snapshot(names, {})
        found = [seen(world, n.dataset).snapshots[0] for n in names]
        assert len({s.createtxg for s in found}) == 1
        assert len({s.guid for s in found}) == 3

    def test_one_that_exists_keeps_all_from_being_made(self, world: World) -> None:
        a, b = child(world, "a"), child(world, "b")
        take(world, a, "s")
        with pytest.raises(DatasetExists):
            world.zfs.snapshot([b.at("s"), a.at("s")], {})
        assert snaps(world, a) == ["s"]
        assert snaps(world, b) == []

    def test_a_missing_dataset_keeps_all_from_being_made(self, world: World) -> None:
        a = child(world, "a")
        with pytest.raises(DatasetMissing):
            world.zfs.snapshot([a.at("s"), (world.root / "nowhere").at("s")], {})
        assert snaps(world, a) == []

    def test_two_of_one_dataset_at_once_are_refused(self, world: World) -> None:
        with pytest.raises(ZfsError):
            world.zfs.snapshot([world.root.at("x"), world.root.at("y")], {})
        assert snaps(world, world.root) == []

    def test_the_same_name_twice_is_one_snapshot(self, world: World) -> None:
        world.zfs.snapshot([world.root.at("x"), world.root.at("x")], {})
        assert snaps(world, world.root) == ["x"]

    def test_no_names_do_nothing(self, world: World) -> None:
        world.zfs.snapshot([], {"io.zrep:set": "x"})
        assert snaps(world, world.root) == []

    def test_each_carries_the_properties_and_its_dataset_does_not(self, world: World) -> None:
        a, b = child(world, "a"), child(world, "b")
        words = {"io.zrep:set": "platform", "io.zrep:src:manager-1:docker": '{"ok":true,"n":1}'}
        world.zfs.snapshot([a.at("s"), b.at("s")], words)
        for dataset in (a, b):
            found = seen(world, dataset)
            assert found.snapshots[0].properties == words
            assert found.properties == {}

    @pytest.mark.parametrize(
        "value", ["", "a b", "a=b,c", "tab\there", "line\nline", "naïve ☃", "'q\"$(x)\\", "-"]
    )
    def test_a_property_comes_back_as_it_went(self, world: World, value: str) -> None:
        world.zfs.snapshot([world.root.at("s")], {"io.zrep:a": value, "io.zrep:b": "end"})
        found = seen(world, world.root).snapshots[0].properties
        assert found == {"io.zrep:a": value, "io.zrep:b": "end"}

    def test_a_native_property_is_refused_and_nothing_made(self, world: World) -> None:
        with pytest.raises(ZfsError):
            world.zfs.snapshot([world.root.at("s")], {"compression": "off"})
        assert snaps(world, world.root) == []


class TestInventory:
    def test_a_missing_root_is_said_to_be_missing(self, world: World) -> None:
        with pytest.raises(DatasetMissing):
            world.zfs.inventory(world.root / "nowhere")

    def test_snapshots_are_in_the_order_they_were_made(self, world: World) -> None:
        take(world, world.root, "z", "a", "m")
        found = seen(world, world.root).snapshots
        assert [s.name.snap for s in found] == ["z", "a", "m"]
        assert [s.createtxg for s in found] == sorted({s.createtxg for s in found})

    def test_guids_stay(self, world: World) -> None:
        take(world, world.root, "a", "b")
        first, again = seen(world, world.root), seen(world, world.root)
        assert [s.guid for s in first.snapshots] == [s.guid for s in again.snapshots]
        assert first.guid == again.guid
        assert 0 not in {first.guid, *(s.guid for s in first.snapshots)}

    def test_userrefs_counts_the_holds(self, world: World) -> None:
        a, b = take(world, world.root, "a", "b")
        world.zfs.hold([a, b], "one")
        world.zfs.hold([a], "two")
        assert [s.userrefs for s in seen(world, world.root).snapshots] == [2, 1]

    def test_clones_and_their_origin_name_each_other(self, world: World) -> None:
        a, b = take(world, world.root, "a", "b")
        for word in ("c1", "c2"):
            world.zfs.clone(a, world.root / word, {})
        assert [s.clones for s in seen(world, world.root).snapshots] == [
            (world.root / "c1", world.root / "c2"),
            (),
        ]
        assert seen(world, world.root / "c1").origin == a
        assert b.snap in snaps(world, world.root)

    def test_only_user_properties_set_on_the_dataset_itself_are_shown(self, world: World) -> None:
        world.zfs.set_properties([world.root], {"io.zrep:note": "x", "compression": "off"})
        a = child(world, "a")
        take(world, a, "s")
        assert seen(world, world.root).properties == {"io.zrep:note": "x"}
        assert seen(world, a).properties == {}
        assert seen(world, a).snapshots[0].properties == {}

    def test_a_bookmark_is_its_snapshot_by_guid_txg_and_time(self, world: World) -> None:
        (a,) = take(world, world.root, "a")
        world.zfs.bookmark(a, "m")
        found = seen(world, world.root)
        mark, snapshot = found.bookmarks[0], found.snapshots[0]
        assert str(mark) == f"{world.root}#m"
        assert (mark.guid, mark.createtxg) == (snapshot.guid, snapshot.createtxg)
        assert mark.creation == snapshot.creation

    def test_without_properties_all_else_is_there(self, world: World) -> None:
        a = child(world, "a")
        take(world, a, "s")
        world.zfs.set_properties([a, a.at("s")], {"io.zrep:note": "x"})
        (found,) = world.zfs.inventory(a, only=())
        (snapshot,) = found.snapshots
        assert (found.properties, snapshot.properties) == ({}, {})
        full = seen(world, a)
        assert (found.name, found.guid, found.mounted, found.mountpoint) == (
            full.name, full.guid, full.mounted, full.mountpoint,
        )  # fmt: skip
        assert (snapshot.name, snapshot.guid) == (full.snapshots[0].name, full.snapshots[0].guid)

    def test_without_snapshots_datasets_still_show_their_properties(self, world: World) -> None:
        a = child(world, "a")
        take(world, a, "s")
        world.zfs.bookmark(a.at("s"), "m")
        world.zfs.set_properties([a], {"io.zrep:note": "x"})
        found = world.zfs.inventory(world.root, snapshots=False).get(a)
        assert found is not None
        assert (found.snapshots, found.bookmarks) == ((), ())
        assert found.properties == {"io.zrep:note": "x"}

    def test_only_the_user_properties_asked_for_are_read(self, world: World) -> None:
        world.zfs.set_properties([world.root], {"io.zrep:note": "x"})
        one, two = take(world, world.root, "s", "t")
        world.zfs.set_properties([one], {"io.zrep:note": "z", "io.zrep:more": "y"})
        found = world.zfs.inventory(world.root, only=("io.zrep:note",)).datasets[0]
        assert [s.properties for s in found.snapshots] == [{"io.zrep:note": "z"}, {}]
        assert found.properties == {"io.zrep:note": "x"}
        assert [s.name for s in found.snapshots] == [one, two]
        nothing = world.zfs.inventory(world.root, only=("io.zrep:none",)).datasets[0]
        assert [s.properties for s in nothing.snapshots] == [{}, {}]

    def test_of_those_asked_for_only_what_differs_from_above_is_seen(self, world: World) -> None:
        a, b = child(world, "a"), child(world, "b")
        note = "io.zrep:src:h1:a-b.c_d"
        world.zfs.set_properties([world.root, b], {note: "x"})
        world.zfs.set_properties([a], {note: "y"})
        (of_a,), (of_b,) = take(world, a, "s"), take(world, b, "s")
        world.zfs.set_properties([of_a, of_b], {note: "x"})
        found = world.zfs.inventory(world.root, only=(note,))
        seen = {str(d.name): d.properties.get(note) for d in found}
        assert seen == {str(world.root): "x", str(a): "y", str(b): None}
        assert {s.name: s.properties for s in found.snapshots()} == {of_a: {note: "x"}, of_b: {}}

    def test_a_look_at_snapshots_shows_them_as_they_are_and_leaves_out_missing(
        self, world: World
    ) -> None:
        one, two = take(world, world.root, "s", "t")
        world.zfs.hold([two], "mine")
        found = world.zfs.look([one, two, world.root.at("none"), (world.root / "no").at("s")])
        assert list(found) == [one, two]
        assert [s.userrefs for s in found.values()] == [0, 1]
        assert [s.guid for s in found.values()] == [
            s.guid for s in seen(world, world.root).snapshots
        ]
        assert world.zfs.look([]) == {}

    def test_it_is_root_and_below_sorted_and_nothing_beside(self, world: World) -> None:
        for word in ("b", "a", "a-b", "a/x"):
            child(world, word)
        names = [d.name.relative_to(world.root) for d in world.zfs.inventory(world.root)]
        assert names == ["", "a", "a-b", "a/x", "b"]
        below = [str(d.name) for d in world.zfs.inventory(world.root / "a")]
        assert below == [f"{world.root}/a", f"{world.root}/a/x"]

    def test_mounts_and_mountpoints_are_shown(self, world: World) -> None:
        a = child(world, "a")
        above, found = seen(world, world.root), seen(world, a)
        assert found.mounted
        assert found.mountpoint == f"{above.mountpoint}/a"
        world.zfs.unmount(a)
        assert not seen(world, a).mounted

    def test_no_mountpoint_is_none(self, world: World) -> None:
        world.zfs.create(world.root / "a", {"mountpoint": "none"})
        assert seen(world, world.root / "a").mountpoint is None

    def test_data_shows_in_written_and_referenced(self, world: World) -> None:
        take(world, world.root, "empty")
        world.write(world.root, MIB)
        take(world, world.root, "full", "same")
        empty, full, same = seen(world, world.root).snapshots
        assert full.written >= MIB > same.written
        assert full.referenced >= empty.referenced + MIB
        assert seen(world, world.root).used >= MIB

    @pytest.mark.parametrize("word", ["a:b", "1.2.3", "x-y_z", "UPPER", "a" * 60])
    def test_unusual_names_are_legal(self, world: World, word: str) -> None:
        dataset = child(world, word)
        (name,) = take(world, dataset, word)
        world.zfs.hold([name], f"zrep:{word}")
        world.zfs.bookmark(name, word)
        assert snaps(world, dataset) == [word]
        assert seen(world, dataset).bookmarks[0].mark == word
        assert world.zfs.holds([name]) == {name: frozenset({f"zrep:{word}"})}

    def test_names_with_blanks_are_seen_and_disturb_nothing(self, world: World) -> None:
        a = child(world, "a")
        take(world, a, "s")
        world.zfs.set_properties([a], {"io.zrep:note": "x"})
        world.add_foreign()
        odd, held = world.root / "not ours", world.root.at("odd one")
        assert [d.name for d in world.zfs.inventory(world.root)] == [world.root, a, odd]
        assert snaps(world, world.root) == ["odd one"]
        assert snaps(world, odd) == ["a snapshot"]
        assert seen(world, a).properties == {"io.zrep:note": "x"}
        assert world.zfs.holds([held]) == {held: frozenset({"a tag"})}
        assert world.zfs.destroy_snapshots([held, odd.at("a snapshot")]).keys() == {held}
        assert snaps(world, odd) == []

    def test_it_costs_two_commands_however_many_datasets(self, world: World) -> None:
        for word in ("a", "b", "c", "d"):
            take(world, child(world, word), "s")
        before = world.commands
        world.zfs.inventory(world.root)
        assert world.commands - before <= 2


class TestDestroySnapshots:
    def test_all_that_were_named_go_and_no_other(self, world: World) -> None:
        a, _, c = take(world, world.root, "a", "b", "c")
        assert world.zfs.destroy_snapshots([a, c]) == {}
        assert snaps(world, world.root) == ["b"]

    def test_what_is_gone_already_counts_as_destroyed(self, world: World) -> None:
        (a,) = take(world, world.root, "a")
        elsewhere = (world.root / "nowhere").at("a")
        assert world.zfs.destroy_snapshots([world.root.at("never"), a, elsewhere]) == {}
        assert world.zfs.destroy_snapshots([world.root.at("never")]) == {}
        assert snaps(world, world.root) == []

    def test_a_held_one_stays_with_its_reason_and_the_rest_goes(self, world: World) -> None:
        a, b, c = take(world, world.root, "a", "b", "c")
        world.zfs.hold([b], "keep")
        refused = world.zfs.destroy_snapshots([a, b, c])
        assert list(refused) == [b]
        assert "held" in refused[b]
        assert snaps(world, world.root) == ["b"]

    def test_a_cloned_one_stays_with_its_reason_and_the_rest_goes(self, world: World) -> None:
        a, b, c = take(world, world.root, "a", "b", "c")
        world.zfs.clone(b, world.root / "clone", {})
        refused = world.zfs.destroy_snapshots([a, b, c])
        assert list(refused) == [b]
        assert "clone" in refused[b]
        assert snaps(world, world.root) == ["b"]

    def test_reasons_are_told_apart_over_several_datasets(self, world: World) -> None:
        x, y = child(world, "x"), child(world, "y")
        names = [*take(world, x, "a", "b", "c"), *take(world, y, "a", "b", "c")]
        world.zfs.hold([x.at("a"), y.at("b")], "keep")
        world.zfs.clone(x.at("b"), world.root / "clone", {})
        refused = world.zfs.destroy_snapshots(names)
        reasons = {str(n.dataset)[-1] + n.snap: why for n, why in refused.items()}
        assert sorted(reasons) == ["xa", "xb", "yb"]
        assert "held" in reasons["xa"]
        assert "clone" in reasons["xb"]
        assert reasons["yb"] == reasons["xa"]
        assert (snaps(world, x), snaps(world, y)) == (["a", "b"], ["b"])

    def test_nothing_named_nothing_done(self, world: World) -> None:
        take(world, world.root, "a")
        assert world.zfs.destroy_snapshots([]) == {}
        assert snaps(world, world.root) == ["a"]

    def test_a_hundred_go_with_one_command_per_dataset_at_most(self, world: World) -> None:
        parts = [world.root / f"d{n}" for n in range(10)]
        for part in parts:
            world.zfs.create(part, {}, mount=False)
        for n in range(10):
            world.zfs.snapshot([d.at(f"zrep_20260101_{n:06d}_hourly") for d in parts], {})
        names = [s.name for s in world.zfs.inventory(world.root).snapshots()]
        assert len(names) == 100
        before = world.commands
        assert world.zfs.destroy_snapshots(names) == {}
        assert world.commands - before <= len(parts)
        assert list(world.zfs.inventory(world.root).snapshots()) == []


class TestHolds:
    def test_tags_are_shown_per_snapshot(self, world: World) -> None:
        a, b, c = take(world, world.root, "a", "b", "c")
        world.zfs.hold([a, b], "zrep:one")
        world.zfs.hold([a], "zrep:two")
        assert world.zfs.holds([a, b, c]) == {
            a: frozenset({"zrep:one", "zrep:two"}),
            b: frozenset({"zrep:one"}),
            c: frozenset(),
        }

    def test_of_no_snapshots_there_are_none(self, world: World) -> None:
        assert world.zfs.holds([]) == {}

    def test_of_a_missing_snapshot_there_is_an_error(self, world: World) -> None:
        with pytest.raises(DatasetMissing):
            world.zfs.holds([world.root.at("never")])

    def test_holding_again_is_fine(self, world: World) -> None:
        names = take(world, world.root, "a", "b")
        world.zfs.hold(names, "t")
        world.zfs.hold(names, "t")
        assert set(world.zfs.holds(names).values()) == {frozenset({"t"})}

    def test_one_that_has_the_tag_does_not_keep_others_from_it(self, world: World) -> None:
        names = take(world, world.root, "a", "b", "c")
        world.zfs.hold(names[1:2], "t")
        world.zfs.hold(names, "t")
        assert set(world.zfs.holds(names).values()) == {frozenset({"t"})}

    def test_a_missing_one_keeps_all_from_being_held(self, world: World) -> None:
        a, b = take(world, world.root, "a", "b")
        world.zfs.hold([a], "t")
        with pytest.raises(DatasetMissing):
            world.zfs.hold([b, a, world.root.at("never")], "t")
        assert world.zfs.holds([a, b]) == {a: frozenset({"t"}), b: frozenset()}

    def test_holding_nothing_is_fine(self, world: World) -> None:
        world.zfs.hold([], "t")
        world.zfs.release([], "t")
        assert snaps(world, world.root) == []

    def test_release_takes_one_tag_and_leaves_others(self, world: World) -> None:
        names = take(world, world.root, "a", "b")
        world.zfs.hold(names, "t")
        world.zfs.hold(names, "u")
        world.zfs.release(names, "t")
        assert set(world.zfs.holds(names).values()) == {frozenset({"u"})}

    def test_releasing_what_is_not_held_or_not_there_is_fine(self, world: World) -> None:
        a, b = take(world, world.root, "a", "b")
        world.zfs.hold([b], "t")
        world.zfs.release([a, world.root.at("never"), b, (world.root / "no").at("x")], "t")
        assert world.zfs.holds([a, b]) == {a: frozenset(), b: frozenset()}

    def test_after_release_it_can_be_destroyed(self, world: World) -> None:
        (a,) = take(world, world.root, "a")
        world.zfs.hold([a], "t")
        assert list(world.zfs.destroy_snapshots([a])) == [a]
        world.zfs.release([a], "t")
        assert world.zfs.destroy_snapshots([a]) == {}


class TestBookmarks:
    def test_the_same_again_is_fine(self, world: World) -> None:
        (a,) = take(world, world.root, "a")
        world.zfs.bookmark(a, "m")
        world.zfs.bookmark(a, "m")
        assert [b.mark for b in seen(world, world.root).bookmarks] == ["m"]

    def test_of_another_snapshot_is_refused_and_the_first_stays(self, world: World) -> None:
        a, b = take(world, world.root, "a", "b")
        world.zfs.bookmark(a, "m")
        with pytest.raises(DatasetExists):
            world.zfs.bookmark(b, "m")
        found = seen(world, world.root)
        assert found.bookmarks[0].guid == found.snapshots[0].guid

    def test_of_a_missing_snapshot_is_an_error(self, world: World) -> None:
        with pytest.raises(DatasetMissing):
            world.zfs.bookmark(world.root.at("never"), "m")

    def test_it_outlives_its_snapshot(self, world: World) -> None:
        (a,) = take(world, world.root, "a")
        guid = seen(world, world.root).snapshots[0].guid
        world.zfs.bookmark(a, "m")
        world.zfs.destroy_snapshots([a])
        assert [b.guid for b in seen(world, world.root).bookmarks] == [guid]

    def test_they_are_in_the_order_of_their_snapshots(self, world: World) -> None:
        a, b = take(world, world.root, "a", "b")
        world.zfs.bookmark(b, "first")
        world.zfs.bookmark(a, "second")
        assert [m.mark for m in seen(world, world.root).bookmarks] == ["second", "first"]

    def test_destroying_is_fine_when_it_is_gone_already(self, world: World) -> None:
        (a,) = take(world, world.root, "a")
        world.zfs.bookmark(a, "m")
        world.zfs.destroy_bookmark(world.root, "m")
        world.zfs.destroy_bookmark(world.root, "m")
        world.zfs.destroy_bookmark(world.root / "nowhere", "m")
        assert seen(world, world.root).bookmarks == ()
        assert snaps(world, world.root) == ["a"]


class TestCreate:
    def test_it_has_its_properties_and_is_mounted(self, world: World) -> None:
        words = {"compression": "gzip-7", "io.zrep:note": 'it\'s "x" $y'}
        world.zfs.create(world.root / "a", words)
        assert world.zfs.get(world.root / "a", list(words)) == words
        assert seen(world, world.root / "a").mounted

    def test_it_stays_unmounted_when_asked(self, world: World) -> None:
        world.zfs.create(world.root / "a", {}, mount=False)
        assert not seen(world, world.root / "a").mounted
        world.zfs.mount(world.root / "a")
        assert seen(world, world.root / "a").mounted

    @pytest.mark.parametrize("canmount", ["off", "noauto"])
    def test_canmount_keeps_it_from_being_mounted(self, world: World, canmount: str) -> None:
        world.zfs.create(world.root / "a", {"canmount": canmount})
        assert not seen(world, world.root / "a").mounted

    def test_a_missing_parent_is_an_error(self, world: World) -> None:
        with pytest.raises(DatasetMissing):
            world.zfs.create(world.root / "a/b", {})
        assert world.zfs.inventory(world.root).get(world.root / "a") is None

    def test_an_existing_one_is_an_error(self, world: World) -> None:
        before = seen(world, child(world, "a")).guid
        with pytest.raises(DatasetExists):
            world.zfs.create(world.root / "a", {})
        assert seen(world, world.root / "a").guid == before

    def test_an_unknown_property_keeps_it_from_being_made(self, world: World) -> None:
        with pytest.raises(ZfsError):
            world.zfs.create(world.root / "a", {"nonsense": "on"})
        assert world.zfs.inventory(world.root).get(world.root / "a") is None


class TestClone:
    def test_it_has_the_data_and_is_mounted(self, world: World) -> None:
        world.write(world.root, MIB)
        (a,) = take(world, world.root, "a")
        world.zfs.clone(a, world.root / "c", {"readonly": "on", "io.zrep:session": "s"})
        found = seen(world, world.root / "c")
        assert (found.mounted, found.origin) == (True, a)
        assert found.referenced >= MIB
        assert found.properties == {"io.zrep:session": "s"}
        assert world.zfs.get(found.name, ["readonly"]) == {"readonly": "on"}

    def test_noauto_is_mounted_only_by_mount(self, world: World) -> None:
        (a,) = take(world, world.root, "a")
        world.zfs.clone(a, world.root / "c", {"canmount": "noauto"})
        assert not seen(world, world.root / "c").mounted
        world.zfs.mount(world.root / "c")
        assert seen(world, world.root / "c").mounted

    def test_of_a_missing_snapshot_is_an_error(self, world: World) -> None:
        with pytest.raises(DatasetMissing):
            world.zfs.clone(world.root.at("never"), world.root / "c", {})

    def test_over_an_existing_dataset_is_an_error(self, world: World) -> None:
        (a,) = take(world, world.root, "a")
        child(world, "c")
        with pytest.raises(DatasetExists):
            world.zfs.clone(a, world.root / "c", {})
        assert seen(world, world.root / "c").origin is None

    def test_below_a_missing_parent_is_an_error(self, world: World) -> None:
        (a,) = take(world, world.root, "a")
        with pytest.raises(DatasetMissing):
            world.zfs.clone(a, world.root / "no/c", {})

    def test_once_destroyed_its_origin_can_go(self, world: World) -> None:
        (a,) = take(world, world.root, "a")
        world.zfs.clone(a, world.root / "c", {})
        world.zfs.destroy(world.root / "c")
        assert world.zfs.destroy_snapshots([a]) == {}


class TestMounts:
    def test_it_tells_where_all_are_that_are_mounted(self, world: World) -> None:
        a, b = child(world, "a"), child(world, "b")
        world.zfs.create(world.root / "c", {"canmount": "off"})
        below = child(world, "a/below")
        world.zfs.unmount(b)
        there = {n: seen(world, n).mountpoint for n in (world.root, a, below)}
        assert world.zfs.mounts(world.root) == there
        assert world.zfs.mounts(a) == {n: there[n] for n in (a, below)}

    def test_neighbours_of_like_names_are_none_of_it(self, world: World) -> None:
        a, _ = child(world, "a"), child(world, "ab")
        assert list(world.zfs.mounts(a)) == [a]

    def test_what_is_not_mounted_or_not_there_has_none(self, world: World) -> None:
        a = child(world, "a")
        world.zfs.unmount(a)
        assert world.zfs.mounts(a) == {}
        assert world.zfs.mounts(world.root / "nowhere") == {}


class TestMount:
    def test_both_ways_twice_is_fine(self, world: World) -> None:
        a = child(world, "a")
        world.zfs.mount(a)
        assert seen(world, a).mounted
        world.zfs.unmount(a)
        world.zfs.unmount(a)
        assert not seen(world, a).mounted

    @pytest.mark.parametrize("words", [{"canmount": "off"}, {"mountpoint": "none"}])
    def test_what_cannot_be_mounted_is_an_error(self, world: World, words: dict[str, str]) -> None:
        world.zfs.create(world.root / "a", words)
        with pytest.raises(ZfsError):
            world.zfs.mount(world.root / "a")
        assert not seen(world, world.root / "a").mounted

    def test_a_missing_dataset_is_an_error_both_ways(self, world: World) -> None:
        with pytest.raises(DatasetMissing):
            world.zfs.mount(world.root / "nowhere")
        with pytest.raises(DatasetMissing):
            world.zfs.unmount(world.root / "nowhere")

    def test_one_in_use_stays_mounted(self, world: World) -> None:
        a = child(world, "a")
        with world.use(a):
            with pytest.raises(DatasetBusy):
                world.zfs.unmount(a)
            assert seen(world, a).mounted
        world.zfs.unmount(a)
        assert not seen(world, a).mounted

    def test_unmounting_takes_along_what_is_mounted_below(self, world: World) -> None:
        a, b = child(world, "a"), child(world, "a/b")
        world.zfs.unmount(a)
        assert not seen(world, a).mounted
        assert not seen(world, b).mounted


class TestDestroy:
    def test_a_mounted_one_goes(self, world: World) -> None:
        a = child(world, "a")
        world.zfs.destroy(a)
        assert world.zfs.inventory(world.root).get(a) is None

    def test_a_missing_one_is_an_error(self, world: World) -> None:
        with pytest.raises(DatasetMissing):
            world.zfs.destroy(world.root / "nowhere")

    def test_one_in_use_stays(self, world: World) -> None:
        a = child(world, "a")
        with world.use(a), pytest.raises(DatasetBusy):
            world.zfs.destroy(a)
        assert seen(world, a).mounted

    def test_one_with_children_stays(self, world: World) -> None:
        a, b = child(world, "a"), child(world, "a/b")
        with pytest.raises(DatasetBusy):
            world.zfs.destroy(a)
        assert seen(world, b).mounted

    def test_one_with_snapshots_stays(self, world: World) -> None:
        a = child(world, "a")
        take(world, a, "s")
        with pytest.raises(DatasetBusy):
            world.zfs.destroy(a)
        assert snaps(world, a) == ["s"]


class TestProperties:
    def test_all_get_them(self, world: World) -> None:
        a, b = child(world, "a"), child(world, "b")
        take(world, a, "s")
        words = {"io.zrep:one": "1", "io.zrep:two": "a b"}
        world.zfs.set_properties([a, b, a.at("s")], words)
        assert seen(world, a).properties == words
        assert seen(world, b).properties == words
        assert seen(world, a).snapshots[0].properties == words

    def test_others_stay_and_the_same_are_replaced(self, world: World) -> None:
        world.zfs.set_properties([world.root], {"io.zrep:one": "1", "io.zrep:two": "2"})
        world.zfs.set_properties([world.root], {"io.zrep:two": "3"})
        assert seen(world, world.root).properties == {"io.zrep:one": "1", "io.zrep:two": "3"}

    def test_of_something_missing_is_an_error(self, world: World) -> None:
        with pytest.raises(DatasetMissing):
            world.zfs.set_properties([world.root / "nowhere"], {"io.zrep:one": "1"})
        with pytest.raises(DatasetMissing):
            world.zfs.set_properties([world.root.at("never")], {"io.zrep:one": "1"})

    def test_nothing_to_set_or_nowhere_is_fine(self, world: World) -> None:
        world.zfs.set_properties([], {"io.zrep:one": "1"})
        world.zfs.set_properties([world.root], {})
        assert seen(world, world.root).properties == {}

    def test_native_values_are_inherited_and_unset_ones_are_dashes(self, world: World) -> None:
        world.zfs.set_properties([world.root], {"compression": "gzip-7", "io.zrep:up": "x"})
        a = child(world, "a")
        wanted = ["compression", "io.zrep:up", "io.zrep:none", "origin", "type", "mounted"]
        assert world.zfs.get(a, wanted) == {
            "compression": "gzip-7",
            "io.zrep:up": "x",
            "io.zrep:none": "-",
            "origin": "-",
            "type": "filesystem",
            "mounted": "yes",
        }

    def test_canmount_is_not_inherited(self, world: World) -> None:
        world.zfs.create(world.root / "a", {"canmount": "off"})
        world.zfs.create(world.root / "a/b", {})
        assert world.zfs.get(world.root / "a/b", ["canmount"]) == {"canmount": "on"}

    def test_an_unknown_name_or_dataset_is_an_error(self, world: World) -> None:
        with pytest.raises(ZfsError):
            world.zfs.get(world.root, ["nonsense"])
        with pytest.raises(DatasetMissing):
            world.zfs.get(world.root / "nowhere", ["guid"])

    def test_setting_canmount_off_unmounts(self, world: World) -> None:
        a = child(world, "a")
        world.zfs.set_properties([a], {"canmount": "off"})
        assert not seen(world, a).mounted


class TestStreams:
    def test_a_full_stream_brings_guid_and_time_but_no_properties(self, world: World) -> None:
        a, copy = child(world, "a"), world.root / "copy"
        world.write(a, MIB)
        world.zfs.snapshot([a.at("s")], {"io.zrep:set": "x"})
        world.zfs.set_properties([a], {"io.zrep:note": "x", "canmount": "noauto"})
        world.pipe(SendSpec(snapshot=a.at("s")), copy)
        sent, got = seen(world, a).snapshots[0], seen(world, copy)
        assert [s.guid for s in got.snapshots] == [sent.guid]
        assert got.snapshots[0].creation == sent.creation
        assert got.snapshots[0].properties == got.properties == {}
        assert not got.mounted
        assert got.referenced >= MIB

    @pytest.mark.parametrize(
        ("intermediates", "arrived"), [(False, ["a", "d"]), (True, ["a", "b", "c", "d"])]
    )
    def test_an_increment_brings_the_last_or_all_between(
        self, world: World, intermediates: bool, arrived: list[str]
    ) -> None:
        copy = world.root / "copy"
        story(world, child(world, "x"), "a", "b", "c", "d")
        x = world.root / "x"
        world.pipe(SendSpec(snapshot=x.at("a")), copy)
        world.pipe(SendSpec(snapshot=x.at("d"), base="@a", intermediates=intermediates), copy)
        assert snaps(world, copy) == arrived
        guids = {s.name.snap: s.guid for s in seen(world, x).snapshots}
        assert [s.guid for s in seen(world, copy).snapshots] == [guids[w] for w in arrived]

    def test_a_bookmark_is_base_enough(self, world: World) -> None:
        x, copy = child(world, "x"), world.root / "copy"
        story(world, x, "a", "b")
        world.pipe(SendSpec(snapshot=x.at("a")), copy)
        world.zfs.bookmark(x.at("a"), "m")
        world.zfs.destroy_snapshots([x.at("a")])
        world.pipe(SendSpec(snapshot=x.at("b"), base="#m"), copy)
        assert snaps(world, copy) == ["a", "b"]

    def test_a_copy_can_be_sent_on(self, world: World) -> None:
        x, copy, third = child(world, "x"), world.root / "copy", world.root / "third"
        story(world, x, "a", "b")
        world.pipe(SendSpec(snapshot=x.at("a")), copy)
        world.pipe(SendSpec(snapshot=copy.at("a")), third)
        world.pipe(SendSpec(snapshot=x.at("b"), base="@a"), third)
        assert snaps(world, third) == ["a", "b"]

    def test_raw_travels_as_well(self, world: World) -> None:
        x = child(world, "x")
        story(world, x, "a")
        world.pipe(SendSpec(snapshot=x.at("a"), raw=True), world.root / "copy")
        assert snaps(world, world.root / "copy") == ["a"]

    def _refused(
        self, world: World, spec: SendSpec, copy: DatasetName, error: type[ZfsError]
    ) -> None:
        before = layout(world)
        with pytest.raises(ZfsError) as caught:
            world.pipe(spec, copy)
        assert type(caught.value) is error
        assert layout(world) == before

    def test_a_base_that_is_not_the_newest_there_is_refused(self, world: World) -> None:
        x, copy = child(world, "x"), world.root / "copy"
        story(world, x, "a", "b", "c")
        world.pipe(SendSpec(snapshot=x.at("a")), copy)
        self._refused(world, SendSpec(snapshot=x.at("c"), base="@b"), copy, ZfsError)

    def test_a_snapshot_of_its_own_without_new_data_does_not_matter(self, world: World) -> None:
        x, copy = child(world, "x"), world.root / "copy"
        story(world, x, "a", "b")
        world.pipe(SendSpec(snapshot=x.at("a")), copy)
        take(world, copy, "own")
        world.pipe(SendSpec(snapshot=x.at("b"), base="@a"), copy)
        assert snaps(world, copy) == ["a", "own", "b"]

    def test_a_snapshot_of_its_own_with_new_data_makes_it_refuse(self, world: World) -> None:
        x, copy = child(world, "x"), world.root / "copy"
        story(world, x, "a", "b")
        world.pipe(SendSpec(snapshot=x.at("a")), copy)
        world.zfs.mount(copy)
        story(world, copy, "own")
        self._refused(world, SendSpec(snapshot=x.at("b"), base="@a"), copy, ZfsError)

    def test_a_receiver_that_lost_its_newest_refuses_older_bases(self, world: World) -> None:
        x, copy = child(world, "x"), world.root / "copy"
        story(world, x, "a", "b", "c")
        world.pipe(SendSpec(snapshot=x.at("a")), copy)
        world.pipe(SendSpec(snapshot=x.at("b"), base="@a"), copy)
        world.zfs.destroy_snapshots([copy.at("b")])
        self._refused(world, SendSpec(snapshot=x.at("c"), base="@a"), copy, ZfsError)

    def test_pruned_history_in_between_does_not_matter(self, world: World) -> None:
        x, copy = child(world, "x"), world.root / "copy"
        story(world, x, "a", "b", "c", "d")
        world.pipe(SendSpec(snapshot=x.at("b")), copy)
        before = world.zfs.send_size(SendSpec(snapshot=x.at("d"), base="@b"))
        world.zfs.destroy_snapshots([x.at("a"), x.at("c")])
        assert world.zfs.send_size(SendSpec(snapshot=x.at("d"), base="@b")) == before
        world.pipe(SendSpec(snapshot=x.at("d"), base="@b"), copy)
        assert snaps(world, copy) == ["b", "d"]

    def test_another_snapshot_of_that_name_makes_it_refuse(self, world: World) -> None:
        x, copy = child(world, "x"), world.root / "copy"
        story(world, x, "a", "b")
        world.pipe(SendSpec(snapshot=x.at("a")), copy)
        take(world, copy, "b")
        self._refused(world, SendSpec(snapshot=x.at("b"), base="@a"), copy, DatasetExists)

    def test_what_has_arrived_already_is_skipped(self, world: World) -> None:
        x, copy = child(world, "x"), world.root / "copy"
        story(world, x, "a", "b", "c")
        world.pipe(SendSpec(snapshot=x.at("a")), copy)
        world.pipe(SendSpec(snapshot=x.at("b"), base="@a"), copy)
        before = layout(world)
        world.pipe(SendSpec(snapshot=x.at("b"), base="@a"), copy)
        assert layout(world) == before
        world.pipe(SendSpec(snapshot=x.at("c"), base="@a", intermediates=True), copy)
        assert snaps(world, copy) == ["a", "b", "c"]

    def test_changed_data_make_the_receiver_refuse(self, world: World) -> None:
        x, copy = child(world, "x"), world.root / "copy"
        story(world, x, "a", "b")
        world.pipe(SendSpec(snapshot=x.at("a")), copy)
        world.zfs.mount(copy)
        world.write(copy)
        self._refused(world, SendSpec(snapshot=x.at("b"), base="@a"), copy, ZfsError)

    def test_a_full_stream_over_an_existing_dataset_is_refused(self, world: World) -> None:
        x, copy = child(world, "x"), child(world, "copy")
        story(world, x, "a")
        self._refused(world, SendSpec(snapshot=x.at("a")), copy, DatasetExists)

    def test_an_increment_into_nothing_is_refused(self, world: World) -> None:
        x = child(world, "x")
        story(world, x, "a", "b")
        spec = SendSpec(snapshot=x.at("b"), base="@a")
        self._refused(world, spec, world.root / "copy", DatasetMissing)

    def test_a_full_stream_below_a_missing_parent_is_refused(self, world: World) -> None:
        x = child(world, "x")
        story(world, x, "a")
        self._refused(world, SendSpec(snapshot=x.at("a")), world.root / "no/copy", DatasetMissing)

    @pytest.mark.parametrize("base", ["@never", "#never"])
    def test_a_missing_base_is_an_error(self, world: World, base: str) -> None:
        take(world, world.root, "a")
        with pytest.raises(DatasetMissing):
            world.zfs.send_size(SendSpec(snapshot=world.root.at("a"), base=base))

    def test_a_missing_snapshot_is_an_error(self, world: World) -> None:
        with pytest.raises(DatasetMissing):
            world.zfs.send_size(SendSpec(snapshot=world.root.at("never")))

    def test_the_estimate_grows_with_the_data(self, world: World) -> None:
        take(world, world.root, "a")
        world.write(world.root, MIB)
        take(world, world.root, "b", "c")
        full = world.zfs.send_size(SendSpec(snapshot=world.root.at("c")))
        step = world.zfs.send_size(SendSpec(snapshot=world.root.at("b"), base="@a"))
        none = world.zfs.send_size(SendSpec(snapshot=world.root.at("c"), base="@b"))
        assert none < MIB / 2 < step <= full < 4 * MIB


class TestResume:
    def _broken(self, world: World, copy: DatasetName, *, first: bool) -> SendSpec:
        """A receive that was cut: of the full stream, or of the increment after it."""
        x = child(world, "x")
        world.write(x, 4 * MIB)
        take(world, x, "a")
        spec = SendSpec(snapshot=x.at("a"))
        if not first:
            world.pipe(spec, copy)
            world.write(x, 4 * MIB)
            take(world, x, "b")
            spec = SendSpec(snapshot=x.at("b"), base="@a")
        world.break_pipe(spec, copy)
        return spec

    @pytest.mark.parametrize(("first", "arrived"), [(True, ["a"]), (False, ["a", "b"])])
    def test_a_cut_receive_leaves_a_token_that_finishes_it(
        self, world: World, first: bool, arrived: list[str]
    ) -> None:
        copy = world.root / "copy"
        spec = self._broken(world, copy, first=first)
        token = seen(world, copy).resume_token
        assert token is not None
        assert snaps(world, copy) == arrived[:-1]
        world.pipe(SendSpec(snapshot=spec.snapshot, token=token), copy)
        found = seen(world, copy)
        assert found.resume_token is None
        assert snaps(world, copy) == arrived
        assert found.snapshots[-1].guid == seen(world, world.root / "x").snapshots[-1].guid

    def test_the_rest_is_less_than_the_whole(self, world: World) -> None:
        copy = world.root / "copy"
        spec = self._broken(world, copy, first=True)
        rest = SendSpec(snapshot=spec.snapshot, token=seen(world, copy).resume_token)
        assert 0 < world.zfs.send_size(rest) < world.zfs.send_size(spec)

    def test_another_stream_is_refused_as_busy(self, world: World) -> None:
        copy = world.root / "copy"
        spec = self._broken(world, copy, first=False)
        before = layout(world)
        with pytest.raises(DatasetBusy):
            world.pipe(spec, copy)
        assert layout(world) == before

    def test_the_same_full_stream_again_is_refused(self, world: World) -> None:
        copy = world.root / "copy"
        spec = self._broken(world, copy, first=True)
        before = layout(world)
        with pytest.raises(DatasetExists):
            world.pipe(spec, copy)
        assert layout(world) == before

    def test_aborting_the_first_receive_takes_its_dataset_along(self, world: World) -> None:
        copy = world.root / "copy"
        spec = self._broken(world, copy, first=True)
        world.zfs.abort_receive(copy)
        assert world.zfs.inventory(world.root).get(copy) is None
        world.zfs.abort_receive(copy)
        world.pipe(spec, copy)
        assert snaps(world, copy) == ["a"]

    def test_aborting_a_later_receive_leaves_the_snapshots(self, world: World) -> None:
        copy = world.root / "copy"
        spec = self._broken(world, copy, first=False)
        world.zfs.abort_receive(copy)
        assert seen(world, copy).resume_token is None
        assert snaps(world, copy) == ["a"]
        world.zfs.abort_receive(copy)
        world.pipe(spec, copy)
        assert snaps(world, copy) == ["a", "b"]

    def test_a_token_whose_snapshot_is_gone_is_an_error(self, world: World) -> None:
        copy = world.root / "copy"
        spec = self._broken(world, copy, first=True)
        token = seen(world, copy).resume_token
        world.zfs.destroy_snapshots([spec.snapshot])
        with pytest.raises(DatasetMissing):
            world.zfs.send_size(SendSpec(snapshot=spec.snapshot, token=token))
