"""The director is a machine of its own and loses power in the pause: hosts and target manage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from lab.deploy import QUIESCED, Site, config_text, install_config, install_role
from lab.world import World
from tests.lab.cli import Zrep
from tests.lab.conftest import MARKER
from tests.lab.test_quiesce_in_lab import HOSTS, lose_power_in_the_pause

pytestmark = [pytest.mark.long, pytest.mark.timeout(5400)]


@pytest.fixture
def quiesced(world: World, director: Zrep, remote_site: Site) -> Iterator[Zrep]:
    """The site with a set that pauses containers; the next file gets clean machines."""
    install_config(world, remote_site, config_text(replace(remote_site, platform=QUIESCED)))
    for name in HOSTS:
        install_role(world, remote_site, name, f"--host {name}")
    director("sync")
    yield director
    for name in remote_site.nodes:
        world.node(name).run(f"rm -f {MARKER}")


def test_the_director_loses_power_in_the_pause(world: World, quiesced: Zrep) -> None:
    lose_power_in_the_pause(world, quiesced)
