"""The contract of the Zfs port holds on real ZFS: by command, by library, and by command over ssh,
which takes as long as both and is a long test.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from lab.node import Node
from lab.world import World
from tests.contract.test_zfs_contract import runs_on

ROOT = Path(__file__).parents[2]
SUITE = "tests/contract/test_zfs_contract.py"
# Emulated machines take minutes over it, all within the first test's set-up.
pytestmark = pytest.mark.timeout(3600)

IMPLEMENTATIONS = ("cli", "cli-ssh", "lzc")
PREPARE = """
set -eu
zpool destroy contract 2>/dev/null || true
zpool create -f -O atime=off contract /dev/vdb
rm -rf /root/t && mkdir -p /root/t
test -e /root/contract_key || ssh-keygen -q -t ed25519 -N '' -f /root/contract_key
grep -qFf /root/contract_key.pub /root/.ssh/authorized_keys ||
    cat /root/contract_key.pub >> /root/.ssh/authorized_keys
echo "localhost $(cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)" > /root/contract_hosts
"""
RUN = f"""
cd /root/t
export PYTHONPATH=/root/t PYTHONDONTWRITEBYTECODE=1 ZREP_TEST_POOL=contract
export ZREP_TEST_SSH_KEY=/root/contract_key ZREP_TEST_KNOWN_HOSTS=/root/contract_hosts
exec python3 -m pytest -q -c /dev/null --rootdir=/root/t -p no:cacheprovider --tb=short \
    --junitxml=/root/contract.xml {SUITE} -k """


@pytest.fixture(scope="module")
def solo(world: World) -> Node:
    """A node with nothing but ZFS and two blank disks."""
    world.ensure_up(["solo"], tied=True)
    node = world.node("solo")
    node.run(PREPARE)
    node.push_tree(ROOT, ("zrep", "tests"), "/root/t")
    return node


@pytest.fixture(scope="module")
def report(solo: Node) -> ET.Element:
    """The suite's own report, of all but ssh."""
    return play(solo, "not cli-ssh")


def play(solo: Node, which: str) -> ET.Element:
    done = solo.run(f"{RUN}'{which}'", timeout=3500, check=False)
    assert done.returncode in (0, 1), done.stdout[-10_000:] + done.stderr
    # Written by our own pytest a moment ago.
    return ET.fromstring(solo.pull_bytes("/root/contract.xml"))  # noqa: S314


def _implementation(case: ET.Element) -> str:
    """`test_x[cli-ssh-a-b]` -> cli-ssh"""
    words = case.attrib["name"].partition("[")[2]
    found = (i for i in (*IMPLEMENTATIONS, "fake") if words.startswith(i))
    return max(found, key=len, default="")


def test_no_case_fails_on_real_zfs(report: ET.Element) -> None:
    assert failures(report) == []


@pytest.mark.parametrize("implementation", ["cli", "lzc"])
def test_every_case_ran_where_it_can_differ(report: ET.Element, implementation: str) -> None:
    check_all_ran(report, implementation)


@pytest.mark.long
def test_no_case_fails_over_ssh_and_every_one_that_can_differ_ran(solo: Node) -> None:
    report = play(solo, "cli-ssh or fake")
    assert failures(report) == []
    check_all_ran(report, "cli-ssh")


def failures(report: ET.Element) -> list[str]:
    return [
        f"{case.attrib['name']}: {problem.attrib.get('message', '')[:300]}"
        for case in report.iter("testcase")
        for problem in (*case.iter("failure"), *case.iter("error"))
    ]


def check_all_ran(report: ET.Element, implementation: str) -> None:
    ran = [case for case in report.iter("testcase") if not list(case.iter("skipped"))]
    fake = [_group(case) for case in ran if _implementation(case) == "fake"]
    here = [_group(case) for case in ran if _implementation(case) == implementation]
    assert len(fake) >= 100
    assert Counter(here) == Counter(group for group in fake if runs_on(group, implementation))


def _group(case: ET.Element) -> str:
    return case.attrib["classname"].rpartition(".")[2]
