"""What people without privileges may have run as root: what sessions take, and nothing besides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, combinations, product

import pytest

from tests.unit.gate_support import RUN, SNAP, mail_pull, operator_gate
from tests.unit.rows import of_each
from tests.unit.test_gate_accepts import operator_requests, replica_requests, target_requests
from tests.unit.test_gate_refuses import REPLICA, TARGET, not_refused, requests, words
from zrep.capsule.gate_policy import Allowed, GatePolicy, Refusal, Role, parse_policy
from zrep.engine.mount import SESSIONS as SESSIONS_ROOT
from zrep.engine.mount import (
    MountPlan,
    apply_mount,
    clone_properties,
    list_sessions,
    plan_mount,
    umount,
)
from zrep.errors import CommandFailed, ZfsError
from zrep.host.port import Completed
from zrep.model.backup import Backup, Child, State
from zrep.model.inventory import Snapshot
from zrep.model.key import SourceKey
from zrep.model.names import BackupId, DatasetName, Guid, SnapshotName, Txg, parse_label
from zrep.model.session import Session
from zrep.zfs import argv as zfs
from zrep.zfs.cli import CliZfs

Argv = tuple[str, ...]

ROOT, SESSIONS = DatasetName("backup/current"), DatasetName("backup/sessions")
DS = "backup/current/manager-1/mail"
SHEET = f"backup/current/RECOVERY/platform@{SNAP}"
LOCKED = "-o readonly=on -o exec=off -o setuid=off -o devices=off"
MADE = "-o canmount=off -o exec=off -o setuid=off -o devices=off -o atime=off -o xattr=sa"

HOSTILE = f"""
zfs version
zfs snapshot {DS}@{SNAP}
zfs destroy {DS}@{SNAP}
zfs destroy {DS}#zrep_{RUN}_offsite
zfs destroy backup/sessions/x@{SNAP}
zfs destroy backup/sessions/x,y
zfs bookmark {DS}@{SNAP} {DS}#zrep_{RUN}_offsite
zfs set io.zrep:x=1 {DS}
zfs set io.zrep:expires=1 backup/sessions/x
zfs set readonly=off backup/sessions/x
zfs inherit readonly backup/sessions/x
zfs send -L -e -c {DS}@{SNAP}
zfs send -L -e -c backup/sessions/x@{SNAP}
zfs receive -s -u backup/sessions/x
zfs receive -A backup/sessions/x
zfs get -H -p -o name,property,value keylocation {DS}
zfs mount {DS}
zfs unmount {DS}
zfs mount backup/sessions
zfs unmount -f backup/sessions/x
zfs destroy backup/sessions
zfs destroy -r backup/sessions/x
zfs destroy backup/sessions/../current
zfs create -u {DS}/x
zfs create -u backup/current/x
zfs create -u backup/x
zfs create -u backup/sessions/x
zfs create -o canmount=on backup/sessions/x
zfs create -o mountpoint=/etc backup/sessions/x
zfs create -o readonly=off backup/sessions/x
zfs create -o compression=gzip-7 backup/sessions/x
zfs create -o exec=off backup/sessions/x
zfs create -V 1g backup/sessions/x
zfs create -o io.zrep:a=1 -o io.zrep:a=2 backup/sessions/x
zfs create -o io.zrep:a=1 backup/sessions/x/h
zfs create -u backup/sessions/x/h
zfs create -u -o canmount=on backup/sessions/x/h
zfs create -u -o canmount=off -o mountpoint=/etc backup/sessions/x/h
zfs create {MADE} -o acltype=posix backup/sessions
zfs create -u backup/sessions
zfs create -u {MADE} backup/sessions
zfs create -u {MADE} -o acltype=posix -o io.zrep:x=1 backup/sessions
zfs create -u {MADE} -o acltype=off backup/sessions
zfs create -u {MADE} -o acltype=posix -o mountpoint=/etc backup/sessions
zfs create -u {MADE} -o acltype=posix -o xattr=sa backup/sessions
zfs create -u {MADE.replace("canmount=off", "canmount=on")} -o acltype=posix backup/sessions
zfs clone {LOCKED} {DS}@{SNAP} backup/sessions
zfs clone {LOCKED} {DS}@{SNAP} backup/current/s/h/x
zfs clone {LOCKED} {DS}@{SNAP} backup/sessions-2/s/h/x
zfs clone {LOCKED} {DS}@{SNAP} rpool/s/h/x
zfs clone {LOCKED} rpool/root@{SNAP} backup/sessions/s/h/x
zfs clone {LOCKED} backup/sessions/x@{SNAP} backup/sessions/s/h/y
zfs clone {LOCKED} {DS}@mine backup/sessions/s/h/x
zfs clone {LOCKED} {DS}@autosnap_2026-01-01_00:00:00_daily backup/sessions/s/h/x
zfs clone {LOCKED} {SHEET} backup/sessions/s/h/x
zfs clone {LOCKED} -o mountpoint=/etc {DS}@{SNAP} backup/sessions/s/h/x
zfs clone {LOCKED} -o readonly=off {DS}@{SNAP} backup/sessions/s/h/x
zfs clone {LOCKED} -o exec=on {DS}@{SNAP} backup/sessions/s/h/x
zfs clone {LOCKED.replace("setuid=off", "setuid=on")} {DS}@{SNAP} backup/sessions/s/h/x
zfs clone {LOCKED} -o canmount=on {DS}@{SNAP} backup/sessions/s/h/x
zfs clone {LOCKED} -o canmount=off {DS}@{SNAP} backup/sessions/s/h/x
zfs clone {LOCKED} {DS}@{SNAP} backup/sessions/s
zfs clone {LOCKED} {DS}@{SNAP} backup/sessions/s/h
zfs clone {LOCKED} {DS}@{SNAP} backup/sessions/s/h/x/y
zfs create -u -o canmount=off backup/sessions/s/h/x
zfs create -u -o canmount=off backup/sessions/s/h/x/y
zfs create -u -o canmount=off backup/sessions/s
zfs mount backup/sessions/s/h/x/y
zfs create -o io.zrep:purpose=\x1b]0;x\x07 backup/sessions/s
zfs hold zrep:replica:offsite {DS}@{SNAP}
zfs release zrep:replica:offsite {DS}@{SNAP}
zfs release zrep:keep {DS}@{SNAP}
zfs hold zrep:session: {DS}@{SNAP}
zfs hold zrep:session:x {SHEET}
zfs hold zrep:session:x {DS}@mine
zfs hold zrep:session:x backup/sessions/x@{SNAP}
zfs hold -r zrep:session:x {DS}@{SNAP}
zfs holds -H backup/sessions/x@{SNAP}
zfs holds -H -r {DS}@{SNAP}
rsync --version
dd of=/{DS}/RECOVERY.txt oflag=nofollow bs=64K status=none
zrep mount latest
mount -t zfs {DS}@{SNAP} /mnt
sh -c id
"""


def test_every_hostile_request_is_refused() -> None:
    assert not_refused(operator_gate(), requests(HOSTILE)) == []


def test_what_the_other_gates_refuse_is_refused_here_too() -> None:
    gate = operator_gate()
    assert not_refused(gate, requests(TARGET)) == []
    elsewhere = (argv for argv in requests(REPLICA) if argv[-1] != str(ROOT))
    assert not_refused(gate, (*elsewhere, *replica_requests())) == []


def test_of_what_a_director_may_only_what_sessions_take_is_let_through() -> None:
    gate = operator_gate()
    asked = (*target_requests(), mail_pull())
    through = {argv[1] for argv in asked if isinstance(gate.judge(argv), Allowed)}
    assert through == {
        *("list", "get", "holds", "create", "clone", "hold", "release"),
        *("mount", "unmount", "destroy"),
    }
    for verb in ("create", "destroy", "mount", "unmount"):
        names = {a[-1] for a in asked if a[1] == verb and isinstance(gate.judge(a), Allowed)}
        assert names
        assert all(DatasetName(name).is_below(SESSIONS) for name in names), verb


PLACES = (
    *("backup", "backup/current", DS, "backup/sessions", "backup/sessionsx", "rpool"),
    *("backup/sessions-2/s", "backup/sessions-2/s/h/x", "rpool/s/h/x", "backup/current/s/h/x"),
    *("backup/sessions/s", "backup/sessions/s/h", "backup/sessions/s/h/x"),
    *("backup/sessions/s/h/x/y", "backup/sessions/s/h/x/y/z"),
)
WITHIN = {
    "mount": ("s", "s/h", "s/h/x"),
    "unmount": ("s", "s/h", "s/h/x"),
    "destroy": ("s", "s/h", "s/h/x"),
    "create": ("s",),
    "create -u -o canmount=off": ("s/h",),
    f"clone {LOCKED} {DS}@{SNAP}": ("s/h/x",),
}


@pytest.mark.parametrize("verb", WITHIN)
def test_nothing_is_made_or_mounted_but_where_a_session_has_it(verb: str) -> None:
    """Above all not below a clone: a link that somebody lays there would lead anywhere."""
    gate = operator_gate()
    asked = ((name, words(f"zfs {verb} {name}")) for name in PLACES)
    through = [name for name, argv in asked if isinstance(gate.judge(argv), Allowed)]
    assert through == [f"backup/sessions/{name}" for name in WITHIN[verb]]


def test_a_clone_says_everything_that_keeps_it_locked() -> None:
    """Of all subsets of what a clone is made with only the whole is let through."""
    gate = operator_gate()
    origin, place = SnapshotName.parse(f"{DS}@{SNAP}"), SESSIONS / "s/h/x"
    for writable in (True, False):
        whole = clone_properties(writable=writable)
        for some in chain.from_iterable(combinations(whole, n) for n in range(len(whole) + 1)):
            verdict = gate.judge(zfs.clone_argv(origin, place, {k: whole[k] for k in some}))
            assert isinstance(verdict, Allowed) == (len(some) == len(whole)), some


def test_the_root_of_all_sessions_is_made_with_all_of_its_properties_or_not() -> None:
    gate = operator_gate()
    for some in chain.from_iterable(combinations(SESSIONS_ROOT, n) for n in range(8)):
        said = {key: SESSIONS_ROOT[key] for key in some}
        verdict = gate.judge(zfs.create_argv(SESSIONS, said, mount=False))
        assert isinstance(verdict, Allowed) == (len(some) == len(SESSIONS_ROOT)), some


KEYS = (
    *("canmount", "readonly", "exec", "setuid", "devices", "mountpoint", "sharenfs", "sharesmb"),
    *("acltype", "xattr", "atime", "overlay", "zoned", "volsize", "encryption", "keylocation"),
    *("snapdir", "quota", "reservation", "compression", "io.zrep", "zrep:x", "x:io.zrep"),
)


def test_below_it_nothing_is_set_but_that_a_host_is_not_mounted() -> None:
    gate = operator_gate()
    values = ("on", "off", "noauto", "none", "/etc", "posix", "sa", "1G", "")
    through = [
        (form, key, value)
        for form, key, value in product(("-o {} {}/x", "-u -o {} {}/x/h"), KEYS, values)
        if isinstance(
            gate.judge(words(f"zfs create {form.format(f'{key}={value}', SESSIONS)}")), Allowed
        )
    ]
    assert through == [("-u -o {} {}/x/h", "canmount", "off")]


# ---- what the verbs really ask ----------------------------------------------------------------


class Asked:
    """A Host that notes what is asked and answers with nothing; `missing` is not there yet."""

    name = "here"

    def __init__(self, missing: str = "") -> None:
        self.said: list[Argv] = []
        self.missing = missing

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        timeout: float = 60.0,  # noqa: ARG002 - the port's
        ok: Sequence[int] = (0,),  # noqa: ARG002
    ) -> Completed:
        assert stdin is None
        self.said.append(tuple(argv))
        if self.missing and argv[1] == "create":
            self.missing = ""
            raise CommandFailed(tuple(argv), 1, "parent does not exist", where=self.name)
        return Completed(argv=tuple(argv), returncode=0, stdout="", stderr="")

    def bulk_argv(self, argv: Sequence[str]) -> Argv:
        return tuple(argv)

    def close(self) -> None:
        """Nothing is open."""


def backup() -> Backup:
    label = parse_label(SNAP)
    assert label is not None
    names = {key: ROOT / key for key in ("manager-1/mail", "cassandra-1/local")}
    return Backup(
        label=label,
        state=State.COMPLETE,
        manifest=None,
        children=tuple(
            Child(
                key=SourceKey(*key.split("/")),
                snapshot=Snapshot(
                    name=name.at(SNAP), guid=Guid(n), createtxg=Txg(n), creation=1_700_000_000
                ),
                record=None,
            )
            for n, (key, name) in enumerate(names.items(), 1)
        ),
    )


def session(*, writable: bool) -> Session:
    return Session(
        name=f"{RUN}-ab12",
        dataset=SESSIONS / f"{RUN}-ab12",
        backup=BackupId(RUN),
        owner="anna",
        purpose="find 'it'; $(now)",
        expires=1_800_000_000,
        writable=writable,
    )


Verb = Callable[[CliZfs], object]


def mounting(plan: MountPlan) -> Verb:
    """To the end and back again: a host without answers shows nothing as mounted."""

    def verb(zfs: CliZfs) -> None:
        with pytest.raises(ZfsError, match="gone again"):
            apply_mount(zfs, plan)

    return verb


def umounting(gone: Session) -> Verb:
    return lambda zfs: umount(zfs, gone)


def verbs() -> Iterator[tuple[str, Verb]]:
    yield "sessions", lambda zfs: list_sessions(zfs, SESSIONS)
    yield "list", lambda zfs: zfs.inventory(ROOT)
    for writable in (True, False):
        plan = plan_mount(backup(), session(writable=writable))
        yield "mount", mounting(plan)
        yield "umount", umounting(plan.session)


@pytest.mark.parametrize("missing", ["", "backup/sessions"])
@pytest.mark.parametrize("verb", tuple(verbs()), ids=lambda verb: verb[0])
def test_all_that_a_verb_asks_is_let_through(verb: tuple[str, Verb], missing: str) -> None:
    host = Asked(missing)
    verb[1](CliZfs(host))
    assert host.said
    gate = operator_gate()
    assert [argv for argv in host.said if gate.judge(argv) != Allowed(argv=argv)] == []


# ---- the policy -------------------------------------------------------------------------------

POLICY = '[operator]\ndataset = "backup/current"\nsessions = "backup/sessions"\n'


def test_the_policy_says_where_the_backups_are_and_where_the_clones() -> None:
    assert parse_policy(POLICY, Role.OPERATOR) == operator_gate().policy


@of_each(
    [
        POLICY.replace("operator", "target"),
        '[operator]\ndataset = "backup/current"\n',
        '[operator]\nsessions = "backup/sessions"\n',
        f"{POLICY}send_back = true\n",
        f'{POLICY}login = {{ user = "zrep" }}\n',
        f"{POLICY}pulls = []\n",
        POLICY.replace("backup/sessions", "backup"),
        POLICY.replace("backup/sessions", "backup/current"),
        POLICY.replace("backup/sessions", "backup sessions"),
    ]
)
def test_a_policy_under_which_backups_could_be_destroyed_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_policy(text, Role.OPERATOR)


@pytest.mark.parametrize("role", Role)
def test_no_gate_has_its_backups_among_the_clones(role: Role) -> None:
    with pytest.raises(ValueError, match="among the clones"):
        GatePolicy(role=role, dataset=DatasetName("a/b/c"), sessions=DatasetName("a/b"))


def test_an_operator_is_told_why() -> None:
    verdict = operator_gate().judge(("zfs", "snapshot", f"{DS}@{SNAP}"))
    assert verdict == Refusal(reason="zfs snapshot is not for this role")
    assert all(isinstance(operator_gate().judge(a), Allowed) for a in operator_requests())
