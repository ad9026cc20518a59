"""The virtual deployment for the tests: brought up once, reset to a clean world per module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.deploy import Site, deploy
from lab.world import World
from tests.lab.cli import Zrep

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """All nodes that tests ask for die with this process, whatever happens to it."""
    found = World.load()
    yield found
    found.down()


@pytest.fixture(scope="module")
def local_site(world: World) -> Site:
    """zrep on the target itself, in a clean world."""
    return _fresh(world, Site(runner="target", target="target"))


@pytest.fixture(scope="module")
def remote_site(world: World) -> Site:
    """zrep on a director; the target is another host, behind its gate."""
    return _fresh(world, Site(runner="director", target="target"))


def _fresh(world: World, site: Site) -> Site:
    world.ensure_up(site.nodes, tied=True)
    for name in site.nodes:
        world.node(name).reset()
    deploy(world, site)
    return site


@pytest.fixture(scope="module")
def zrep(world: World, local_site: Site) -> Zrep:
    return Zrep(world.node(local_site.runner))


@pytest.fixture(scope="module")
def director(world: World, remote_site: Site) -> Zrep:
    return Zrep(world.node(remote_site.runner))
