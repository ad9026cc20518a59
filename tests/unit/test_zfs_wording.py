"""ZFS's messages, as OpenZFS prints them, mean these errors."""

from __future__ import annotations

import errno

import pytest

from zrep.errors import (
    DatasetBusy,
    DatasetExists,
    DatasetMissing,
    PoolFull,
    ZfsError,
    ZfsPermission,
)
from zrep.model.names import DatasetName
from zrep.zfs import wording

A = DatasetName("tank/a")

RECEIVE = "cannot receive new filesystem stream"

MESSAGES: list[tuple[str, type[ZfsError]]] = [
    ("cannot open 'tank/no': dataset does not exist", DatasetMissing),
    ("cannot open 'nopool/x': no such pool 'nopool'", DatasetMissing),
    ("could not find any snapshots to destroy; check snapshot names.", DatasetMissing),
    ("cannot create 'tank/no/x': parent does not exist", DatasetMissing),
    ("bookmark 'tank/a#m' does not exist.", DatasetMissing),
    ("cannot create 'tank/a': dataset already exists", DatasetExists),
    ("cannot create bookmark 'tank/a#m': bookmark exists", DatasetExists),
    (f"{RECEIVE}: destination 'tank/a' exists\nmust specify -F to overwrite it", DatasetExists),
    ("cannot unmount '/tank/a': pool or dataset is busy", DatasetBusy),
    ("cannot destroy 'tank/a': filesystem has children\nuse '-r' to destroy ...", DatasetBusy),
    (f"{RECEIVE}: destination tank/a contains partially-complete state from ...", DatasetBusy),
    (f"{RECEIVE}: out of space", PoolFull),
    ("cannot create snapshot 'tank/a@s': permission denied", ZfsPermission),
    ("Permission denied the ZFS utilities must be run as root.", ZfsPermission),
    ("cannot mount 'tank/a': Insufficient privileges", ZfsPermission),
    ("internal error: out of order", ZfsError),
    ("", ZfsError),
]


@pytest.mark.parametrize(("message", "kind"), MESSAGES)
def test_a_message_means_its_error(message: str, kind: type[ZfsError]) -> None:
    error = wording.error_from_text(message, what="cannot do it", where="target")
    assert type(error) is kind
    assert error.what == "cannot do it"
    assert error.where == "target"


def test_an_error_quotes_the_first_line_and_says_what_next() -> None:
    error = wording.error_from_text("\nno: permission denied\nuse x\n", what="w", where="h")
    assert error.why == "no: permission denied"
    assert "zfs allow" in error.next_step


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOENT, DatasetMissing),
        (errno.EEXIST, DatasetExists),
        (errno.EBUSY, DatasetBusy),
        (errno.ENOSPC, PoolFull),
        (errno.EDQUOT, PoolFull),
        (errno.EPERM, ZfsPermission),
        (errno.EXDEV, ZfsError),
        (None, ZfsError),
    ],
)
def test_an_errno_means_the_same_errors(number: int | None, kind: type[ZfsError]) -> None:
    error = wording.error_from_errno(number, "said so", what="cannot", where="here")
    assert type(error) is kind
    assert error.why == "said so"


def test_refused_snapshots_are_named_with_reasons() -> None:
    stderr = (
        "cannot destroy snapshot tank/a@x: dataset is busy\n"
        "cannot destroy 'tank/a@y': snapshot has dependent clones\n"
        "use '-R' to destroy the following datasets:\n"
        "tank/clone\n"
        "cannot destroy snapshot tank/a@z: permission denied\n"
    )
    assert wording.destroy_refusals(stderr) == {
        "tank/a@x": wording.HELD,
        "tank/a@y": wording.CLONED,
        "tank/a@z": "permission denied",
    }


def test_complaints_are_about_the_snapshots_they_name() -> None:
    names = [A.at("x"), A.at("y"), A.at("z")]
    stderr = (
        "cannot hold snapshot 'tank/a@x': tag already exists on this dataset\n"
        "cannot open 'tank/a@z': dataset does not exist\n"
    )
    assert wording.not_mentioned(names, stderr) == [A.at("y")]
    rest = wording.without(stderr, wording.TAG_EXISTS)
    assert rest == "cannot open 'tank/a@z': dataset does not exist"
    assert wording.without(stderr, wording.TAG_EXISTS, wording.NO_SUCH_DATASET) == ""
