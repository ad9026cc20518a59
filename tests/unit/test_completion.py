"""TAB offers what exists and says nothing when it cannot know; options become what is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from tests.unit.test_engine_on_a_simulated_pool import ROOT, mounted, publish, target
from zrep.cli import completion, mount_command
from zrep.cli.main import cli
from zrep.config import load
from zrep.engine.site import Site

CONFIG = f"""\
[target]
dataset = "{ROOT}"
policy = "production"

[deployment.lab]
hosts = {{ manager-1 = "10.0.0.1", solr-1 = "10.0.0.2" }}

[set.platform.source.etc]
hosts = ["manager-1", "solr-1"]
method = "dir"
path = "/etc"

[service.wordpress]
source = "manager-1/etc"
paths = ["wordpress"]

[replica.offsite]
host = "offsite.example.org"
dataset = "tank/sbdi"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "zrep.toml"
    path.write_text(CONFIG)
    return path


def offered(config: Path, args: list[str], incomplete: str) -> list[str]:
    shell = BashComplete(cli, {}, "zrep", "_ZREP_COMPLETE")
    found = shell.get_completions(["--config", str(config), *args], incomplete)
    return [item.value for item in found]


@pytest.mark.parametrize(
    ("args", "incomplete", "expected"),
    [
        (["mount", "latest", "--source"], "", ["manager-1/etc", "solr-1/etc"]),
        (["find", "x", "--source"], "s", ["solr-1/etc"]),
        (["mount", "latest", "--service"], "w", ["wordpress"]),
        (["mount", "latest", "--from"], "", ["offsite"]),
        (["sessions", "--from"], "x", []),
    ],
)
def test_configured_names_are_offered(
    config: Path, args: list[str], incomplete: str, expected: list[str]
) -> None:
    assert offered(config, args, incomplete) == expected


def test_backups_and_sessions_are_those_of_the_pool(config: Path) -> None:
    zfs = target()
    backup = publish(zfs, 1)
    site = Site(load(config, policy_dirs=(Path(__file__).parents[2] / "policies",)))
    site._zfs["target"] = zfs
    session = mounted(zfs, "s1")
    assert list(completion._ids(site)) == ["latest", str(backup)]
    assert list(completion._sessions(site)) == [session.name]


@pytest.mark.parametrize("text", ["", "[target", CONFIG.replace("dataset", "datast")])
def test_a_configuration_with_errors_is_passed_over_in_silence(
    config: Path, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    config.write_text(text)
    assert offered(config, ["mount"], "") == []
    assert offered(config, ["mount", "latest", "--service"], "") == []
    said = capfd.readouterr()
    assert said.out + said.err == ""


def test_the_options_of_mount_make_a_wish(config: Path) -> None:
    args = ["latest", "--source", "solr-1/etc", "--rw", "--ttl", "1h", "--service", "wordpress"]
    asked = mount_command.command.make_context("mount", args).params
    wanted = {k: v for k, v in asked.items() if k not in {"replica", "dry_run", "as_json"}}
    site = Site(load(config, policy_dirs=(Path(__file__).parents[2] / "policies",)))
    wish = mount_command._wish(site, **wanted)
    assert (wish.backup, wish.sources, wish.writable, wish.ttl, wish.purpose) == (
        *("latest", ("solr-1/etc",), True, "1h", ""),
    )
    assert wish.service == site.config.services["wordpress"]
    assert wish.owner
