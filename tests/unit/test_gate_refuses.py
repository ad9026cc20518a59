"""Hostile and careless requests, some 200 of them: every one is refused, with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tests.unit.gate_support import (
    FOREIGN_TOKEN,
    RUN,
    SNAP,
    TOKEN,
    KnownFacts,
    mail_pull,
    replica_gate,
    target_gate,
)
from tests.unit.rows import of_each
from zrep.capsule.gate import Gate
from zrep.capsule.gate_policy import Allowed, Refusal

DS = "backup/current/manager-1/mail"
MARK = f"zrep_{RUN}_offsite"
LIST = "zfs list -H -p -r -t filesystem,volume -o name,guid"
GET = "zfs get -H -p -o name,property,value"

TARGET = f"""
zfs
zfs list
zfs list -H
zfs list -H -p -r -t filesystem,volume -o name
{LIST}
{LIST} rpool
{LIST} backup
{LIST} backup/currently
{LIST} backup/current/../../rpool
{LIST} backup/current backup/current
{LIST} -d 1 backup/current
{LIST} backup/current@x
{LIST} /backup/current
zfs list -H -p -r -t all -o name backup/current
zfs list -H -p -r -t filesystem,volume -o name;id backup/current
zfs list -H -p -r -t filesystem,volume -o name,org.example:x backup/current
zfs list -H -p -r -t filesystem,volume -o name,io.zrep:x;id backup/current
zfs list -H -p -r -t filesystem,volume -o name,io.zrep:src:a:;id backup/current
zfs list -H -p -r -t filesystem,volume -o name,io.zrep:src::a backup/current
zfs list -H -p -r -t filesystem,volume -o io.zrep:x,name backup/current
zfs get -H -p -s local,received -o name,property,value all {DS}@{SNAP}
zfs list -j backup/current
{GET} all rpool
{GET} guid rpool/x@y
{GET} guid {DS} rpool
{GET} guid
{GET} guid;id {DS}
{GET} -r guid {DS}
zfs get -H -p -r -s local,received -t filesystem,volume -o name,property,value all backup
zfs get -H -p -r -s all -t filesystem,volume -o name,property,value all {DS}
zfs holds -H rpool/x@y
zfs holds -r -H {DS}@x
zfs holds -H
zfs create
zfs create rpool/x
zfs create backup/x
zfs create -p {DS}
zfs create -V 1g {DS}
zfs create -o mountpoint=/etc {DS}
zfs create -o mountpoint=/ -u {DS}
zfs create -u -o setuid=on {DS}
zfs create -u -o exec=on {DS}
zfs create -u -o devices=on {DS}
zfs create -u -o readonly=off {DS}
zfs create -u -o sharenfs=on {DS}
zfs create -u -o sharesmb=on {DS}
zfs create -u -o keylocation=file:///etc/shadow {DS}
zfs create -u -o encryption=on {DS}
zfs create -u -o compression=gzip-7,x {DS}
zfs create -u -o compression {DS}
zfs create -u -o {DS}
zfs create -u -o zrep:x=1 {DS}
zfs create -u -o io.zrep=1 {DS}
zfs create -u -o canmount=maybe {DS}
zfs create -u {DS} {DS}
zfs create -u {DS}@x
zfs create -u -- {DS}
zfs create -u backup/current/-x
zfs snapshot
zfs snapshot {DS}@manual
zfs snapshot {DS}@autosnap_2026-01-01_00:00:00_daily
zfs snapshot -r {DS}@{SNAP}
zfs snapshot rpool/x@{SNAP}
zfs snapshot {DS}@{SNAP} rpool@{SNAP}
zfs snapshot -o compression=off {DS}@{SNAP}
zfs snapshot -o mountpoint=/ {DS}@{SNAP}
zfs snapshot {DS}@zrep_20260102_030405
zfs snapshot {DS}@zrep_20260102_030405_
zfs snapshot {DS}@zrep_20269902_030405_daily
zfs snapshot {DS}@zrep_20260102_030405_hourly.daily
zfs snapshot backup/sessions/x@{SNAP}
zfs clone {DS}@{SNAP} rpool/x
zfs clone {DS}@{SNAP} backup/x
zfs clone {DS}@{SNAP} backup/current/x
zfs clone {DS}@{SNAP} backup/sessions
zfs clone {DS}@{SNAP} backup/sessions-2/x
zfs clone rpool/x@{SNAP} backup/sessions/x
zfs clone backup/sessions/x@y backup/sessions/z
zfs clone -o mountpoint=/etc {DS}@{SNAP} backup/sessions/x
zfs clone -o canmount=on {DS}@{SNAP} backup/sessions/x
zfs clone -o setuid=on {DS}@{SNAP} backup/sessions/x
zfs clone -o compression=off {DS}@{SNAP} backup/sessions/x
zfs clone -p {DS}@{SNAP} backup/sessions/x
zfs clone {DS} backup/sessions/x
zfs bookmark {DS}@{SNAP} {DS}
zfs bookmark {DS}@{SNAP} {DS}#mine
zfs bookmark {DS}@{SNAP} backup/current/x#{MARK}
zfs bookmark {DS}#{MARK} {DS}#{MARK}
zfs bookmark rpool/x@{SNAP} rpool/x#{MARK}
zfs bookmark {DS}@{SNAP} {DS}#{MARK}#x
zfs destroy
zfs destroy backup
zfs destroy backup/current
zfs destroy {DS}
zfs destroy backup/sessions
zfs destroy -r backup/sessions/x
zfs destroy -R backup/sessions/x
zfs destroy -f backup/sessions/x
zfs destroy -rf backup
zfs destroy backup/sessions/x backup/sessions/y
zfs destroy backup/sessions/../current
zfs destroy rpool
zfs destroy rpool@{SNAP}
zfs destroy {DS}@manual
zfs destroy {DS}@%
zfs destroy {DS}@{SNAP}%
zfs destroy {DS}@{SNAP}%zrep_20260103_030405_daily
zfs destroy {DS}@{SNAP},manual
zfs destroy {DS}@{SNAP},
zfs destroy {DS}@,{SNAP}
zfs destroy -d {DS}@{SNAP}
zfs destroy -r {DS}@{SNAP}
zfs destroy {DS}@{SNAP}@{SNAP}
zfs destroy {DS}@{SNAP} {DS}@{SNAP}
zfs destroy backup/sessions/x@{SNAP}
zfs destroy {DS}#mine
zfs destroy rpool/x#{MARK}
zfs hold
zfs hold zrep:replica:offsite
zfs hold keep {DS}@{SNAP}
zfs hold zrep:replica: {DS}@{SNAP}
zfs hold zrep:other:x {DS}@{SNAP}
zfs hold -r zrep:replica:x {DS}@{SNAP}
zfs hold zrep:replica:x rpool/x@{SNAP}
zfs hold zrep:replica:x {DS}
zfs release keep {DS}@{SNAP}
zfs release -r zrep:replica:x {DS}@{SNAP}
zfs release zrep:replica:x rpool/x@y
zfs release .x {DS}@{SNAP}
zfs set
zfs set io.zrep:x=1
zfs set mountpoint=/etc {DS}
zfs set compression=off {DS}
zfs set readonly=off {DS}
zfs set io.zrep:x=1 mountpoint=/ {DS}
zfs set io.zrep:x {DS}
zfs set zrep:x=1 {DS}
zfs set io.zrep:x=1 rpool
zfs set io.zrep:x=1 {DS} rpool
zfs set -u io.zrep:x=1 {DS}
zfs set IO.ZREP:x=1 {DS}
zfs mount
zfs mount -a
zfs mount -O {DS}
zfs mount -o suid {DS}
zfs mount rpool/x
zfs mount {DS} {DS}
zfs mount -o exec {DS}
zfs unmount -f {DS}
zfs unmount -a
zfs unmount /
zfs unmount /backup/current
zfs unmount rpool
zfs umount {DS}
zfs send {DS}@{SNAP}
zfs send -L -e -c rpool/x@y
zfs send -L -e -c -R {DS}@{SNAP}
zfs send -L -e -c -p {DS}@{SNAP}
zfs send -L -e -c -i rpool/x@y {DS}@{SNAP}
zfs send -L -e -c -I #mark {DS}@{SNAP}
zfs send -L -e -c -i {DS}@{SNAP}
zfs send -L -e -c -i @a,b {DS}@{SNAP}
zfs send -L -e -c --redact x {DS}@{SNAP}
zfs send -L -e -c {DS}
zfs send -L -e -c {DS}@{SNAP} {DS}@{SNAP}
zfs send -n -L -e -c {DS}@{SNAP}
zfs send -t
zfs send -t {FOREIGN_TOKEN}
zfs send -t 1-unknown
zfs send -t -e
zfs send -t {TOKEN} -p
zfs send -S {DS}
zfs send -t ../../x
zfs receive {DS}
zfs receive -s -u {DS}
zfs receive -F {DS}
zfs receive -A {DS}
zfs recv -F {DS}
zfs rollback {DS}@{SNAP}
zfs rollback -r {DS}@{SNAP}
zfs rename {DS} backup/x
zfs promote backup/sessions/x
zfs allow -u zrep destroy backup
zfs unallow backup
zfs share -a
zfs inherit mountpoint {DS}
zfs upgrade -a
zfs userspace {DS}
zfs diff {DS}@{SNAP}
zfs program backup /tmp/x.lua
zfs load-key -a
zfs change-key {DS}
zfs redact {DS}@{SNAP} x y
zfs wait {DS}
zfs jail x {DS}
zfs version -x
zfs -?
zfs --version
ZFS list
/sbin/zfs version
./zfs version
zfs\tversion
zpool destroy backup
zpool export backup
zdb backup
sh
sh -c id
bash -c zfs
env zfs version
sudo zfs version
cat /etc/shadow
id
scp -t /
rsync
rsync --version -V
rsync --version --daemon
rsync --server --sender . /
rsync --server --daemon .
rsync -a /etc/ {DS}/
rsync -a 10.0.0.11::mail.{RUN}/ /backup/current/manager-1/mail/
rm -rf /
mount /dev/sda /mnt
"""

LOCKED = "-o readonly=on -o exec=off -o setuid=off -o devices=off"
REPLICA = f"""
zfs clone {LOCKED} tank/sbdi/x@{SNAP} tank/sbdi-sessions
zfs clone {LOCKED} tank/sbdi/x@{SNAP} tank/sbdi/y
zfs clone {LOCKED} tank/sbdi/x@{SNAP} tank/other/y
zfs clone {LOCKED} tank/other/x@{SNAP} tank/sbdi-sessions/y
zfs clone {LOCKED} -o mountpoint=/etc tank/sbdi/x@{SNAP} tank/sbdi-sessions/y
zfs clone {LOCKED} -o readonly=off tank/sbdi/x@{SNAP} tank/sbdi-sessions/y
zfs clone {LOCKED.replace("readonly=on", "readonly=off")} tank/sbdi/x@{SNAP} tank/sbdi-sessions/y
zfs clone {LOCKED.replace("setuid=off", "setuid=on")} tank/sbdi/x@{SNAP} tank/sbdi-sessions/y
zfs clone {LOCKED} -o canmount=off tank/sbdi/x@{SNAP} tank/sbdi-sessions/y
zfs clone {LOCKED.removesuffix(" -o devices=off")} tank/sbdi/x@{SNAP} tank/sbdi-sessions/y
zfs clone tank/sbdi/x@{SNAP} tank/sbdi-sessions/y
zfs mount tank/sbdi-sessions
zfs unmount tank/sbdi-sessions
zfs unmount -f tank/sbdi-sessions/y
zfs destroy tank/sbdi-sessions
zfs destroy -r tank/sbdi-sessions/y
zfs destroy tank/sbdi-sessions/y@{SNAP}
zfs destroy tank/sbdi-sessions/y#{MARK}
zfs receive -s -u tank/sbdi-sessions/y
zfs receive -A tank/sbdi-sessions/y
zfs hold zrep:session:x tank/sbdi-sessions/y@{SNAP}
zfs set readonly=off tank/sbdi-sessions/y
zfs create -o setuid=on tank/sbdi-sessions/y
{LIST} backup/current
{LIST} tank
zfs destroy tank/sbdi/manager-1/mail@{SNAP}
zfs destroy tank/sbdi
zfs destroy tank/sbdi#{MARK}
zfs destroy -r tank/sbdi
zfs rollback tank/sbdi/x@{SNAP}
zfs receive -F tank/sbdi/x
zfs receive -s -u -F tank/sbdi/x
zfs receive -s -u tank/other
zfs receive -s -u tank
zfs receive -s tank/sbdi/x
zfs receive -u tank/sbdi/x
zfs receive tank/sbdi/x
zfs receive -s -u -o mountpoint=/ tank/sbdi/x
zfs receive -s -u -d tank/sbdi
zfs receive -s -u -e tank/sbdi
zfs receive -s -u tank/sbdi/x@y
zfs receive -s -u tank/sbdi/x tank/sbdi/y
zfs receive -s -u -h tank/sbdi/x
zfs receive -A tank/other
zfs receive -A -F tank/sbdi
zfs receive -A
zfs receive -c tank/sbdi/x
zfs recv -s -u tank/sbdi/x
zfs clone tank/sbdi/x@{SNAP} tank/sbdi/y
zfs snapshot tank/sbdi/x@{SNAP}
zfs bookmark tank/sbdi/x@{SNAP} tank/sbdi/x#{MARK}
zfs mount tank/sbdi/x
zfs unmount tank/sbdi/x
zfs send -L -e -c tank/sbdi/x@{SNAP}
zfs send -t {TOKEN}
zfs set readonly=off tank/sbdi
zfs set mountpoint=/etc tank/sbdi
zfs set canmount=on tank/sbdi
zfs set io.zrep:x=1 tank
zfs create tank/x
zfs create -o mountpoint=/ tank/sbdi/x
zfs create -o readonly=off tank/sbdi/x
zfs rename tank/sbdi tank/x
zfs promote tank/sbdi/x
zfs allow zrep destroy tank
zfs hold mine tank/sbdi/x@{SNAP}
zfs release mine tank/sbdi/x@{SNAP}
zfs release -r zrep:replica:x tank/sbdi@{SNAP}
zfs inherit readonly tank/sbdi
rsync --server --daemon .
zpool destroy tank
sh
"""


def words(line: str) -> tuple[str, ...]:
    return tuple(line.split(" "))


def requests(text: str) -> list[tuple[str, ...]]:
    return [words(line) for line in text.strip().splitlines()]


def test_there_are_enough_of_them() -> None:
    assert len(requests(TARGET)) + len(requests(REPLICA)) > 200


def not_refused(gate: Gate, asked: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The requests that are let through, or turned away without a word why."""
    verdicts = ((argv, gate.judge(argv)) for argv in asked)
    return [argv for argv, v in verdicts if not (isinstance(v, Refusal) and v.reason)]


def test_a_target_refuses_every_one() -> None:
    assert not_refused(target_gate(), requests(TARGET)) == []


def test_a_replica_refuses_every_one() -> None:
    assert not_refused(replica_gate(), requests(REPLICA)) == []


@of_each(
    [
        (),
        ("",),
        ("zfs", ""),
        ("zfs", "mount", f"{DS}\n"),
        ("zfs", "mount", f"{DS}\0"),
        ("zfs", "destroy", f"{DS}@{SNAP}\n"),
        ("zfs", "set", "io.zrep:x=a\nb", DS),
        ("zfs", "set", "io.zrep:x=" + "a" * 9000, DS),
        ("zfs", "mount", DS + "/x" * 200),
        ("zfs", "mount", "backup/current/ä"),
        ("zfs", "mount", "backup/current//x"),
        ("zfs", "mount", "backup/current/ x"),
        ("zfs version",),
        ("zfs", "holds", "-H", *[f"{DS}@{SNAP}"] * 6000),
    ]
)
def test_odd_characters_and_sizes_are_refused(argv: tuple[str, ...]) -> None:
    assert isinstance(target_gate().judge(argv), Refusal)


GOOD = mail_pull()
SHELL = GOOD[GOOD.index("-e") + 1]


@of_each(
    [
        (SHELL, "sh -c id"),
        (SHELL, f"{SHELL} -o ProxyCommand=id"),
        (SHELL, SHELL.replace("StrictHostKeyChecking=yes", "StrictHostKeyChecking=no")),
        (SHELL, SHELL.replace("/etc/zrep/keys/read", "/root/.ssh/id_ed25519")),
        (SHELL, SHELL.replace("/etc/zrep/known_hosts", "/dev/null")),
        (SHELL, SHELL.replace("-l zrep", "-l root")),
        (SHELL, SHELL.replace("-p 22", "-p 2200")),
        (SHELL, SHELL.replace("-a ", "-A ")),
        ("-e", "--rsh"),
        ("--delete-delay", "--delete-after"),
        ("--delete-delay", "--remove-source-files"),
        ("--timeout=900", "--timeout=0"),
        ("--inplace", "--rsync-path=/tmp/x"),
        ("--inplace", "--write-devices"),
        ("-aHAX", "-aHAXL"),
        ("--stats", "--log-file=/etc/cron.d/x"),
        ("--stats", "--files-from=/etc/shadow"),
        ("--no-motd", "--password-file=/etc/shadow"),
        (GOOD[-2], f"10.0.0.12::mail.{RUN}/"),
        (GOOD[-2], f"root@10.0.0.11::mail.{RUN}/"),
        (GOOD[-2], f"10.0.0.11::local.{RUN}/"),
        (GOOD[-2], f"10.0.0.11::mail.{RUN}/sub/"),
        (GOOD[-2], f"10.0.0.11::mail.{RUN}"),
        (GOOD[-2], "10.0.0.11::mail.2026/"),
        (GOOD[-2], "10.0.0.11:/etc/"),
        (GOOD[-2], "rsync://10.0.0.11/mail/"),
        (GOOD[-2], "/etc/"),
        (GOOD[-1], "/backup/current/cassandra-1/local/"),
        (GOOD[-1], "/backup/current/manager-1/mail"),
        (GOOD[-1], "/backup/current/manager-1/mail/../../../../etc/"),
        (GOOD[-1], "/etc/"),
        (GOOD[-1], "10.0.0.66:/x/"),
    ]
)
def test_a_pull_with_one_word_changed_is_refused(row: tuple[str, str]) -> None:
    old, new = row
    argv = tuple(new if word == old else word for word in GOOD)
    assert argv != GOOD
    assert isinstance(target_gate().judge(argv), Refusal)


@of_each(
    [
        "-v",
        "--ignore-errors",
        "--exclude=+ x",
        "--exclude=!",
        "--max-delete=x",
        "--bwlimit=0",
        "--bwlimit=x",
        "--dry-run",
        "-n",
    ]
)
def test_a_pull_with_a_word_more_is_refused(extra: str) -> None:
    longer = ((*GOOD[:at], extra, *GOOD[at:]) for at in (1, 5, -3, -2))
    assert not_refused(target_gate(), longer) == []


def test_a_replica_without_a_place_for_sessions_clones_nothing() -> None:
    gate = replica_gate()
    closed = replace(gate, policy=replace(gate.policy, sessions=None))
    argv = words(f"zfs clone {LOCKED} tank/sbdi/x@{SNAP} tank/sbdi-sessions/y")
    assert gate.judge(argv) == Allowed(argv=argv)
    assert isinstance(closed.judge(argv), Refusal)


def test_a_replica_pulls_nothing() -> None:
    assert isinstance(replica_gate().judge(GOOD), Refusal)


def test_an_unmounted_child_is_never_written_to() -> None:
    """Its mount point is then a folder of the parent dataset."""
    gate = target_gate()
    bare = Gate(policy=gate.policy, facts=KnownFacts({}), pull_argv=gate.pull_argv)
    verdict = bare.judge(GOOD)
    assert isinstance(verdict, Refusal)
    assert "not mounted" in verdict.reason
