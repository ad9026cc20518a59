"""Without libzfs_core zrep says so, and what to install; importing the module needs nothing."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from zrep.errors import ZfsError
from zrep.host.local import LocalHost
from zrep.model.names import DatasetName
from zrep.zfs.lzc import LzcZfs, lzc_version

HERE = find_spec("libzfs_core") is not None


@pytest.mark.skipif(HERE, reason="libzfs_core is installed here")
def test_without_the_library_the_error_says_what_to_install() -> None:
    assert lzc_version() is None
    with pytest.raises(ZfsError) as caught:
        LzcZfs(LocalHost()).snapshot([DatasetName("tank/a").at("x")], {})
    assert "python3-pyzfs" in caught.value.next_step
