"""A configuration like the documented one loads, with documented defaults, quickly."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.config_files import GOOD, POLICIES, load_text, problems
from tests.unit.rows import of_each
from zrep.config import load
from zrep.config.keys import POLICY, ZREP
from zrep.config.values import address
from zrep.errors import ConfigError
from zrep.model.key import SourceKey
from zrep.model.names import DatasetName, SnapClass
from zrep.model.source import Address, Method, OnPartial, Quiesce, Source, Ssh

DOCS = Path(__file__).parents[2] / "docs"
MINIMAL = '[target]\ndataset = "tank/backup"\npolicy = "short"\n'


def test_the_example_means_what_it_says(tmp_path: Path) -> None:
    config = load_text(tmp_path, GOOD)
    assert config.target.dataset == DatasetName("backup/current")
    assert config.target.policy.name == "production"
    assert config.target.address is None
    assert config.deployment == "prod"
    assert config.hosts["solr-1"] == Address(host="fd00::1", port=2222)
    assert config.replicas["offsite"].address == Address(host="offsite.example.org")
    assert config.services["wordpress"].source == SourceKey("manager-1", "docker")


def test_hosts_makes_one_source_for_each_host(tmp_path: Path) -> None:
    found = load_text(tmp_path, GOOD).sets["platform"]
    local = Source(
        key=SourceKey("cassandra-1", "local"),
        method=Method.LVM,
        path="/docker_local",
        volume="vg_docker_local/lv_docker_local",
    )
    assert found.on_partial is OnPartial.PUBLISH
    assert found.sources == (
        Source(key=SourceKey("manager-1", "docker"), method=Method.DIR, path="/docker"),
        local,
        replace(local, key=SourceKey("solr-1", "local")),
    )


def test_what_pauses_for_a_set_is_read(tmp_path: Path) -> None:
    found = load_text(tmp_path, GOOD).sets["platform"]
    assert found.quiesce == Quiesce(docker=True, max_pause=30)
    assert found.quiesce.timer == 45
    assert found.paused_hosts == ("cassandra-1", "manager-1", "solr-1")
    text = GOOD.replace("docker = true, ", 'docker = true, hosts = ["solr-1"], ')
    assert load_text(tmp_path, text).sets["platform"].quiesce.hosts == ("solr-1",)
    text = GOOD.replace('{ docker = true, max_pause = "30s" }', '{ max_pause = "5s" }')
    assert load_text(tmp_path, text).sets["platform"].paused_hosts == ()


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    config = load_text(tmp_path, MINIMAL)
    assert (config.sets, config.hosts, config.replicas, config.services) == ({}, {}, {}, {})
    assert config.ssh == Ssh()
    assert (config.keeping.state_dir, config.keeping.run_dir) == ("/var/lib/zrep", "/run/zrep")
    assert config.target.compression == "gzip-7"


def test_every_key_that_may_be_set_is_taken_over(tmp_path: Path) -> None:
    text = GOOD.replace('path = "/docker_local"', 'path = "/l"\nsize = "5g"\nmounted = true')
    text = text.replace("mounted = true", 'mounted = true\nexclude = ["/tmp/", "*.sock"]')
    text = text.replace('"publish"', '"refuse"')
    text = text.replace("[target]", '[target]\nhost = "10.0.0.9:23"\ncompression = "zstd-9"')
    head = 'state_dir = "/s"\nrun_dir = "/r"\n[ssh]\nuser = "op"\ncontrol_key = "/c"\n'
    config = load_text(tmp_path, f'{head}read_key = "/k"\nknown_hosts = "/h"\n{text}')
    source = config.sets["platform"].sources[1]
    assert (source.size, source.mounted, source.exclude) == ("5g", True, ("/tmp/", "*.sock"))
    assert config.sets["platform"].on_partial is OnPartial.REFUSE
    assert config.target.address == Address(host="10.0.0.9", port=23)
    assert config.target.compression == "zstd-9"
    assert (config.keeping.state_dir, config.keeping.run_dir) == ("/s", "/r")
    assert config.ssh == Ssh(user="op", control_key="/c", read_key="/k", known_hosts="/h")


def test_of_several_deployments_the_default_one_is_backed_up(tmp_path: Path) -> None:
    uat = '[deployment.uat]\nhosts = { manager-1 = "10.1.0.11" }\n'
    text = GOOD.replace("[deployment.prod]", f"{uat}[deployment.prod]\ndefault = true")
    config = load_text(tmp_path, text)
    assert config.deployment == "prod"
    assert config.hosts["manager-1"] == Address(host="10.0.0.11")


@pytest.mark.parametrize(
    "text", ["manager-1", "10.0.0.11:2222", "[fd00::1]", "[fd00::1]:2222", "[fe80::1%eth0]:23"]
)
def test_an_address_is_shown_as_the_configuration_writes_it(text: str) -> None:
    assert str(address(text)) == text


def test_the_first_directory_with_a_policy_wins(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "production.toml").write_text("daily = 3\n")
    path = tmp_path / "zrep.toml"
    path.write_text(GOOD)
    config = load(path, policy_dirs=(tmp_path / "none", site, POLICIES))
    assert config.target.policy.count(SnapClass.DAILY) == 3
    replica = config.replicas["offsite"].policy
    assert replica is not None
    assert replica.count(SnapClass.DAILY) == 90


def test_the_digest_changes_with_the_meaning_and_not_with_the_spelling(tmp_path: Path) -> None:
    digest = load_text(tmp_path, GOOD).digest
    assert re.fullmatch(r"[0-9a-f]{16}", digest)
    same = "# a comment\n" + GOOD.replace("policy = ", "policy    =  ").replace("\n", "\r\n")
    assert load_text(tmp_path, same).digest == digest
    assert load_text(tmp_path, GOOD.replace("30s", "20s")).digest != digest
    policies = tmp_path / "policies"
    policies.mkdir()
    for path in POLICIES.glob("*.toml"):
        (policies / path.name).write_text(path.read_text().replace("daily = 30", "daily = 31"))
    assert load_text(tmp_path, GOOD, policies=policies).digest != digest


@pytest.mark.parametrize(
    ("content", "reason", "next_step"),
    [
        (None, "zrep.toml:1: cannot be read: No such file or directory", "create "),
        (b"[target]\na = '\xff'\n", "zrep.toml:2: is not UTF-8 text", "correct these lines"),
    ],
)
def test_an_unreadable_file_says_what_to_do(
    tmp_path: Path, content: bytes | None, reason: str, next_step: str
) -> None:
    path = tmp_path / "zrep.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        load(path, policy_dirs=(POLICIES,))
    assert raised.value.problems == (f"{tmp_path}/{reason}",)
    assert raised.value.next_step.startswith(next_step)


def test_a_directory_in_place_of_the_file_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path, policy_dirs=(POLICIES,))


@of_each(ZREP)
def test_every_key_of_zrep_toml_is_documented(table: str) -> None:
    text = (DOCS / "configuration.md").read_text() + (DOCS / "policies.md").read_text()
    assert [key for key in ZREP[table] if f"`{key}`" not in text] == []


def test_every_key_of_a_policy_is_documented() -> None:
    text = (DOCS / "policies.md").read_text()
    assert [key for key in POLICY if f"`{key}`" not in text] == []


def examples(page: str) -> list[str]:
    return re.findall(r"```toml\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def test_the_documented_configuration_loads(tmp_path: Path) -> None:
    whole, *parts = examples("configuration.md")
    assert len(load_text(tmp_path, whole).sets["platform"].sources) == 3
    assert len(parts) == 13


@of_each(examples("configuration.md")[1:] + examples("monitoring.md"))
def test_each_documented_part_is_right_but_for_what_it_leaves_out(
    part: str, tmp_path: Path
) -> None:
    """The parts stand alone: what they refer to and what else a file needs may be missing."""
    allowed = (
        "is missing",
        "is no source of any set",
        "not in the deployment's hosts",
        "no source:",
    )
    found = problems(tmp_path, part)
    assert [p for p in found if not any(words in p for words in allowed)] == []


def test_the_documented_policy_loads(tmp_path: Path) -> None:
    [text] = examples("policies.md")
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "short.toml").write_text(text)
    policy = load_text(tmp_path, MINIMAL, policies=policies).target.policy
    assert (policy.timezone, policy.count(SnapClass.DAILY)) == ("Europe/Stockholm", 31)
