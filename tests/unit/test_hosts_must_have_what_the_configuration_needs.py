"""Other capsules, another source.conf or too old an rsync on any host are refused, all at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.config_files import GOOD, load_text
from tests.unit.scripted_host import Says, ScriptedHost
from zrep.capsule.install import load_hooks
from zrep.capsule.render import capsule_digest
from zrep.engine.verify_sources import UPDATE, outdated, source_conf_digest, verify_sources
from zrep.errors import Exit, HostOutdated
from zrep.model.source import Config
from zrep.source.capsule_json import ProbeReport
from zrep.source.rsync_version import RECEIVER, SENDER, parse_version, version_problem

HOOKS = load_hooks()
HOSTS = ("cassandra-1", "manager-1", "solr-1")


def target(said: str = "", *, status: int = 0) -> ScriptedHost:
    says = Says(stdout=said, returncode=status, stderr="zrep gate: refused" if status else "")
    return ScriptedHost(name="target", script={"rsync --version": says})


GOOD_TARGET = target("rsync  version 3.4.1  protocol version 32\n")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_text(tmp_path, GOOD)


def current(config: Config, host: str) -> ProbeReport:
    return ProbeReport(
        capsules=capsule_digest(HOOKS),
        config=source_conf_digest(config, host),
        rsync="3.4.1",
        clock=1_795_434_065,
        sources=(),
        leftovers=(),
    )


def test_hosts_as_rendered_are_in_order(config: Config) -> None:
    reports = {host: current(config, host) for host in HOSTS}
    assert list(outdated(config, reports, HOOKS)) == []
    verify_sources(config, reports, GOOD_TARGET)


def test_a_host_that_is_only_paused_needs_no_rsync(tmp_path: Path) -> None:
    text = GOOD.replace("docker = true,", 'docker = true, hosts = ["solr-1"],')
    text = text.replace('["cassandra-1", "solr-1"]', '["cassandra-1"]')
    made = load_text(tmp_path, text)
    reports = {"solr-1": replace(current(made, "solr-1"), rsync="")}
    assert list(outdated(made, reports, HOOKS)) == []


def test_every_difference_on_every_host_is_named_with_what_mends_it(config: Config) -> None:
    reports = {host: current(config, host) for host in HOSTS}
    reports["manager-1"] = replace(reports["manager-1"], capsules="0" * 64, rsync="3.1.3")
    reports["solr-1"] = replace(reports["solr-1"], config=source_conf_digest(config, "manager-1"))
    with pytest.raises(HostOutdated) as caught:
        verify_sources(config, reports, GOOD_TARGET)
    assert caught.value.exit is Exit.CONFIG
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "manager-1",
        "manager-1",
        "solr-1",
    ]
    assert "3.2.0 or newer" in caught.value.problems[1]
    for host in ("manager-1", "solr-1"):
        assert f"zrep capsule deploy {host}" in caught.value.next_step
    assert caught.value.next_step.count("newer rsync") == 1


@pytest.mark.parametrize(
    ("host", "why", "step"),
    [
        (target("rsync  version 3.1.3  protocol version 31\n"), "rsync 3.1.3 is too old", UPDATE),
        (target(status=127), "rsync is missing", UPDATE),
        (target(status=126), "zrep gate: refused", "zrep capsule deploy target"),
    ],
)
def test_the_target_needs_an_rsync_too(
    config: Config, host: ScriptedHost, why: str, step: str
) -> None:
    with pytest.raises(HostOutdated, match=f"target: .*{why}") as caught:
        verify_sources(config, {}, host)
    assert caught.value.next_step.startswith(step)


def test_the_digest_of_source_conf_changes_with_what_a_host_must_do(config: Config) -> None:
    (name, wanted), *_ = config.sets.items()
    moved = replace(wanted.sources[0], path="/elsewhere")
    changed = replace(config, sets={name: replace(wanted, sources=(moved, *wanted.sources[1:]))})
    assert source_conf_digest(changed, "manager-1") != source_conf_digest(config, "manager-1")
    assert source_conf_digest(changed, "solr-1") == source_conf_digest(config, "solr-1")


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("rsync  version 3.4.1  protocol version 32", "3.4.1"),
        ("rsync  version v3.2.5  protocol version 31", "3.2.5"),
        ("rsync  version 3.4.0pre1  protocol version 32", "3.4.0"),
        ("openrsync: protocol version 29", ""),
        ("", ""),
    ],
)
def test_the_version_is_read_from_what_rsync_says(line: str, version: str) -> None:
    assert parse_version(f"{line}\nCopyright\n") == version


@pytest.mark.parametrize("version", ["3.2.0", "3.2.7", "3.10.0", "4.0", "3.5.0"])
def test_a_new_enough_rsync_will_do_on_both_sides(version: str) -> None:
    assert version_problem(version, SENDER) is None
    assert version_problem(version, RECEIVER) is None


@pytest.mark.parametrize("version", ["3.1.3", "2.6.9", "", "3.x"])
def test_an_old_or_unknown_rsync_is_refused_with_the_oldest_that_will_do(version: str) -> None:
    problem = version_problem(version, RECEIVER)
    assert problem is not None
    assert "3.2.0 or newer" in problem
    assert version_problem(version, SENDER) is not None
