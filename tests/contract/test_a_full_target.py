"""The target has no room for what a source sends: the real rsync onto a small file system."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.contract.capsule_world import RUN, CapsuleWorld, can_unshare, capsule_world
from tests.contract.platform_world import BEFORE, back_up, published
from tests.contract.sync_world import HOST, PipeSite, PipeTarget, Told, folders, pipe_site
from zrep.engine.lock import exclusive
from zrep.engine.pull import Pull, pull
from zrep.errors import SourceFailed
from zrep.model.backup import State
from zrep.model.source import BackupSet

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

LATER = BEFORE + timedelta(seconds=1)
LARGE = 3 << 20


@dataclass
class InsideTarget(PipeTarget):
    """A target whose rsync sees the mounts of the namespace."""

    world: CapsuleWorld | None = None

    def bulk_argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        assert self.world is not None
        return self.world.argv(super().bulk_argv(argv))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[PipeSite]:
    """The dataset of `web` has a megabyte; there is a backup of when that was enough."""
    with capsule_world(tmp_path) as world:
        made = pipe_site(
            world, tmp_path, BackupSet(name="platform", sources=folders(world, "web", "mail"))
        )
        made.pipe = InsideTarget(shell=made.pipe.shell, world=world)
        place = made.pool.folder / HOST / "web"
        place.mkdir(parents=True)
        assert (
            world.run("mount", "-t", "tmpfs", "-o", "size=1m", "none", str(place)).returncode == 0
        )
        for name in ("gone", "kept"):
            (world.source / "web" / name).write_text(name)
        (world.source / "mail/inbox").write_text("dear")
        assert back_up(made).published.manifest.state is State.COMPLETE
        made.pipe.said.clear()
        (world.source / "web/gone").unlink()
        (world.source / "web/large").write_bytes(bytes(range(256)) * (LARGE // 256))
        yield made


def request(site: PipeSite) -> Pull:
    (source,) = (s for s in site.config.sets["platform"].sources if s.key.name == "web")
    return Pull(
        source=source,
        run=RUN,
        destination=str(site.pool.folder / HOST / "web"),
        address=site.config.hosts[HOST],
        ssh=site.config.ssh,
        max_delete=100,
    )


def copied(site: PipeSite) -> set[str]:
    return set(site.world.run("ls", str(site.pool.folder / HOST / "web")).stdout.split())


def test_a_full_target_is_tried_again_then_fails_the_source_and_nothing_is_deleted(
    site: PipeSite,
) -> None:
    before = published(site)
    assert site.world.capsule("snapshot", f"run={RUN} set=platform").returncode == 0
    told = Told()
    full = pytest.raises(SourceFailed, match="error in file I/O on the target")
    with exclusive(site.run_dir, "set-platform") as lock, full as failed:
        pull(request(site), site.pipe, told, lock=lock, back_off=(0.0,))
    assert "No space left on device" in failed.value.why
    assert "zfs list -o space" in failed.value.next_step
    assert [line for line in told.lines if line.endswith("again in 0 s")]
    assert len(site.pipe.said) == 2
    assert {"gone", "kept"} <= copied(site)
    assert published(site) == before


def test_the_next_run_goes_on_once_there_is_room(site: PipeSite) -> None:
    assert site.world.capsule("snapshot", f"run={RUN} set=platform").returncode == 0
    with exclusive(site.run_dir, "set-platform") as lock, pytest.raises(SourceFailed):
        pull(request(site), site.pipe, Told(), lock=lock, back_off=())
    assert site.world.capsule("release", f"run={RUN} set=platform").returncode == 0
    place = request(site).destination
    assert site.world.run("mount", "-o", "remount,size=8m", place).returncode == 0
    report = back_up(site, LATER)
    assert report.published.manifest.state is State.COMPLETE
    assert copied(site) == {"kept", "large"}
    same = site.world.run("cmp", f"{place}/large", str(site.world.source / "web/large"))
    assert same.returncode == 0, same.stdout
