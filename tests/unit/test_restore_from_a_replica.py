"""A backup that is received back from a replica into a pool that was made anew, on simulated pools;
and the gate in front of the replica, which lets it out only when told so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.gate_support import TOKEN, KnownFacts, replica_gate
from tests.unit.test_engine_on_a_simulated_pool import (
    COPY,
    KEYS,
    ROOT,
    move,
    offsite,
    publish,
    run,
    sides,
    target,
)
from tests.unit.test_restore_plan import DB, RUN, WEB, backup, config
from zrep.capsule.gate import Gate
from zrep.capsule.gate_policy import Allowed, Refusal
from zrep.engine.bring_back import Returning, drop_returned
from zrep.engine.journal import Journal
from zrep.engine.mount import apply_mount, mountpoints, plan_mount
from zrep.engine.progress import Silent
from zrep.errors import CommandFailed, Conflict, Refused, ZfsError
from zrep.model.backup import Backup, State
from zrep.model.key import SourceKey
from zrep.model.names import DatasetName
from zrep.model.plan import SendSpec, Transfer
from zrep.model.recovery import RECOVERY, recovery_dataset
from zrep.model.session import Session
from zrep.model.source import Address, Replica
from zrep.planner.backups import find_backups
from zrep.planner.restore import Wish, plan_restore
from zrep.planner.simulate.pool import new_pool
from zrep.report.restore_script import render_script
from zrep.zfs import argv as zfs
from zrep.zfs.fake import FakeZfs, transfer
from zrep.zfs.port import Zfs

REPLICA = Replica(name="offsite", dataset=COPY)
Mover = Callable[[Zfs, Zfs, Transfer, Callable[[int], None]], int]


@pytest.fixture
def far(tmp_path: Path) -> FakeZfs:
    """A replica that has two backups, each with its sheet."""
    here, there = target(), offsite()
    sheet = recovery_dataset(ROOT, "platform")
    for name in (ROOT / RECOVERY, sheet):
        here.create(name, {})
    for second in (1, 2):
        publish(here, second)
        (*_, last) = here.inventory(ROOT / str(KEYS[0])).snapshots()
        here.snapshot([sheet.at(last.name.snap)], last.properties)
    run(sides(here, there), tmp_path)
    return there


def way(
    far: FakeZfs, here: FakeZfs, keys: tuple[SourceKey, ...] = KEYS, *, mover: Mover = move
) -> Returning:
    newest = find_backups(far.inventory(COPY), COPY)[0]
    return Returning(
        source=far,
        destination=here,
        replica=REPLICA,
        backup=newest,
        keys=keys,
        root=DatasetName("backup/restored") / str(newest.id),
        move=mover,
    )


def receive(back: Returning, tmp: Path) -> Backup:
    with Journal(tmp, "restore", RUN) as journal:
        return back.receive(journal, Silent())


def test_an_empty_pool_gets_the_backup_and_it_can_be_mounted(far: FakeZfs, tmp_path: Path) -> None:
    here = FakeZfs(new_pool("backup"))
    back = way(far, here)
    assert back.size() > 0
    got = receive(back, tmp_path)
    assert {str(c.snapshot.name.dataset) for c in got.children} == {
        f"{back.root}/h1/a",
        f"{back.root}/h2/b",
    }
    guids = {c.key: c.snapshot.guid for c in back.backup.children}
    assert {c.key: c.snapshot.guid for c in got.children} == guids
    assert got.sheet is not None
    assert got.sheet.name.dataset == recovery_dataset(back.root, "platform")
    (listed,) = find_backups(here.inventory(back.root), back.root)
    assert listed.state is State.COMPLETE
    session = Session(
        name="s", dataset=DatasetName("backup/sessions/s"), backup=got.id, owner="", purpose="",
        expires=0,
    )  # fmt: skip
    assert set(mountpoints(apply_mount(here, plan_mount(got, session)))) == set(KEYS)


def test_only_what_is_needed_comes_and_only_once(far: FakeZfs, tmp_path: Path) -> None:
    here = FakeZfs(new_pool("backup"))
    sent: list[str] = []

    def counted(a: Zfs, b: Zfs, step: Transfer, on_bytes: Callable[[int], None]) -> int:
        sent.append(str(step.destination))
        return move(a, b, step, on_bytes)

    one = way(far, here, KEYS[:1], mover=counted)
    receive(one, tmp_path)
    receive(one, tmp_path)
    assert sorted(sent) == [f"{one.root}/RECOVERY/platform", f"{one.root}/h1/a"]
    receive(way(far, here, mover=counted), tmp_path)
    assert sent[2:] == [f"{one.root}/h2/b"]
    assert one.size() == 0


def test_one_that_broke_off_is_resumed(far: FakeZfs, tmp_path: Path) -> None:
    here = FakeZfs(new_pool("backup"))

    def breaks(a: Zfs, b: Zfs, step: Transfer, _: Callable[[int], None]) -> int:
        assert isinstance(a, FakeZfs)
        assert isinstance(b, FakeZfs)
        return transfer(a, step.spec, b, step.destination, upto=1 << 19)

    with pytest.raises(CommandFailed, match="incomplete stream"):
        receive(way(far, here, mover=breaks), tmp_path)
    again = way(far, here)
    resumed = [t.spec.token for step in again.plan() for t in step.transfers]
    assert resumed[0] is not None
    assert {c.key for c in receive(again, tmp_path).children} == set(KEYS)


def test_what_cannot_be_resumed_starts_over(far: FakeZfs, tmp_path: Path) -> None:
    """The replica was pruned: what a token speaks of is no longer there."""
    here = FakeZfs(new_pool("backup"))
    older = find_backups(far.inventory(COPY), COPY)[1]
    root = DatasetName("backup/restored")
    newest = way(far, here)
    for name in (root, newest.root, newest.root / "h1"):
        here.create(name, {})
    stale = older.children[0].snapshot.name
    with pytest.raises(CommandFailed):
        transfer(far, SendSpec(snapshot=stale), here, newest.root / "h1" / "a", upto=1)
    far.release([s.name for s in far.inventory(COPY).snapshots()], "zrep:replica:offsite")
    assert far.destroy_snapshots([stale]) == {}
    assert newest.size() > 0
    assert {c.key for c in receive(newest, tmp_path).children} == set(KEYS)


def test_something_else_in_its_place_is_named_and_left_alone(far: FakeZfs, tmp_path: Path) -> None:
    here = FakeZfs(new_pool("backup"))
    back = way(far, here)
    for name in (
        DatasetName("backup/restored"),
        back.root,
        back.root / "h1",
        back.root / "h1" / "a",
    ):
        here.create(name, {})
    with pytest.raises(Conflict, match="in the way") as conflict:
        receive(back, tmp_path)
    assert "zfs destroy -r" in conflict.value.next_step
    assert here.inventory(back.root).get(back.root / "h1" / "a") is not None


def test_what_was_received_goes_when_it_is_discarded_and_nothing_else(
    far: FakeZfs, tmp_path: Path
) -> None:
    here = target()
    publish(here, 5)
    before = {d.name for d in here.inventory(DatasetName("backup"))}
    back = way(far, here)
    receive(back, tmp_path)
    assert len(drop_returned(here, back.root)) == 7
    left = {d.name for d in here.inventory(DatasetName("backup"))}
    assert left - before == {DatasetName("backup/restored")}
    assert drop_returned(here, back.root) == ()


def test_what_is_mounted_of_it_is_not_discarded(far: FakeZfs, tmp_path: Path) -> None:
    here = FakeZfs(new_pool("backup"))
    back = way(far, here)
    child = receive(back, tmp_path).children[0]
    here.hold([child.snapshot.name], "zrep:session:s")
    with pytest.raises(ZfsError, match="stays"):
        drop_returned(here, back.root)


# ---- the replica's gate -----------------------------------------------------------------------

SNAPSHOT = f"tank/sbdi/manager-1/mail@zrep_{RUN}_hourly"
SEND = ("zfs", "send", "-L", "-e", "-c", SNAPSHOT)


def open_gate() -> Gate:
    gate = replica_gate()
    policy = replace(gate.policy, send_back=True)
    return replace(gate, policy=policy, facts=Facts())


class Facts(KnownFacts):
    def token_snapshot(self, token: str) -> str | None:
        return SNAPSHOT if token == TOKEN else "rpool/root@now"


def test_nothing_goes_out_unless_the_replica_says_so() -> None:
    refusal = replica_gate().judge(SEND)
    assert isinstance(refusal, Refusal)
    assert "send_back is not true" in refusal.reason
    assert isinstance(open_gate().judge(SEND), Allowed)


@pytest.mark.parametrize("estimate", [False, True])
def test_it_may_send_what_zrep_asks_for(*, estimate: bool) -> None:
    name = DatasetName("tank/sbdi/manager-1/mail").at(f"zrep_{RUN}_hourly")
    for spec in (SendSpec(snapshot=name), SendSpec(snapshot=name, token=TOKEN)):
        words = zfs.send_argv(spec, estimate=estimate)
        assert open_gate().judge(words) == Allowed(argv=words)


@pytest.mark.parametrize(
    "words",
    [
        "zfs send -L -e -c rpool/root@now",
        "zfs send -L -e -c -R tank/sbdi@x",
        "zfs send -L -e -c tank/other/x@y",
        "zfs send -t 1-ffffffff0-e0-789c",
        "zfs snapshot tank/sbdi/x@y",
        f"zfs destroy {SNAPSHOT}",
        "zfs send -L -e -c -p tank/sbdi/manager-1/mail@x",
    ],
)
def test_an_open_replica_still_refuses_all_else(words: str) -> None:
    assert isinstance(open_gate().judge(words.split()), Refusal)


def test_a_replica_that_gives_nothing_out_is_told_how_to(far: FakeZfs, tmp_path: Path) -> None:
    why = (
        "zrep gate: refused for role replica: nothing goes out of here: [replica] send_back is not"
    )

    class Shut(FakeZfs):
        def send_size(self, spec: SendSpec) -> int:
            raise ZfsError(f"cannot send {spec.snapshot}", why=why)

    here = FakeZfs(new_pool("backup"))
    with pytest.raises(Refused, match="gives nothing out") as refused:
        receive(way(Shut(far.pool), here), tmp_path)
    assert "send_back = true" in refused.value.next_step
    assert [str(d.name) for d in here.inventory(DatasetName("backup"))] == ["backup"]


# ---- without zrep -----------------------------------------------------------------------------


def test_the_script_receives_first_and_mounts_what_it_received() -> None:
    made = backup(WEB, DB)
    there = replace(
        made,
        children=tuple(
            replace(c, snapshot=replace(c.snapshot, name=(COPY / str(c.key)).at("zrep_x")))
            for c in made.children
        ),
    )
    replica = replace(REPLICA, address=Address(host="far", port=2222))
    plan = plan_restore(config(), made, Wish(sources=(WEB,)), run=RUN)
    text = render_script(plan, there, config(), replica)
    local = f"backup/restored/{made.id}/m/web"
    assert f"on far zfs send -L -e -c tank/copy/m/web@zrep_x | zfs receive -u {local}" in text
    assert f"mount -t zfs -o ro,nosuid,nodev,noexec {local}@zrep_x" in text
    assert "/c/db" not in text
    assert text.index("PORT=2222") < text.index("receive -u") < text.index("mount -t zfs")
