"""The capsules on real hosts: thick LVM on cassandra-1, a thin volume on manager-1, real sshd, sudo
and rsync. manager-1 plays the director too: it holds both keys.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.node import Node
from lab.world import World
from zrep.capsule.install import load_hooks, write_tree
from zrep.capsule.render import PublicKey, Roles, capsule_digest, render_host
from zrep.errors import AccessRefused, CommandFailed, SourceFailed
from zrep.host.port import Completed
from zrep.host.ssh_argv import SshEndpoint, remote_command, rsync_shell, ssh_options
from zrep.model.key import SourceKey
from zrep.model.names import DatasetName
from zrep.model.policy import Policy
from zrep.model.source import Address, BackupSet, Config, Method, Source, Target
from zrep.source.capsules import Capsules
from zrep.source.rsync import RsyncPull, Verdict, judge, module_name, pull_argv
from zrep.source.rsync_output import parse_stats

RUN = "20260102_030405"
LATER = "20260102_040506"
KEYS = "/root/capsule-test"
HOSTS = ("manager-1", "cassandra-1")

LOCAL = Source(
    key=SourceKey("cassandra-1", "local"),
    method=Method.LVM,
    volume="vg_docker_local/lv_docker_local",
    path="/docker_local",
)
MAIL = Source(
    key=SourceKey("manager-1", "mail"),
    method=Method.LVM,
    volume="vg_docker/tlv_mail",
    path="/srv/mail",
)
ETC = Source(key=SourceKey("manager-1", "etc"), method=Method.DIR, path="/etc")
SPARE = Source(
    key=SourceKey("cassandra-1", "spare"),
    method=Method.LVM,
    volume="vg_docker_local/lv_spare",
    path="/spare",
    size="8m",
)
HUGE = Source(
    key=SourceKey("cassandra-1", "huge"),
    method=Method.LVM,
    volume=LOCAL.volume,
    path=LOCAL.path,
    size="500g",
)
PLATFORM = BackupSet(name="platform", sources=(LOCAL, MAIL, ETC))
CONFIG = Config(
    target=Target(dataset=DatasetName("backup/current"), policy=Policy(name="p", keep={})),
    hosts={name: Address(host=name) for name in HOSTS},
    sets={
        "platform": PLATFORM,
        "spare": BackupSet(name="spare", sources=(SPARE,)),
        "huge": BackupSet(name="huge", sources=(LOCAL, HUGE)),
    },
    replicas={},
    services={},
)


def endpoint(host: str, key: str) -> SshEndpoint:
    return SshEndpoint(
        address=host,
        user="zrep",
        key_file=f"{KEYS}/{key}",
        known_hosts=f"{KEYS}/known_hosts",
        gated=True,
    )


@dataclass(frozen=True)
class Caller:
    """The Host port onto a source host, as seen from manager-1 with one of the keys."""

    node: Node
    host: str
    key: str = "control"

    @property
    def name(self) -> str:
        return self.host

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        timeout: float = 60.0,
        ok: Sequence[int] = (0,),
    ) -> Completed:
        done = self.node.run(
            shlex.join(self.bulk_argv(argv)), input=stdin, timeout=timeout, check=False
        )
        if done.returncode not in ok:
            raise CommandFailed(tuple(argv), done.returncode, done.stderr, where=self.host)
        return Completed(
            argv=tuple(argv), returncode=done.returncode, stdout=done.stdout, stderr=done.stderr
        )

    def bulk_argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        where = endpoint(self.host, self.key)
        return ("ssh", *ssh_options(where), where.login, "--", remote_command(where, argv))

    def close(self) -> None:
        """Each call is a connection of its own."""


@dataclass(frozen=True)
class Platform:
    """Both source hosts, set up from rendered files."""

    world: World
    rendered: Path

    def node(self, host: str) -> Node:
        return self.world.node(host)

    def capsules(self, host: str) -> Capsules:
        return Capsules(Caller(self.node("manager-1"), host))

    def install(self, host: str) -> str:
        node = self.node(host)
        node.push_tree(self.rendered, (host,), "/tmp/rendered")
        return node.run(f"/tmp/rendered/{host}/install-source /tmp/rendered/{host}").stdout

    def left(self, host: str) -> str:
        """Everything of ours there: tagged volumes, mounts, state, rsyncd configuration."""
        return (
            self.node(host)
            .run(
                "lvs --noheadings -o lv_name -S lv_tags=zrep; grep -o '/run/zrep/mnt/[^ ]*' "
                "/proc/self/mountinfo; ls /run/zrep/state /run/zrep/rsyncd-read.conf 2>/dev/null; "
                "ls /run/zrep/mnt 2>/dev/null; true"
            )
            .stdout.replace("/run/zrep/state:", "")
            .strip()
        )

    def pull(self, source: Source, run: str = RUN, to: str = "/tmp/copy") -> Completed:
        """rsync on manager-1, with the read key."""
        node = self.node("manager-1")
        argv = pull_argv(
            RsyncPull(
                host=source.key.host,
                module=module_name(source.key.name, run),
                destination=to,
                shell=rsync_shell(endpoint(source.key.host, "read")),
            )
        )
        node.run(["mkdir", "-p", to])
        done = node.run(argv, check=False, timeout=600)
        return Completed(
            argv=argv, returncode=done.returncode, stdout=done.stdout, stderr=done.stderr
        )


@pytest.fixture(scope="module")
def platform(world: World, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    world.ensure_up(HOSTS, tied=True)
    for name in HOSTS:
        world.node(name).reset()
    manager = world.node("manager-1")
    manager.run(f"mkdir -p -m 700 {KEYS}")
    keys = {}
    for key in ("control", "read"):
        manager.run(f"ssh-keygen -q -t ed25519 -N '' -C {key} -f {KEYS}/{key}")
        keys[key] = PublicKey(line=manager.run(f"cat {KEYS}/{key}.pub").stdout.strip())
    known = ""
    for name in HOSTS:
        words = world.node(name).run("cat /etc/ssh/ssh_host_ed25519_key.pub").stdout.split()
        known += f"{name} {words[0]} {words[1]}\n"
    manager.push_bytes(known.encode(), f"{KEYS}/known_hosts")
    rendered = tmp_path_factory.mktemp("rendered")
    hooks = load_hooks()
    for name in HOSTS:
        files = render_host(
            CONFIG, Roles(source=name), hooks, control=keys["control"], read=keys["read"]
        )
        write_tree(files, rendered / name, hooks, user="zrep")
    made = Platform(world, rendered)
    for name in HOSTS:
        assert "created user zrep" in made.install(name)
    world.node("cassandra-1").run(
        "lvcreate -q -y -L 64m -n lv_spare vg_docker_local && mkfs.ext4 -q "
        "/dev/vg_docker_local/lv_spare && mkdir -p /spare && "
        "mount /dev/vg_docker_local/lv_spare /spare && echo kept > /spare/file"
    )
    return made


@pytest.fixture
def released(platform: Platform) -> Iterator[None]:
    """For tests that prepare snapshots: afterwards release takes everything back."""
    yield
    for host in HOSTS:
        platform.node(host).run("echo | /usr/libexec/zrep/capsule-release", timeout=300)
        assert platform.left(host) == ""


def test_installing_again_changes_nothing(platform: Platform) -> None:
    for host in HOSTS:
        assert platform.install(host) == ""


def test_the_operator_owns_nothing_and_has_no_password(platform: Platform) -> None:
    node = platform.node("cassandra-1")
    owned = node.run("find / -xdev -user zrep -not -path '/proc/*' 2>/dev/null; true").stdout
    assert owned == ""
    assert node.run("getent shadow zrep").stdout.split(":")[1] == "*"
    rules = node.run("sudo -l -U zrep").stdout
    assert "NOPASSWD: /usr/libexec/zrep/capsule-" in rules
    assert "ALL\n" not in rules.partition("may run")[2]


@pytest.mark.parametrize("host", HOSTS)
def test_the_probe_finds_every_source_ready(platform: Platform, host: str) -> None:
    report = platform.capsules(host).probe(set_name="platform")
    assert report.capsules == capsule_digest(load_hooks())
    assert report.rsync >= "3.2"
    assert {s.source for s in report.sources if s.problem is None} >= {
        s.key.name for s in PLATFORM.sources if s.key.host == host
    }
    assert report.leftovers == ()


@pytest.mark.parametrize(
    ("host", "source", "kind"), [("cassandra-1", "local", "thick"), ("manager-1", "mail", "thin")]
)
def test_snapshot_and_release_twice(platform: Platform, host: str, source: str, kind: str) -> None:
    capsules = platform.capsules(host)
    first = capsules.snapshot(run=RUN, set_name="platform")
    assert capsules.snapshot(run=RUN, set_name="platform") == first
    assert {p.source: p.kind for p in first}[source] == kind
    node = platform.node(host)
    tags = node.run("lvs --noheadings -o lv_tags -S lv_tags=zrep").stdout.strip()
    assert set(tags.split(",")) == {"zrep", f"zrep_run_{RUN}", "zrep_set_platform"}
    options = node.run(f"findmnt -rno OPTIONS /run/zrep/mnt/{source}").stdout.strip().split(",")
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(options)
    capsules.check(run=RUN, set_name="platform")
    for _ in range(2):
        capsules.release(run=RUN, set_name="platform")
        assert platform.left(host) == ""


@pytest.mark.parametrize("source", [MAIL, LOCAL, ETC], ids=lambda s: str(s.key))
@pytest.mark.usefixtures("released")
def test_a_source_arrives_as_it_was_at_the_instant_of_its_snapshot(
    platform: Platform, source: Source
) -> None:
    """Writers go on all the time: the copy is equal to the snapshot, not to the live data."""
    platform.capsules(source.key.host).snapshot(run=RUN, set_name="platform")
    copy = f"/tmp/copy-{source.key.name}"
    done = platform.pull(source, to=copy)
    assert done.returncode == 0, done.stderr
    stats = parse_stats(done.stdout)
    # Sizes of folders differ between file systems.
    listing = (
        "cd {} && find . -printf '%P|%y|%m|%U|%G|%T@|%l|' '(' -type f -printf '%s\\n' "
        "-o -printf '\\n' ')' | sort | sha256sum"
    )
    there = platform.node(source.key.host).run(listing.format(f"/run/zrep/mnt/{source.key.name}"))
    here = platform.node("manager-1").run(listing.format(copy))
    assert there.stdout == here.stdout
    assert stats.files == int(platform.node("manager-1").run(f"find {copy} | wc -l").stdout)
    checked = platform.capsules(source.key.host).check(
        run=RUN, set_name="platform", source=source.key.name
    )
    assert [c.problem for c in checked] == [None]


def test_the_read_key_is_worth_nothing_without_a_snapshot(platform: Platform) -> None:
    """Stolen, it opens no shell, no file and no module."""
    thief = Caller(platform.node("manager-1"), "cassandra-1", key="read")
    for request in (("id",), ("cat", "/etc/shadow"), ("sh", "-c", "id"), ("snapshot",)):
        with pytest.raises(CommandFailed):
            thief.run(request, stdin="\n\n")
    done = platform.pull(LOCAL, to="/tmp/stolen")
    found = judge(done.returncode, done.stderr, method=Method.LVM)
    assert (found.verdict, found.why) == (Verdict.FAILED, "no snapshot is prepared on this host")
    assert platform.node("manager-1").run("ls -A /tmp/stolen").stdout == ""


@pytest.mark.usefixtures("released")
def test_the_read_key_reads_the_prepared_run_and_writes_nothing(platform: Platform) -> None:
    platform.capsules("cassandra-1").snapshot(run=RUN, set_name="platform")
    done = platform.pull(LOCAL, run=LATER, to="/tmp/stolen")
    found = judge(done.returncode, done.stderr, method=Method.LVM)
    assert found.why == "the source host has no snapshot prepared for this run"
    shell = rsync_shell(endpoint("cassandra-1", "read"))
    into = f"cassandra-1::{module_name('local', RUN)}/"
    written = platform.node("manager-1").run(
        ["rsync", "-a", "-e", shell, "/etc/hostname", into], check=False
    )
    assert written.returncode != 0
    assert "read only" in written.stderr


@pytest.mark.parametrize(
    "request_line",
    ["id", "probe;id", f"snapshot run={RUN} set=../x", "rsync --server . /", "zfs list", "sh"],
)
def test_the_control_key_says_verbs_and_nothing_else(platform: Platform, request_line: str) -> None:
    node = platform.node("manager-1")
    where = endpoint("cassandra-1", "control")
    done = node.run(
        shlex.join(("ssh", *ssh_options(where), where.login, "--", request_line)), check=False
    )
    assert (done.returncode, done.stdout) == (126, "")


def test_no_key_forwards_a_port_or_copies_a_file(platform: Platform) -> None:
    node = platform.node("manager-1")
    where = endpoint("cassandra-1", "control")
    options = shlex.join(ssh_options(where))
    forward = node.run(f"ssh {options} -W 127.0.0.1:22 {where.login} </dev/null", check=False)
    assert forward.returncode != 0
    assert "SSH-2.0" not in forward.stdout
    sftp = node.run(f"ssh {options} -s {where.login} sftp </dev/null", check=False)
    assert sftp.returncode == 126


def test_a_gate_that_is_missing_a_capsule_is_reported(platform: Platform) -> None:
    node = platform.node("cassandra-1")
    node.run("mv /etc/sudoers.d/zrep /root/sudoers-zrep")
    with pytest.raises(SourceFailed, match="did not finish") as caught:
        platform.capsules("cassandra-1").probe()
    assert "sudoers" in caught.value.next_step
    node.run("mv /root/sudoers-zrep /etc/sudoers.d/zrep")


def test_an_unknown_verb_is_an_access_error(platform: Platform) -> None:
    capsules = platform.capsules("cassandra-1")
    with pytest.raises(AccessRefused, match="the gate refused snapshot"):
        capsules.snapshot(run="../../x", set_name="platform")


@pytest.mark.parametrize("fault", ["unmounted", "another file system"])
def test_a_path_that_is_not_its_volume_is_refused(platform: Platform, fault: str) -> None:
    node = platform.node("cassandra-1")
    put, why, take = {
        "unmounted": ("umount /spare", "nothing is mounted on /spare",
                      "mount /dev/vg_docker_local/lv_spare /spare"),
        "another file system": ("mount -t tmpfs none /spare",
                                "is not vg_docker_local/lv_spare", "umount /spare"),
    }[fault]  # fmt: skip
    node.run(put)
    capsules = platform.capsules("cassandra-1")
    for ask in (capsules.probe, lambda set_name: capsules.snapshot(run=RUN, set_name=set_name)):
        with pytest.raises(SourceFailed, match=why):
            ask(set_name="spare")
    assert platform.left("cassandra-1") == ""
    node.run(take)


def test_one_source_without_room_undoes_the_others(platform: Platform) -> None:
    with pytest.raises(SourceFailed, match="the snapshot needs 536870912000") as caught:
        platform.capsules("cassandra-1").snapshot(run=RUN, set_name="huge")
    assert caught.value.where == "cassandra-1/huge"
    assert platform.left("cassandra-1") == ""


def test_a_thin_pool_over_its_limit_is_refused(platform: Platform) -> None:
    node = platform.node("manager-1")
    conf = "/etc/zrep/source.conf"
    node.run(f"cp {conf} {conf}.kept && sed -i 's/ mail .*/& metadata_max=1/' {conf}")
    with pytest.raises(SourceFailed, match=r"thin pool vg_docker/tp_docker: .*limit 1"):
        platform.capsules("manager-1").snapshot(run=RUN, set_name="platform")
    node.run(f"mv {conf}.kept {conf}")
    assert platform.left("manager-1") == ""


@pytest.mark.usefixtures("released")
def test_an_overflowed_snapshot_is_detected_and_deletes_nothing(platform: Platform) -> None:
    """The silent wipe: LVM invalidates the snapshot and may unmount it behind our back."""
    capsules = platform.capsules("cassandra-1")
    capsules.snapshot(run=RUN, set_name="spare")
    assert platform.pull(SPARE, to="/tmp/copy-spare").returncode == 0
    platform.node("cassandra-1").run(
        "dd if=/dev/urandom of=/spare/flood bs=1M count=24 status=none; sync; rm /spare/flood; sync"
    )
    with pytest.raises(SourceFailed, match="overflowed") as caught:
        capsules.check(run=RUN, set_name="spare", source="spare")
    assert "larger size" in caught.value.next_step
    done = platform.pull(SPARE, to="/tmp/copy-spare")
    found = judge(done.returncode, done.stderr, method=Method.LVM)
    assert found.verdict is Verdict.FAILED
    assert "overflowed" in found.why
    assert platform.node("manager-1").run("cat /tmp/copy-spare/file").stdout == "kept\n"
    capsules.release(run=RUN, set_name="spare")
    assert platform.left("cassandra-1") == ""


def kill_at(node: Node, verb: str, seconds: float, *, whole_group: bool) -> None:
    """Start a capsule and kill it with -9 after so long, alone or with what it started."""
    target = "-$pid" if whole_group else "$pid"
    node.run(
        f"echo 'run={RUN} set=platform' >/tmp/request; "
        f"setsid /usr/libexec/zrep/capsule-{verb} </tmp/request >/tmp/killed 2>&1 & pid=$!; "
        f"sleep {seconds:.2f}; kill -9 -- {target} 2>/dev/null; wait; true"
    )


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("verb", ["snapshot", "release"])
@pytest.mark.usefixtures("released")
def test_a_capsule_killed_anywhere_is_settled_by_the_next(
    platform: Platform, host: str, verb: str
) -> None:
    node = platform.node(host)
    capsules = platform.capsules(host)
    usual = (
        float(
            node.run(
                f"s=$(date +%s%N); echo 'run={RUN} set=platform' | "
                "/usr/libexec/zrep/capsule-snapshot >/dev/null; e=$(date +%s%N); "
                "echo $(((e-s)/1000000))"
            ).stdout
        )
        / 1000
    )
    for part in range(1, 5):
        if verb == "release":
            capsules.snapshot(run=RUN, set_name="platform")
        else:
            capsules.release()
        kill_at(node, verb, usual * part / 4, whole_group=part % 2 == 0)
        capsules.snapshot(run=LATER, set_name="platform")
        capsules.check(run=LATER, set_name="platform")
        tags = node.run("lvs --noheadings -o lv_tags -S lv_tags=zrep").stdout
        assert RUN not in tags
        capsules.release()
        assert platform.left(host) == ""


def test_what_is_not_ours_is_never_removed(platform: Platform) -> None:
    """A volume that merely looks like ours, or carries our tag without being a snapshot."""
    node = platform.node("cassandra-1")
    vg = "vg_docker_local"
    node.run(
        f"lvcreate -q -y -L 8m -n zrep_{RUN}_looks {vg} && "
        f"lvcreate -q -y -L 8m -n precious --addtag zrep {vg} && "
        f"lvcreate -q -y -s -L 8m -n mine {vg}/lv_spare"
    )
    platform.capsules("cassandra-1").release()
    names = node.run(f"lvs --noheadings -o lv_name {vg}").stdout.split()
    assert {f"zrep_{RUN}_looks", "precious", "mine"} <= set(names)
    node.run(f"lvremove -q -y {vg}/zrep_{RUN}_looks {vg}/precious {vg}/mine")


@pytest.mark.usefixtures("released")
def test_after_a_crash_of_the_host_leftovers_are_found_and_removed(platform: Platform) -> None:
    node = platform.node("cassandra-1")
    capsules = platform.capsules("cassandra-1")
    capsules.snapshot(run=RUN, set_name="platform")
    node.run("sync")
    node.crash()
    report = capsules.probe()
    assert [(x.source, x.run, x.intact) for x in report.leftovers] == [("local", RUN, False)]
    done = platform.pull(LOCAL, to="/tmp/after-crash")
    assert done.returncode == 5
    prepared = capsules.snapshot(run=LATER, set_name="platform")
    assert [p.module for p in prepared] == [module_name("local", LATER)]
    assert RUN not in node.run("lvs --noheadings -o lv_name,lv_tags").stdout


def test_each_line_is_json_and_the_last_says_done(platform: Platform) -> None:
    done = platform.node("manager-1").run("echo | /usr/libexec/zrep/capsule-probe").stdout
    lines = [json.loads(line) for line in done.splitlines()]
    assert lines[-1] == {"event": "done", "verb": "probe"}
