"""What the real probe reports of a host that is as rendered satisfies the check that follows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.capsule_world import CapsuleWorld, WorldHost, can_unshare, capsule_world
from zrep.capsule.install import load_hooks
from zrep.capsule.render import render_source_conf
from zrep.config import load
from zrep.engine.verify_sources import outdated, verify_sources
from zrep.errors import HostOutdated
from zrep.host.local import LocalHost
from zrep.model.source import Config
from zrep.source.capsule_json import ProbeReport
from zrep.source.capsules import Capsules

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

POLICIES = Path(__file__).parents[2] / "policies"
CONFIG = """\
[target]
dataset = "backup/current"
policy = "production"

[deployment.lab]
hosts = {{ manager-1 = "10.0.0.1" }}

[set.platform.source.data]
host = "manager-1"
method = "dir"
path = "{source}"
mounted = true
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[CapsuleWorld]:
    with capsule_world(tmp_path) as made:
        yield made


@pytest.fixture
def config(world: CapsuleWorld) -> Config:
    path = world.tmp / "zrep.toml"
    path.write_text(CONFIG.format(source=world.source))
    loaded = load(path, policy_dirs=(POLICIES,))
    world.configure(*render_source_conf(loaded, "manager-1").splitlines())
    return loaded


def probe(world: CapsuleWorld) -> dict[str, ProbeReport]:
    return {"manager-1": Capsules(WorldHost(world)).probe(set_name="platform")}


def test_a_host_as_rendered_and_the_rsync_of_this_machine_will_do(
    world: CapsuleWorld, config: Config
) -> None:
    verify_sources(config, probe(world), LocalHost())


def test_a_source_conf_of_another_configuration_is_refused(
    world: CapsuleWorld, config: Config
) -> None:
    rendered = render_source_conf(config, "manager-1").splitlines()
    world.configure(*rendered, "source other etc dir - /etc")
    with pytest.raises(HostOutdated, match=r"source\.conf is not what this configuration says"):
        verify_sources(config, probe(world), LocalHost())


def test_capsules_that_somebody_changed_are_refused(world: CapsuleWorld, config: Config) -> None:
    world.run("sh", "-c", "echo '# changed' >> /usr/libexec/zrep/capsule-check")
    ((text, step),) = outdated(config, probe(world), load_hooks())
    assert text == "manager-1: its capsules are not those of this version"
    assert "zrep capsule deploy manager-1" in step


def test_a_host_without_rsync_is_refused(world: CapsuleWorld, config: Config) -> None:
    world.run("sh", "-c", "mount --bind /dev/null $(command -v rsync)")
    ((text, _),) = outdated(config, probe(world), load_hooks())
    assert text.startswith("manager-1: rsync is missing")
