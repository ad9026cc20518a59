"""The audit against a real sshd, the real gate and read capsule, and keys as they are rendered;
and against keys that were weakened, which it must notice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.contract.capsule_world import RUN, can_unshare
from tests.contract.host_support import SSHD
from tests.contract.sshd_world import Audited, sshd_world
from zrep.capsule.audit import Finding
from zrep.engine.audit import audit, status_of, trials_of
from zrep.engine.progress import Silent
from zrep.errors import Exit
from zrep.report.capsules import audit_json, render_audit

pytestmark = pytest.mark.skipif(
    not can_unshare() or SSHD is None, reason="no mount namespaces or no sshd here"
)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    with sshd_world(tmp_path_factory.mktemp("audited")) as made:
        yield made


def test_everything_is_refused_with_keys_as_rendered(host: Audited) -> None:
    host.accept(host.rendered())
    found = host.audit(every=5)
    assert found.problem == ""
    assert found.count(Finding.REFUSED) == len(found.results), render_audit([found])
    assert len(found.results) >= 50
    assert status_of([found]) is Exit.DONE
    assert f"{len(found.results)} refused, 0 allowed, 0 unproven" in render_audit([found])


def test_requests_share_one_login_of_each_key(host: Audited) -> None:
    host.accept(host.rendered())
    before = host.logins()
    found = host.audit("say ", every=10)
    assert len(found.results) > 20
    assert found.count(Finding.REFUSED) == len(found.results)
    # One to prove that the host answers at all, one for each key.
    assert host.logins() - before <= 3


def test_while_a_snapshot_is_prepared_reading_is_not_called_refused(host: Audited) -> None:
    host.accept(host.rendered())
    assert host.world.capsule("snapshot", f"run={RUN} set=platform").returncode == 0
    try:
        found = host.audit("no snapshot is prepared")
    finally:
        host.world.capsule("release")
    assert [r.finding for r in found.results] == [Finding.UNPROVEN]
    assert status_of([found]) is Exit.PARTIAL


GATE = "/usr/libexec/zrep/gate"
READ = "sudo -n /usr/libexec/zrep/capsule-rsync-read"
# What asks the gate first, and then does as it was told after all.
LENIENT = f"{GATE} </dev/null || eval $SSH_ORIGINAL_COMMAND"


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("restrict,", "restrict,pty,", "get a terminal"),
        ("restrict,", "restrict,port-forwarding,", "forward a port from here"),
        ("restrict,", "restrict,port-forwarding,", "forward a port from there"),
        ("restrict,", "", "get a terminal"),
        (GATE, LENIENT, "say 'id'"),
        (GATE, LENIENT, "say 'probe;id'"),
        (READ, f"{READ}; eval $SSH_ORIGINAL_COMMAND", "say id"),
        (READ, "eval $SSH_ORIGINAL_COMMAND", "say rsync --server --sender"),
        (f'command="{READ}"', 'command="internal-sftp"', "use sftp"),
    ],
)
def test_a_weakened_key_is_noticed(host: Audited, old: str, new: str, name: str) -> None:
    assert old in host.rendered()
    host.accept(host.rendered().replace(old, new))
    found = host.audit(name)
    assert found.problem == ""
    assert found.count(Finding.ALLOWED) >= 1, render_audit([found])
    assert status_of([found]) is Exit.REFUSED
    assert "ALLOWED" in render_audit([found])


def test_a_key_that_is_pasted_without_its_command_is_noticed(host: Audited) -> None:
    """It opens a shell, in which not even the probe is known."""
    bare = "".join(f"{line[line.index(' ssh-') + 1 :]}\n" for line in host.rendered().splitlines())
    host.accept(bare)
    found = host.audit("say 'id'")
    assert "could not be audited" in render_audit([found])
    assert status_of([found]) is Exit.PARTIAL


def test_a_host_that_does_not_answer_proves_nothing(host: Audited) -> None:
    host.accept("")
    found = host.audit("terminal")
    assert (found.results, found.problem != "") == ((), True)
    assert status_of([found]) is Exit.PARTIAL
    assert audit_json([found])[0]["problem"]


def test_without_the_read_key_here_its_trials_prove_nothing(host: Audited) -> None:
    host.accept(host.rendered())
    site = host.site()
    site.config = replace(site.config, ssh=replace(site.config.ssh, read_key="/nowhere/read"))
    (found,) = audit(site, [host.machine], Silent(), trials=lambda m: list(trials_of(m))[-3:])
    site.close()
    assert {r.finding for r in found.results} == {Finding.UNPROVEN}
