"""Every mistake in zrep.toml is answered with its line, what is wrong and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config_files import GOOD, problems
from tests.unit.rows import of_each
from tests.unit.wrong_tables import Change, changes, first_words

CHANGES = changes("wrong-config.txt")
NO_VALUE = "there is no value here; text, durations and sizes need quotes"
NO_ADDRESS = "must be a host name or address, with :port if need be"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("etc")


@of_each(CHANGES, name=first_words)
def test_each_mistake_is_reported_once_with_line_and_reason(row: Change, folder: Path) -> None:
    old, new, expected = row
    assert old in GOOD
    assert problems(folder, GOOD.replace(old, new, 1)) == expected


def test_all_problems_of_all_files_are_reported_at_once_in_order(tmp_path: Path) -> None:
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "production.toml").write_text("# x\ndaily = 3\nhourly = -1\nwekly = 2\n")
    (policies / "offsite.toml").write_text("daily = \n")
    text = (
        GOOD.replace("backup/current", "-x").replace("10.0.0.11", "a b").replace("docker =", "x =")
    )
    assert problems(tmp_path, text, policies=policies) == [
        f"policies/offsite.toml:1: column 9: {NO_VALUE}",
        "policies/production.toml:3: hourly: must be 0 to 1000000, not -1",
        "policies/production.toml:4: wekly: unknown key, did you mean weekly?",
        "2: target.dataset: must be a dataset name like tank/backup, not '-x'",
        f"6: deployment.prod.hosts.manager-1: {NO_ADDRESS}, not 'a b'",
        "10: set.platform.quiesce.x: unknown key; valid are docker, hosts, max_pause",
    ]


def test_two_sets_that_capture_one_source_differently_are_refused(tmp_path: Path) -> None:
    second = """
[set.other.source.docker]
host = "manager-1"
method = "dir"
path = "/docker"
"""
    first = "set.platform.source.docker in line 13; both would write the same dataset"
    assert problems(tmp_path, GOOD + second) == []
    assert problems(tmp_path, GOOD + second.replace('"/docker"', '"/elsewhere"')) == [
        f"38: set.other.source.docker: manager-1/docker is defined otherwise by {first}"
    ]


def test_a_set_without_sources_and_a_deployment_without_hosts_are_refused(tmp_path: Path) -> None:
    text = '[target]\ndataset = "a/b"\npolicy = "short"\n[deployment.x]\n[set.y]\n'
    assert problems(tmp_path, text) == [
        "4: deployment.x: has no hosts",
        "5: set.y: has no source: add [set.y.source.NAME]",
    ]


def test_snapshot_names_too_long_for_zfs_are_refused(tmp_path: Path) -> None:
    too_long = "makes snapshot names of 256 characters"
    text = GOOD.replace("backup/current", "backup/" + "x" * 157)
    assert problems(tmp_path, text) == [
        f"18: set.platform.source.local: {too_long} for cassandra-1/local; ZFS allows 255"
    ]


def test_a_file_with_windows_line_ends_and_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    assert problems(tmp_path, "\ufeff" + GOOD.replace("\n", "\r\n")) == []
