"""Everything the zfs adapter and the pull build inside the gate's bounds is accepted as it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.gate_support import (
    LOGIN,
    RUN,
    SNAP,
    TOKEN,
    mail_pull,
    operator_gate,
    replica_gate,
    target_gate,
)
from zrep.capsule.gate import Gate
from zrep.capsule.gate_policy import Allowed
from zrep.engine.mount import CONTAINER as MOUNT_CONTAINER
from zrep.engine.mount import SESSIONS as SESSIONS_ROOT
from zrep.engine.mount import clone_properties
from zrep.engine.replicate import PARENT
from zrep.engine.sync import CONTAINER as SYNC_CONTAINER
from zrep.model.backup import GLANCE, source_property
from zrep.model.key import SourceKey
from zrep.model.names import DatasetName, SnapshotName
from zrep.model.plan import SendSpec
from zrep.zfs import argv as zfs

Argv = tuple[str, ...]

ROOT = DatasetName("backup/current")
MAIL = ROOT / "manager-1/mail"
SNAPSHOT = MAIL.at(SNAP)
SESSIONS = DatasetName("backup/sessions")
CLONE = SESSIONS / "20260102_030405-ab12/manager-1/mail"
MARK = f"zrep_{RUN}_offsite"
MANIFEST = {"io.zrep:state": "complete", "io.zrep:src:manager-1:mail": '{"ok":true,"why":"a b"}'}


def reads(root: DatasetName, snapshot: SnapshotName) -> Iterator[Argv]:
    for snapshots in (True, False):
        yield zfs.list_argv(root, snapshots=snapshots)
        yield zfs.local_properties_argv(root, snapshots=snapshots)
    record = source_property(SourceKey("manager-1", "web.1_a"))
    yield zfs.list_argv(root, snapshots=True, only=(*GLANCE, record))
    yield zfs.get_argv([str(root)], ["mountpoint", "written@x", "io.zrep:state"])
    yield zfs.get_argv([str(snapshot), f"{root}#mark"], ["guid"])
    yield zfs.holds_argv([snapshot])
    yield zfs.version_argv()


def target_requests() -> Iterator[Argv]:
    yield from reads(ROOT, SNAPSHOT)
    yield from reads(SESSIONS, SNAPSHOT)
    properties = {**SYNC_CONTAINER, "compression": "gzip-7"}
    yield zfs.create_argv(ROOT / "manager-1", properties, mount=False)
    yield zfs.create_argv(MAIL, {}, mount=True)
    yield zfs.create_argv(SESSIONS, SESSIONS_ROOT, mount=False)
    yield zfs.create_argv(SESSIONS / "s", {"io.zrep:owner": "anna b"}, mount=True)
    yield zfs.snapshot_argv([SNAPSHOT, (ROOT / "solr-1/local").at(SNAP)], MANIFEST)
    for writable in (True, False):
        yield zfs.clone_argv(SNAPSHOT, CLONE, clone_properties(writable=writable))
    yield zfs.bookmark_argv(SNAPSHOT, MARK)
    yield zfs.destroy_snapshots_argv([SNAPSHOT, MAIL.at(f"zrep_{RUN}_daily.hourly")])
    yield zfs.destroy_bookmark_argv(MAIL, MARK)
    yield zfs.destroy_argv(CLONE)
    for tag in ("zrep:replica:offsite", "zrep:session:20260102_030405-ab12"):
        yield zfs.hold_argv([SNAPSHOT], tag)
        yield zfs.release_argv([SNAPSHOT], tag)
    yield zfs.set_argv([SNAPSHOT], MANIFEST)
    for name in (MAIL, CLONE):
        yield zfs.mount_argv(name)
        yield zfs.unmount_argv(name)
    yield from sends()
    yield ("rsync", "--version")


def sends() -> Iterator[Argv]:
    specs = [
        SendSpec(snapshot=SNAPSHOT),
        SendSpec(snapshot=SNAPSHOT, base="@old"),
        SendSpec(snapshot=SNAPSHOT, base="#mark"),
        SendSpec(snapshot=SNAPSHOT, base="@old", intermediates=True, raw=True),
        SendSpec(snapshot=SNAPSHOT, token=TOKEN),
    ]
    for spec in specs:
        yield zfs.send_argv(spec)
        yield zfs.send_argv(spec, estimate=True)


def replica_requests() -> Iterator[Argv]:
    root = DatasetName("tank/sbdi")
    snapshot = (root / "manager-1/mail").at(SNAP)
    yield from reads(root, snapshot)
    yield zfs.create_argv(root, PARENT, mount=False)
    yield zfs.create_argv(root / "manager-1", PARENT, mount=False)
    yield zfs.receive_argv(snapshot.dataset)
    yield zfs.abort_receive_argv(snapshot.dataset)
    yield zfs.hold_argv([snapshot], "zrep:replica:offsite")
    yield zfs.release_argv([snapshot], "zrep:replica:offsite")
    yield zfs.set_argv([snapshot], MANIFEST)
    yield from replica_sessions()


def replica_sessions() -> Iterator[Argv]:
    root = DatasetName("tank/sbdi-sessions")
    snapshot = DatasetName("tank/sbdi/manager-1/mail").at(SNAP)
    clone = root / "20260102_030405-ab12/manager-1/mail"
    yield from reads(root, snapshot)
    yield zfs.create_argv(root, SESSIONS_ROOT, mount=False)
    yield zfs.create_argv(root / "s", {"io.zrep:owner": "anna b"}, mount=True)
    yield zfs.hold_argv([snapshot], "zrep:session:20260102_030405-ab12")
    yield zfs.release_argv([snapshot], "zrep:session:20260102_030405-ab12")
    yield zfs.clone_argv(snapshot, clone, clone_properties(writable=False))
    yield zfs.mount_argv(clone)
    yield zfs.unmount_argv(clone)
    yield zfs.destroy_argv(clone)


def operator_requests() -> Iterator[Argv]:
    for root in (ROOT, SESSIONS):
        for snapshots in (True, False):
            yield zfs.list_argv(root, snapshots=snapshots)
            yield zfs.local_properties_argv(root, snapshots=snapshots)
    yield zfs.list_argv(SESSIONS / "s", snapshots=False, only=())
    yield zfs.holds_argv([SNAPSHOT, (ROOT / "RECOVERY/platform").at(SNAP)])
    yield zfs.create_argv(SESSIONS, SESSIONS_ROOT, mount=False)
    properties = {"io.zrep:owner": "anna", "io.zrep:purpose": "a 'b' c"}
    yield zfs.create_argv(SESSIONS / "s", properties, mount=True)
    yield zfs.create_argv(SESSIONS / "s/manager-1", MOUNT_CONTAINER, mount=False)
    for writable in (True, False):
        for origin in (SNAPSHOT, ROOT.at(f"snap_{RUN}")):
            folder = {"io.zrep:folder": '"manager-1@+docker"'}
            yield zfs.clone_argv(origin, CLONE, clone_properties(writable=writable))
            yield zfs.clone_argv(origin, CLONE, {**clone_properties(writable=writable), **folder})
    for verb in (zfs.hold_argv, zfs.release_argv):
        yield verb([SNAPSHOT, ROOT.at(f"snap_{RUN}")], "zrep:session:20260102_030405-ab12")
    for name in (CLONE, SESSIONS / "s"):
        yield zfs.mount_argv(name)
        yield zfs.unmount_argv(name)
        yield zfs.destroy_argv(name)


def test_operators_may_have_run_what_sessions_take() -> None:
    asked = tuple(operator_requests())
    gate = operator_gate()
    assert [gate.judge(argv) for argv in asked] == [Allowed(argv=argv) for argv in asked]


def test_a_target_accepts_what_the_director_asks() -> None:
    asked = tuple(target_requests())
    assert [target_gate().judge(argv) for argv in asked] == [Allowed(argv=argv) for argv in asked]


def test_a_replica_accepts_what_the_director_asks() -> None:
    asked = tuple(replica_requests())
    assert [replica_gate().judge(argv) for argv in asked] == [Allowed(argv=argv) for argv in asked]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"estimate": True},
        {"max_delete": 100},
        {"bwlimit": 20480},
        {"exclude": ("/lost+found/", "*.tmp", "a b")},
        {"exclude": ("x",), "estimate": True, "max_delete": 0},
    ],
    ids=str,
)
def test_a_target_accepts_its_own_pull(options: dict[str, object]) -> None:
    argv = mail_pull(**options)
    verdict = target_gate().judge(argv)
    assert verdict == Allowed(argv=argv, pulls_into=MAIL, reads=(LOGIN.key_file, LOGIN.known_hosts))


LEGAL = {
    "target": (target_gate(), tuple(target_requests())),
    "replica": (replica_gate(), tuple(replica_requests())),
    "operator": (operator_gate(), tuple(operator_requests())),
}


@given(role=st.sampled_from(sorted(LEGAL)), choice=st.integers(0, 10_000), data=st.data())
def test_a_word_more_is_never_accepted(role: str, choice: int, data: st.DataObject) -> None:
    """An option put anywhere into a legal request makes it another request."""
    gate, requests = LEGAL[role]
    argv = list(requests[choice % len(requests)])
    option = data.draw(st.sampled_from(["-r", "-R", "-f", "-F", "-d", "-x", "--", "-", "", "-rf"]))
    argv.insert(data.draw(st.integers(0, len(argv))), option)
    if tuple(argv) not in requests:
        assert not isinstance(gate.judge(argv), Allowed)


@given(role=st.sampled_from(sorted(LEGAL)), argv=st.lists(st.text(max_size=20), max_size=8))
def test_noise_is_refused_with_a_reason(role: str, argv: list[str]) -> None:
    gate: Gate = LEGAL[role][0]
    verdict = gate.judge(argv)
    assert not isinstance(verdict, Allowed)
    assert verdict.reason


@given(
    role=st.sampled_from(sorted(LEGAL)),
    choice=st.integers(0, 10_000),
    cut=st.integers(0, 30),
)
def test_a_request_cut_short_is_refused_or_legal_itself(role: str, choice: int, cut: int) -> None:
    gate, requests = LEGAL[role]
    argv = requests[choice % len(requests)]
    shorter = argv[: min(cut, len(argv) - 1)]
    if isinstance(gate.judge(shorter), Allowed):
        assert shorter[:2] in {
            ("zfs", v) for v in ("set", "get", "hold", "release", "holds", "snapshot", "version")
        }
