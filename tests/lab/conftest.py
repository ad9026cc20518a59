"""The virtual deployment for the tests: machines of their own, which die with the test process.

Test files share a deployed site where they can: a site that another file took down or changed
roles of is brought back clean. With several workers each has its own machines.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lab.deploy import VOLUMES, Site, deploy
from lab.world import World
from tests.lab.cli import Zrep

HERE = Path(__file__).parent
MARKER = "/run/lab-site"
# For working on one test: set it, and the machines stay up and deployed between test runs.
KEEP = "ZREP_LAB_KEEP" in os.environ
# What takes minutes, and shows again on slower ground what shorter tests show: `make test-long`.
LONG = "ZREP_LAB_LONG" in os.environ
# What shares a site stands together.
ORDER = ("zfs_contract", "slice", "kill", "bad_input", "quiesce", "remote_target")
# Files whose every test counts as long. With stand-ins for the machines' parts tests/contract shows
# the same; on real ones only these do.
LONG_FILES = (
    "audit",
    "browse",
    "capsules",
    "check",
    "drill",
    "dump",
    "gluster",
    "guard",
    "import",
    "operator",
    "policies",
    "restore",
    "restore_from_offsite",
    "restore_interrupted",
    "restore_to_uat",
    "sheet_from_director",
    "zfs_source",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)
        if item.path.stem.removeprefix("test_").removesuffix("_in_lab") in LONG_FILES:
            item.add_marker(pytest.mark.long)
    if not LONG:
        later = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=later)
        items[:] = [item for item in items if not item.get_closest_marker("long")]
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    if HERE not in item.path.parents:
        return len(ORDER)
    found = (i for i, name in enumerate(ORDER) if name in item.path.name)
    return next(found, len(ORDER))


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """Whatever happens to this process, its machines end with it (unless ZREP_LAB_KEEP is set)."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    found = World.load(run=os.environ.get("ZREP_LAB_RUN", f"test-{worker}"))
    yield found
    if not KEEP:
        found.down()


@pytest.fixture(scope="module")
def local_site(world: World) -> Site:
    """zrep on the target itself."""
    return provide(world, Site(runner="target", target="target"))


@pytest.fixture(scope="module")
def remote_site(world: World) -> Site:
    """zrep on a director; the target is another host, behind its gate."""
    return provide(world, Site(runner="director", target="target", platform=VOLUMES))


def provide(world: World, site: Site) -> Site:
    """The site as it was left by an earlier file, or else deployed on clean machines."""
    if not _stands(world, site):
        clean(world, site.nodes)
        deploy(world, site)
        for name in site.nodes:
            world.node(name).push_bytes(repr(site).encode(), MARKER)
    return site


def _stands(world: World, site: Site) -> bool:
    up = {node.name for node in world.running()}
    return up >= set(site.nodes) and all(
        world.node(name).run(f"cat {MARKER} || true").stdout == repr(site) for name in site.nodes
    )


def clean(world: World, names: Sequence[str]) -> None:
    """The nodes as they were saved, whatever was done to them since."""
    for node in world.running():
        if node.name in names:
            node.power_cut()
    world.ensure_up(names, tied=not KEEP)


@pytest.fixture(scope="module")
def zrep(world: World, local_site: Site) -> Zrep:
    return Zrep(world.node(local_site.runner))


@pytest.fixture(scope="module")
def director(world: World, remote_site: Site) -> Zrep:
    return Zrep(world.node(remote_site.runner))
