"""Each version of a path is listed once with its backups, and where it was gone is said."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import pytest

from tests.unit.shelves import CONFIGURED, DOCKER, MAIL, World, files, nothing
from zrep.config import load
from zrep.engine.browse import Shelf, find_versions, shelf_of
from zrep.engine.site import open_site
from zrep.errors import Refused, UnknownName, UsageError
from zrep.model.key import SourceKey
from zrep.model.names import BackupId
from zrep.model.source import Method, Source
from zrep.model.tree import Entry, Kind
from zrep.planner.locate import Location, locate
from zrep.planner.versions import PathHistory, Sighting, history_of
from zrep.report.files import history_json, render_history


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def found(shelf: Shelf, path: str) -> PathHistory:
    return find_versions(shelf, shelf.locate(path))


def told(history: PathHistory) -> list[tuple[int, list[str]]]:
    return [(v.entry.size, [str(b)[-2:] for b in v.backups]) for v in history.versions]


def test_a_file_that_changed_and_went_and_came_back(world: World) -> None:
    texts = ("a", "a", "bb", None, "a")
    for second, text in enumerate(texts):
        world.backup(second, {DOCKER: nothing if text is None else files(etc__x=text)})
    history = found(world.shelf(), "manager-1/docker/etc/x")
    assert told(history) == [(1, ["00", "01", "04"]), (2, ["02"])]
    assert [(str(d.after)[-2:], [str(b)[-2:] for b in d.backups]) for d in history.deletions] == [
        ("02", ["03"])
    ]
    assert "deleted after 20220101_120002: not in 20220101_120003" in render_history(history)


def test_a_backup_without_the_source_says_nothing_of_its_files(world: World) -> None:
    world.backup(0, {DOCKER: files(x="a")})
    world.backup(1, {MAIL: nothing})
    history = found(world.shelf(), "/docker/x")
    assert told(history) == [(1, ["00"])]
    assert (history.deletions, history.before, history.unread) == ((), (), ())


def test_the_same_bytes_with_another_mode_are_another_version(world: World) -> None:
    def locked(folder: Path) -> None:
        files(x="a")(folder)
        (folder / "x").chmod(0o600)

    world.backup(0, {DOCKER: files(x="a")})
    world.backup(1, {DOCKER: locked})
    assert len(found(world.shelf(), "/docker/x").versions) == 2


def test_a_folder_changes_with_anything_below_it(world: World) -> None:
    world.backup(0, {DOCKER: files(a__b__x="1", a__y="2")})
    world.backup(1, {DOCKER: files(a__b__x="1", a__y="2")})
    world.backup(2, {DOCKER: files(a__b__x="12", a__y="2")})
    world.backup(3, {DOCKER: files(a__b__z="1", a__y="2")})
    history = found(world.shelf(), "/docker/a")
    assert told(history) == [(2, ["00", "01"]), (3, ["02"]), (2, ["03"])]
    assert {v.entry.kind for v in history.versions} == {Kind.FOLDER}


def test_a_file_in_place_of_a_folder_means_that_nothing_is_below(world: World) -> None:
    world.backup(0, {DOCKER: files(a__x="1")})
    world.backup(1, {DOCKER: files(a="1")})
    assert len(found(world.shelf(), "/docker/a/x").deletions) == 1
    kinds = [v.entry.kind for v in found(world.shelf(), "/docker/a").versions]
    assert kinds == [Kind.FOLDER, Kind.FILE]


def test_a_link_is_a_version_by_where_it_points_and_is_never_followed(
    world: World, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    world.backup(0, {DOCKER: lambda f: (f / "l").symlink_to(outside)})
    world.backup(1, {DOCKER: lambda f: (f / "l").symlink_to("/etc")})
    targets = [v.entry.target for v in found(world.shelf(), "/docker/l").versions]
    assert targets == [str(outside), "/etc"]
    through = found(world.shelf(), "/docker/l/secret")
    assert through.versions == ()
    assert [s.why for s in through.unread] == [
        f"l is a symbolic link to {outside}",
        "l is a symbolic link to /etc",
    ]


def test_a_backup_that_cannot_be_read_is_named_and_the_others_listed(
    world: World, tmp_path: Path
) -> None:
    world.backup(0, {DOCKER: files(x="a")})
    world.backup(1, {DOCKER: files(x="b")})
    snapshots = tmp_path / "manager-1/docker/.zfs/snapshot"
    (snapshots / "zrep_20220101_120001_hourly").rename(tmp_path / "lost")
    history = found(world.shelf(), "/docker/x")
    assert told(history) == [(1, ["00"])]
    [unread] = history.unread
    assert "No such file" in unread.why
    assert history_json("x", history)["unread"] == [
        {"backup": str(unread.backup), "why": unread.why}
    ]


def test_names_that_are_no_text_neither_break_a_table_nor_json(world: World) -> None:
    def odd(folder: Path) -> None:
        Path(os.fsdecode(os.fsencode(folder) + b"/\xff\n\x1b[2J")).write_text("x")

    world.backup(0, {DOCKER: odd})
    name = os.fsdecode(b"\xff\n\x1b[2J")
    history = found(world.shelf(), f"/docker/{name}")
    assert len(history.versions) == 1
    said = str(history_json(f"/docker/{name}", history)["path"])
    assert said == r"/docker/\xff\x0a\x1b[2J"


def test_a_pool_on_another_machine_is_refused_with_where_to_go(tmp_path: Path) -> None:
    path = tmp_path / "zrep.toml"
    path.write_text('[target]\ndataset = "b/c"\nhost = "far.example.org"\npolicy = "production"\n')
    config = load(path, policy_dirs=(Path(__file__).parents[2] / "policies",))
    with open_site(config) as site, pytest.raises(Refused, match=r"far\.example\.org") as refused:
        shelf_of(site)
    assert "run the same command there" in refused.value.next_step


ENTRIES = {
    text: Entry(kind=Kind.FILE, size=ord(text), mtime=1, mode=0o644, uid=0, gid=0) for text in "ab"
}


@pytest.mark.parametrize("length", range(7))
def test_every_short_history_adds_up(length: int) -> None:
    """Each sighting is in exactly one place, in order; a deletion lies between its neighbours."""
    backups = [BackupId(f"20220101_0000{i:02d}") for i in range(length)]
    for drawn in product("ab-?", repeat=length):
        history = history_of(
            [
                Sighting(backup=b, entry=ENTRIES.get(d), why="no" if d == "?" else "")
                for b, d in zip(backups, drawn, strict=True)
            ]
        )
        by_entry = {v.entry: v.backups for v in history.versions}
        at = dict(zip(backups, drawn, strict=True))
        for text, entry in ENTRIES.items():
            assert by_entry.get(entry, ()) == tuple(b for b in backups if at[b] == text)
        gone = [b for d in history.deletions for b in d.backups]
        assert [*history.before, *gone] == [b for b in backups if at[b] == "-"]
        assert [s.backup for s in history.unread] == [b for b in backups if at[b] == "?"]
        for deletion in history.deletions:
            assert at[deletion.after] in "ab"
            between = [b for b in backups if deletion.after < b <= deletion.backups[-1]]
            assert {at[b] for b in between} <= {"-", "?"}


LOCAL = tuple(
    Source(key=SourceKey(host, "local"), method=Method.DIR, path="/docker_local")
    for host in ("solr-1", "solr-2")
)
NGINX = Source(key=SourceKey("manager-1", "nginx"), method=Method.DIR, path="/docker/etc/nginx")
ALL = (*CONFIGURED, *LOCAL, NGINX)
KEYS = [s.key for s in ALL]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("manager-1/docker/etc/x", "manager-1/docker/etc/x"),
        ("manager-1/docker", "manager-1/docker"),
        ("manager-1//docker/./etc/", "manager-1/docker/etc"),
        ("/docker/etc/x", "manager-1/docker/etc/x"),
        ("/docker", "manager-1/docker"),
        ("/docker/etc/nginx/conf", "manager-1/nginx/conf"),
        ("/docker/etc/nginx2", "manager-1/docker/etc/nginx2"),
        ("/srv/mail/a", "manager-1/mail/a"),
    ],
)
def test_a_path_belongs_to_the_nearest_source(text: str, place: str) -> None:
    assert str(locate(text, KEYS, ALL)) == place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("etc/x", ("etc", "x")),
        ("/docker_local/x", ("x",)),
        ("solr-1/local/x", ("x",)),
        ("solr-2/local/x", ("solr-2", "local", "x")),
        ("", ()),
    ],
)
def test_with_a_source_a_path_lies_within_it(text: str, place: tuple[str, ...]) -> None:
    key = SourceKey("solr-1", "local")
    assert locate(text, KEYS, ALL, only=key) == Location(key=key, parts=place)


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("/docker_local/x", UsageError, "solr-1/local/x, solr-2/local/x"),
        ("/home/x", UnknownName, "manager-1/docker has /docker"),
        ("nobody/docker/x", UnknownName, "manager-1/docker"),
        ("", UnknownName, "manager-1/docker"),
        ("manager-1/docker/../mail/x", Refused, "leads out"),
        ("/docker/../etc/passwd", Refused, "leads out"),
        ("manager-1/docker/a\0b", UsageError, "NUL"),
    ],
)
def test_what_could_be_several_places_or_none_is_answered_with_what_there_is(
    text: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        locate(text, KEYS, ALL)
