"""What zrep cp copies is what was there, in the place that was meant."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.unit.old_layout import FIRST, three_runs
from tests.unit.shelves import DOCKER, World, files
from tests.unit.test_diff_cat_and_cp_of_backups import copy, outside, snapshot_of
from zrep.engine.copy_out import apply_copy, plan_copy
from zrep.errors import CommandFailed, Refused


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "pool")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_a_copied_folder_is_the_same_in_all(world: World, out: Path) -> None:
    def odd(folder: Path) -> None:
        outside(folder)
        (folder / "d/file").chmod(0o640)
        os.link(folder / "d/file", folder / "d/second")
        os.utime(folder / "d", ns=(5, 5 * 10**17))
        os.setxattr(folder / "d/file", "user.zrep", b"kept")

    world.backup(0, {DOCKER: odd})
    copy(world.shelf(), "manager-1/docker", out)
    [origin] = (world.top / "manager-1/docker/.zfs/snapshot").iterdir()
    assert snapshot_of(out / "docker") == snapshot_of(origin)
    copied = out / "docker/d/file"
    assert copied.stat().st_ino == (out / "docker/d/second").stat().st_ino
    assert os.getxattr(copied, "user.zrep") == b"kept"
    assert [p.name for p in out.iterdir()] == ["docker"]


def test_a_copy_goes_into_a_folder_or_takes_the_name_given(world: World, out: Path) -> None:
    world.backup(0, {DOCKER: files(etc__x="1")})
    assert copy(world.shelf(), "/docker/etc/x", out).destination == out / "x"
    assert copy(world.shelf(), "/docker/etc/x", out / "y").destination == out / "y"
    assert copy(world.shelf(), "/docker/etc", out / "z").destination == out / "z"
    assert (out / "z/x").read_text() == (out / "y").read_text() == "1"


def test_a_link_is_copied_as_a_link(world: World, out: Path) -> None:
    world.backup(0, {DOCKER: outside})
    copy(world.shelf(), "/docker/passwd", out)
    assert str((out / "passwd").readlink()) == "/etc/passwd"


def test_force_takes_the_place_of_a_link_and_not_of_what_it_points_to(
    world: World, out: Path
) -> None:
    world.backup(0, {DOCKER: files(x="new")})
    (out / "mine").write_text("mine")
    (out / "x").symlink_to("mine")
    copy(world.shelf(), "/docker/x", out / "x", force=True)
    assert (out / "x").read_text() == "new"
    assert not (out / "x").is_symlink()
    assert (out / "mine").read_text() == "mine"


def test_force_merges_a_folder_and_follows_no_link_in_it(world: World, out: Path) -> None:
    world.backup(0, {DOCKER: files(d__x="new", d__y="new")})
    (out / "d").mkdir()
    (out / "mine").write_text("mine")
    (out / "d/x").symlink_to(out / "mine")
    (out / "d/other").write_text("stays")
    copy(world.shelf(), "/docker/d", out, force=True)
    assert {p.name: p.read_text() for p in (out / "d").iterdir()} == {
        "x": "new",
        "y": "new",
        "other": "stays",
    }
    assert (out / "mine").read_text() == "mine"


def test_a_copy_that_fails_leaves_nothing(world: World, out: Path) -> None:
    world.backup(0, {DOCKER: files(d__x="1")})
    location = world.shelf().locate("/docker/d")
    plan = plan_copy(world.shelf(), world.shelf().find("latest"), location, out, force=False)
    shutil.rmtree(plan.source)
    with pytest.raises(CommandFailed):
        apply_copy(plan)
    assert list(out.iterdir()) == []


def test_what_appears_during_a_copy_is_not_overwritten(world: World, out: Path) -> None:
    world.backup(0, {DOCKER: files(x="1")})
    location = world.shelf().locate("/docker/x")
    plan = plan_copy(world.shelf(), world.shelf().find("latest"), location, out, force=False)
    (out / "x").write_text("mine")
    with pytest.raises(Refused, match="meanwhile"):
        apply_copy(plan)
    assert [(p.name, p.read_text()) for p in out.iterdir()] == [("x", "mine")]


def test_what_the_old_scripts_left_is_copied_out_like_any_other(tmp_path: Path, out: Path) -> None:
    old = three_runs(tmp_path / "old")
    old.run()
    shelf = old.shelf()
    plan = plan_copy(shelf, shelf.find(FIRST), shelf.locate("/docker"), out, force=False)
    apply_copy(plan)
    assert (out / "docker" / "etc" / "x").read_text() == "a"
