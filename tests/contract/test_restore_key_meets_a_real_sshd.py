"""The three keys of a restore through a real sshd: control opens, restore writes, read cannot."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.capsule_world import RUN, can_unshare
from tests.contract.host_support import SSHD, make_key
from tests.contract.sshd_world import Audited, sshd_world
from zrep.capsule.render import Roles, render_authorized_keys
from zrep.engine.write import restore_shell
from zrep.host.ssh import SshHost
from zrep.host.ssh_argv import SshEndpoint
from zrep.model.source import Ssh
from zrep.source.restore_capsules import RestoreCapsules
from zrep.source.rsync_write import RsyncWrite, judge_write, write_argv

pytestmark = [
    pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here"),
    pytest.mark.skipif(SSHD is None, reason="no sshd here"),
]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    tmp: Path = tmp_path_factory.mktemp("sshd")
    with sshd_world(tmp) as made:
        make_key(tmp / "restore")
        keys = {name: made.public(name) for name in ("control", "read", "restore")}
        made.accept(render_authorized_keys(Roles(source="manager-1"), **keys))
        (tmp / "backup").mkdir()
        (tmp / "backup/file").write_text("the backup's")
        yield made


def write(host: Audited, key: str) -> subprocess.CompletedProcess[str]:
    ssh = Ssh(
        user="root",
        restore_key=str(host.folder / key),
        known_hosts=str(host.folder / "known_hosts"),
    )
    argv = write_argv(
        RsyncWrite(
            host="127.0.0.1",
            module=f"data.{RUN}",
            source=str(host.folder / "backup"),
            shell=restore_shell(host.machine.address, ssh),
            delete=True,
        )
    )
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def test_only_the_restore_key_writes_and_only_what_is_armed_and_opened(host: Audited) -> None:
    live = host.world.source / "file"
    live.write_text("since")
    site = host.site()
    capsules = RestoreCapsules(site.source_host("manager-1"))
    try:
        for key in ("restore", "read", "control"):
            assert write(host, key).returncode != 0
            assert live.read_text() == "since"
        assert host.world.run("/usr/libexec/zrep/zrep-arm", "data").returncode == 0
        assert capsules.look().destinations["data"].problem is None
        assert capsules.open(RUN, "data") > 7000
        for key in ("read", "control"):
            assert write(host, key).returncode != 0
            assert live.read_text() == "since"
        done = write(host, "restore")
        assert (done.returncode, done.stderr) == (0, "")
        assert live.read_text() == "the backup's"
        capsules.close(RUN, "data")
        done = write(host, "restore")
        assert "armed and opened" in judge_write(done.returncode, done.stderr).why
    finally:
        site.close()


@pytest.mark.parametrize("request_line", ["probe", "restore-look", "id", "rsync --server . /"])
def test_the_restore_key_says_nothing_else(host: Audited, request_line: str) -> None:
    endpoint = SshEndpoint(
        address="127.0.0.1",
        port=host.port,
        user="root",
        key_file=str(host.folder / "restore"),
        known_hosts=str(host.folder / "known_hosts"),
        gated=True,
    )
    reached = SshHost(name="restore", endpoint=endpoint)
    try:
        done = reached.run(tuple(request_line.split()), ok=(1,), timeout=60)
    finally:
        reached.close()
    assert done.stdout.splitlines() == [
        "@RSYNCD: 31.0",
        "@ERROR: zrep: nothing on this host is armed and opened for a restore",
    ]
