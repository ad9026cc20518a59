"""Files of backups are compared and printed, and what may not be copied out is refused."""

from __future__ import annotations

import inspect
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.shelves import DOCKER, MAIL, World, files, nothing
from zrep.cli.cp_command import _split
from zrep.engine.browse import Shelf, content_of, diff_backups
from zrep.engine.copy_out import CopyPlan, apply_copy, plan_copy
from zrep.engine.tree import compare_trees, walk
from zrep.errors import Refused, UnknownName, UsageError, ZfsError
from zrep.model.tree import Entry, Kind
from zrep.planner.compare import Change, Verb, compare_folder
from zrep.report.files import change_json, render_change


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "pool")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def changes(shelf: Shelf, path: str | None = None) -> list[Change]:
    location = shelf.locate(path) if path else None
    return list(diff_backups(shelf, shelf.find("latest~1"), shelf.find("latest"), location))


def lines(shelf: Shelf, path: str | None = None) -> list[str]:
    return [render_change(c).partition(" (")[0] for c in changes(shelf, path)]


def test_a_diff_tells_what_came_went_and_changed(world: World) -> None:
    world.backup(0, {DOCKER: files(same="1", gone="1", grown="1", d__same="1", old__x="1")})
    world.backup(1, {DOCKER: files(same="1", new="1", grown="12", d__same="1", d__y="1")})
    assert lines(world.shelf()) == [
        "- manager-1/docker/gone",
        "M manager-1/docker/grown",
        "+ manager-1/docker/new",
        "- manager-1/docker/old/",
        "+ manager-1/docker/d/y",
    ]
    assert lines(world.shelf(), "/docker/d") == ["+ manager-1/docker/d/y"]
    assert lines(world.shelf(), "/docker/same") == []
    assert lines(world.shelf(), "/docker/grown") == ["M manager-1/docker/grown"]
    assert lines(world.shelf(), "/docker/never") == []


def chmod(path: Path) -> None:
    path.chmod(0o600)


def touch(path: Path) -> None:
    os.utime(path, ns=(10**18, 10**18 + 1))


def relink(path: Path) -> None:
    path.unlink()
    path.symlink_to("y")


def refill(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("alter", "fields"),
    [
        (chmod, {"mode"}),
        (touch, {"mtime"}),
        (relink, {"kind", "size", "mtime", "mode", "target"}),
        (refill, {"kind", "size", "mtime", "mode"}),
    ],
)
def test_a_change_names_what_differs(
    world: World, alter: Callable[[Path], None], fields: set[str]
) -> None:
    def altered(folder: Path) -> None:
        files(x="1")(folder)
        alter(folder / "x")

    world.backup(0, {DOCKER: files(x="1")})
    world.backup(1, {DOCKER: altered})
    [change] = changes(world.shelf())
    assert change.verb is Verb.CHANGED
    assert set(change.fields) == fields
    assert change_json(change)["fields"] == list(change.fields)


def test_a_source_that_only_one_backup_has_is_one_change(world: World) -> None:
    world.backup(0, {DOCKER: nothing})
    world.backup(1, {DOCKER: nothing, MAIL: files(x="1")})
    assert lines(world.shelf()) == ["+ manager-1/mail/"]
    with pytest.raises(UnknownName, match="does not hold manager-1/mail"):
        changes(world.shelf(), "/srv/mail/x")


NAMES = st.sampled_from(["a", "b", "c"])
ENTRIES = st.builds(
    Entry,
    kind=st.sampled_from(Kind),
    size=st.integers(0, 2),
    mtime=st.integers(0, 2),
    mode=st.sampled_from([0o600, 0o644]),
    uid=st.integers(0, 1),
    gid=st.just(0),
    target=st.sampled_from(["", "x"]),
)
FOLDERS = st.dictionaries(NAMES, ENTRIES)


@given(old=FOLDERS, new=FOLDERS)
def test_carrying_out_the_changes_of_a_folder_makes_the_other(
    old: dict[str, Entry], new: dict[str, Entry]
) -> None:
    made = dict(old)
    for change in compare_folder(old, new, at=""):
        if change.new is None:
            del made[change.path]
        else:
            made[change.path] = change.new
    assert made.keys() == new.keys()
    for name, entry in made.items():
        if entry != new[name]:
            assert entry.kind is new[name].kind is Kind.FOLDER
            assert (entry.mode, entry.uid, entry.target) == (
                new[name].mode,
                new[name].uid,
                new[name].target,
            )


TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.sampled_from("xy"), max_size=6
)


@settings(max_examples=40, deadline=None)
@given(old=TREES, new=TREES)
def test_two_trees_differ_exactly_where_their_files_do(
    old: dict[str, str], new: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    tops = [tmp_path_factory.mktemp("tree") for _ in range(2)]
    for top, tree in zip(tops, (old, new), strict=True):
        for name, text in sorted(tree.items()):
            path = top / name
            if not any(p.is_file() for p in path.parents) and not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text * (1 + (text == "y")))
                os.utime(path, ns=(1, 1))
    fds = [os.open(top, os.O_RDONLY) for top in tops]
    try:
        found = {c.path: c.verb for c in compare_trees(fds[0], fds[1], ())}
    finally:
        for fd in fds:
            os.close(fd)
    sets = [{str(p.relative_to(t)): p for p in t.rglob("*")} for t in tops]
    for name in sets[0].keys() | sets[1].keys():
        inside = any(str(above) in found for above in Path(name).parents)
        one, other = (s.get(name) for s in sets)
        if one and other:
            same = one.is_dir() == other.is_dir() and (
                one.is_dir() or one.stat().st_size == other.stat().st_size
            )
            assert (name in found) is not same
        else:
            assert (name in found) is not inside
    for top in tops:
        shutil.rmtree(top)


def test_a_tree_deeper_than_python_recurses_is_walked(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    top = os.dup(here)
    for _ in range(150):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(context=0)) + 50)
    try:
        assert sum(1 for _ in walk(top, ())) == 151
    finally:
        sys.setrecursionlimit(limit)
        os.close(top)
        shutil.rmtree(tmp_path / "d")


def cat(shelf: Shelf, path: str) -> bytes:
    location = shelf.locate(path)
    return b"".join(content_of(shelf, shelf.find("latest", location.key), location))


def test_cat_gives_the_bytes(world: World) -> None:
    content = bytes(range(256)) * 8192

    def fill(folder: Path) -> None:
        (folder / "x").write_bytes(content)

    world.backup(0, {DOCKER: fill})
    assert cat(world.shelf(), "/docker/x") == content


def outside(folder: Path) -> None:
    (folder / "d").mkdir()
    (folder / "d/file").write_text("inside")
    (folder / "up").symlink_to("..")
    (folder / "abs").symlink_to("/")
    (folder / "passwd").symlink_to("/etc/passwd")
    (folder / "near").symlink_to("d")
    os.mkfifo(folder / "fifo")


ESCAPES = ["abs/etc/passwd", "up/up/etc/passwd", "near/file", "d/../passwd", "../../../etc/passwd"]


@pytest.mark.parametrize("path", [*ESCAPES, "passwd", "fifo", "d", ""])
def test_cat_refuses_what_is_no_file_of_the_backup(world: World, path: str) -> None:
    world.backup(0, {DOCKER: outside})
    with pytest.raises(Refused):
        cat(world.shelf(), f"manager-1/docker/{path}")


@pytest.mark.parametrize("path", ["nothing", "d/file/below", "d/nothing/x"])
def test_what_is_not_in_the_backup_is_unknown(world: World, out: Path, path: str) -> None:
    world.backup(0, {DOCKER: outside})
    with pytest.raises(UnknownName, match="zrep find"):
        cat(world.shelf(), f"/docker/{path}")
    with pytest.raises(UnknownName, match="zrep find"):
        copy(world.shelf(), f"/docker/{path}", out)


def copy(shelf: Shelf, path: str, to: Path, *, force: bool = False) -> CopyPlan:
    location = shelf.locate(path)
    backup = shelf.find("latest", location.key)
    plan = plan_copy(shelf, backup, location, to, force=force)
    apply_copy(plan)
    return plan


def snapshot_of(top: Path) -> dict[str, object]:
    """Names, types, modes, times, link targets and contents below a folder."""
    found: dict[str, object] = {}
    for path in sorted(top.rglob("*")):
        seen = path.lstat()
        what = (
            path.readlink()
            if path.is_symlink()
            else path.read_bytes()
            if stat.S_ISREG(seen.st_mode)
            else None
        )
        found[str(path.relative_to(top))] = (seen.st_mode, seen.st_mtime_ns, what)
    return found


@pytest.mark.parametrize("path", ESCAPES)
def test_a_copy_never_leads_out_of_the_backup(world: World, out: Path, path: str) -> None:
    world.backup(0, {DOCKER: outside})
    with pytest.raises(Refused):
        copy(world.shelf(), f"manager-1/docker/{path}", out)
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("there", ["file", "folder", "link", "dangling"])
def test_nothing_is_overwritten_unless_forced(world: World, out: Path, there: str) -> None:
    world.backup(0, {DOCKER: files(x="new", d__y="new")})
    (out / "mine").write_text("mine")
    place = out / "x"
    match there:
        case "file":
            place.write_text("mine")
        case "folder":
            place.mkdir()
        case _:
            place.symlink_to("mine" if there == "link" else "nothing")
    before = snapshot_of(out)
    to = place if there != "folder" else out
    with pytest.raises(Refused):
        copy(world.shelf(), "/docker/x", to)
    assert snapshot_of(out) == before


@pytest.mark.parametrize("path", ["/docker/x", "/docker/d"])
def test_a_file_and_a_folder_never_take_each_others_place(
    world: World, out: Path, path: str
) -> None:
    world.backup(0, {DOCKER: files(x="1", d__y="1")})
    (out / "x").mkdir()
    (out / "d").write_text("mine")
    before = snapshot_of(out)
    with pytest.raises(Refused, match="move it away"):
        copy(world.shelf(), path, out, force=True)
    assert snapshot_of(out) == before


def test_a_destination_without_a_folder_or_among_the_backups_is_refused(
    world: World, out: Path
) -> None:
    world.backup(0, {DOCKER: files(x="1")})
    with pytest.raises(UsageError, match="mkdir -p"):
        copy(world.shelf(), "/docker/x", out / "a/b")
    (out / "sly").symlink_to(world.top)
    for to in (world.top / "manager-1/docker", out / "sly/manager-1/docker/y"):
        with pytest.raises(Refused, match="where backups are received"):
            copy(world.shelf(), "/docker/x", to)


def test_a_source_that_is_not_mounted_is_told_with_the_way_to_mount_it(world: World) -> None:
    world.backup(0, {DOCKER: files(x="1")})
    world.zfs.unmount(world.shelf().inventory.datasets[-1].name)
    with pytest.raises(ZfsError, match="zfs mount backup/current/manager-1/docker"):
        cat(world.shelf(), "/docker/x")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("latest:/docker/x", ("latest", "/docker/x")),
        ("latest~2:manager-1/docker/a:b", ("latest~2", "manager-1/docker/a:b")),
        ("@2026-11-23T10:00:/docker/x", ("@2026-11-23T10:00", "/docker/x")),
        ("@2026-11-23T10:00:00Z:manager-1/d", ("@2026-11-23T10:00:00Z", "manager-1/d")),
        ("@2026-11-23T10:00+01:00:/x", ("@2026-11-23T10:00+01:00", "/x")),
        ("@1795428000:/x", ("@1795428000", "/x")),
    ],
)
def test_an_origin_is_an_id_and_a_path(text: str, parts: tuple[str, str]) -> None:
    assert _split(click.Context(click.Command("cp")), click.Argument(["x"]), text) == parts


@pytest.mark.parametrize("text", ["latest", "latest:", ":/x", "/docker/x", "/a:b"])
def test_what_is_no_origin_is_a_usage_error(text: str) -> None:
    with pytest.raises(click.BadParameter):
        _split(click.Context(click.Command("cp")), click.Argument(["x"]), text)
