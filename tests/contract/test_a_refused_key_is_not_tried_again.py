"""Against a real sshd, with the real rsync: a key that is refused and a host that is not known end
a transfer at once, and are called what they are; rsync itself only says that nobody greeted it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.host_support import SSHD, Sshd, make_key, running_sshd
from zrep.engine.progress import Silent
from zrep.engine.pull import Pull, pull
from zrep.errors import AccessRefused, HostKeyRejected, ZrepError
from zrep.host.local import LocalHost
from zrep.model.key import SourceKey
from zrep.model.source import Address, Method, Source, Ssh

pytestmark = pytest.mark.skipif(SSHD is None, reason="no sshd here")


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        make_key(server.folder / "stranger")
        yield server


@pytest.mark.parametrize(
    ("key", "known", "error"),
    [("stranger", True, AccessRefused), ("user", False, HostKeyRejected)],
    ids=["key", "host-key"],
)
def test_it_ends_at_once_and_says_which(
    sshd: Sshd, tmp_path: Path, key: str, known: bool, error: type[ZrepError]
) -> None:
    endpoint = sshd.endpoint() if known else sshd.endpoint(known="")
    (tmp_path / "copy").mkdir()
    request = Pull(
        source=Source(key=SourceKey("manager-1", "data"), method=Method.DIR, path="/srv"),
        run="20260102_030405",
        destination=str(tmp_path / "copy"),
        address=Address(host=endpoint.address, port=endpoint.port),
        ssh=Ssh(
            user=endpoint.user,
            read_key=str(sshd.folder / key),
            known_hosts=endpoint.known_hosts,
        ),
    )
    with (tmp_path / "lock").open("w") as lock, pytest.raises(error):
        pull(request, LocalHost(), Silent(), lock=lock.fileno(), back_off=(3600.0,))
    assert list((tmp_path / "copy").iterdir()) == []
