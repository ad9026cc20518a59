"""One instant on two real hosts: services write on a Gluster volume and a thin LV of manager-1 and
on a thick LV of cassandra-1 all the time; docker pauses them, and systemd lets them go when all
else fails.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from lab.deploy import QUIESCED, Site, config_text, install_config, install_role
from lab.ledger import Verdict, judge, parse_record
from lab.node import Node
from lab.world import World
from tests.lab.cli import Zrep
from tests.lab.conftest import MARKER

# A sync is most of a minute on emulated machines, and each fault waits for a timer of 75 s.
pytestmark = pytest.mark.timeout(5400)

# Most of a minute each: a few in every run of the suite, more when asked for.
SYNCS = int(os.environ.get("ZREP_LAB_SYNCS", "1"))
TIMER = 75.0
# From the timer's end to the last container: under two seconds on real machines, while here each
# program takes one.
LATE = 12.0
HOSTS = ("manager-1", "cassandra-1")
PAUSED = "docker ps -q --filter status=paused"
JOURNAL = "/var/lib/zrep/runs/*-sync-platform.jsonl"
# Starts a sync and kills zrep alone (not its group) when it asks the hosts for their snapshots.
KILL_IN_THE_PAUSE = f"""
rm -f {JOURNAL}
zrep sync >/tmp/killed.out 2>&1 &
pid=$!
for i in $(seq 3000); do
    grep -qs '"intent", "step": "snapshot"' {JOURNAL} && break
    sleep 0.05
done
kill -9 $pid && echo killed
wait $pid 2>/dev/null || true
"""
# An engine that unpauses nothing.
NO_UNPAUSE = """#!/bin/sh
case " $* " in
    *' unpause '*) echo 'Error response from daemon: told to fail' >&2; exit 1 ;;
esac
exec /usr/bin/docker "$@"
"""


@dataclass(frozen=True)
class Writer:
    """A service's files: on its host, and in a mounted backup."""

    host: str
    source: str
    live: str
    below: str

    def copy(self, zrep: Zrep, session: dict[str, Any]) -> Verdict:
        folder = session["paths"][self.source] + self.below
        texts = [
            zrep.node.run(f"cat {folder}/{n}").stdout for n in ("ledger.log", "intent", "done")
        ]
        return judge(ledger=texts[0], intent=texts[1], done=texts[2])

    def silence(self, world: World, verdict: Verdict) -> tuple[float, float]:
        """When the copy's last record was written, and when the service wrote its next."""
        script = f"sed -n {verdict.last_seq + 1}p {self.live}/ledger.log"
        record = parse_record(world.node(self.host).run(script).stdout.strip())
        assert record is not None, "the service never wrote again"
        return verdict.last_time, record.time


WRITERS = (
    Writer(
        host="manager-1",
        source="manager-1/docker",
        live="/docker/var/volumes/wordpress_db",
        below="/var/volumes/wordpress_db",
    ),
    Writer(
        host="manager-1",
        source="manager-1/docker",
        live="/docker/var/volumes/wordpress_web",
        below="/var/volumes/wordpress_web",
    ),
    Writer(host="manager-1", source="manager-1/mail", live="/srv/mail", below=""),
    Writer(
        host="cassandra-1",
        source="cassandra-1/local",
        live="/docker_local/var/volumes/cassandra",
        below="/var/volumes/cassandra",
    ),
)


@pytest.fixture(scope="module")
def quiesced(world: World, zrep: Zrep, local_site: Site) -> Iterator[Zrep]:
    """The local site with a set that pauses containers; the next file gets clean machines."""
    install_config(world, local_site, config_text(replace(local_site, platform=QUIESCED)))
    for name in HOSTS:
        install_role(world, local_site, name, f"--host {name}")
    zrep("sync")
    yield zrep
    for name in local_site.nodes:
        world.node(name).run(f"rm -f {MARKER}")


def paused(node: Node) -> list[str]:
    return node.run(PAUSED).stdout.split()


def until_paused(node: Node) -> None:
    """Wait for the pause to begin."""
    node.run(
        f'for i in $(seq 2400); do [ -z "$({PAUSED})" ] || exit 0; sleep 0.1; done; exit 1',
        timeout=300,
    )


def until_running(node: Node) -> None:
    node.run(
        f'for i in $(seq 1200); do [ -n "$({PAUSED})" ] || exit 0; sleep 0.1; done; exit 1',
        timeout=180,
    )


def clock(node: Node) -> str:
    return node.run("date +%s").stdout.strip()


def stood_still(node: Node, since: str) -> float:
    """Seconds from the first pause since then to the last unpause, by docker's own account."""
    until_running(node)
    only = "--filter event=pause --filter event=unpause"
    told = node.run(
        f"docker events --since {since} --until $(date +%s) {only} "
        "--format '{{.TimeNano}} {{.Action}}'"
    ).stdout.split()
    times, what = [int(word) for word in told[::2]], told[1::2]
    assert what[-1] == "unpause", told
    # Docker counts whole seconds: what was unpaused in the one in which we began is not of this.
    return (times[-1] - times[what.index("pause")]) / 1e9


def nothing_is_left(world: World) -> None:
    for name in HOSTS:
        node = world.node(name)
        assert paused(node) == []
        assert node.run("ls /run/zrep/quiesce | grep held || true").stdout == ""
        assert "zrep-thaw" not in node.run("systemctl list-timers --all --no-legend").stdout
        assert node.run("lvs --noheadings -o lv_name --select 'lv_tags=zrep'").stdout.strip() == ""
    assert "zrep_" not in world.node("manager-1").run("gluster --mode=script snapshot list").stdout


def start_sync(zrep: Zrep, unit: str) -> None:
    zrep.node.run(f"systemd-run --quiet --unit={unit} --property=RemainAfterExit=yes zrep sync")


def sync_status(zrep: Zrep, unit: str) -> int:
    """Waits for its end; its exit status."""
    zrep.node.run(
        f'for i in $(seq 600); do [ "$(systemctl show -P MainPID {unit})" != 0 ] || exit 0; '
        "sleep 1; done; exit 1",
        timeout=630,
    )
    return int(zrep.node.run(f"systemctl show -P ExecMainStatus {unit}").stdout)


def test_in_every_sync_no_record_is_torn_and_both_hosts_stood_still_at_one_instant(
    world: World, quiesced: Zrep
) -> None:
    longest: dict[str, int] = {}
    for number in range(SYNCS):
        report = quiesced.json("sync")
        assert (report["state"], report["consistency"]) == ("complete", "cluster"), number
        assert [(p["host"], p["held"]) for p in report["pauses"]] == [
            (name, True) for name in sorted(HOSTS)
        ]
        for pause in report["pauses"]:
            assert 0 < pause["milliseconds"] < 60_000
            longest[pause["host"]] = max(longest.get(pause["host"], 0), pause["milliseconds"])
        session = quiesced.json("mount", report["id"])
        try:
            verdicts = [w.copy(quiesced, session) for w in WRITERS]
        finally:
            quiesced("umount", session["session"])
        assert [v.faults for v in verdicts] == [()] * len(WRITERS), number
        silences = [w.silence(world, v) for w, v in zip(WRITERS, verdicts, strict=True)]
        begin, end = max(s[0] for s in silences), min(s[1] for s in silences)
        assert begin < end, f"sync {number}: {silences} have no instant in common"
    nothing_is_left(world)
    print(f"longest pauses of {SYNCS} syncs, ms: {longest}")  # noqa: T201 - a figure to quote


def test_the_pause_is_in_the_manifest(quiesced: Zrep) -> None:
    shown = quiesced.json("show", "latest")
    assert [(p["host"], p["held"]) for p in shown["pauses"]] == [(h, True) for h in sorted(HOSTS)]
    assert shown["consistency"] == "cluster"
    text = quiesced("show", "latest").stdout
    assert "paused       cassandra-1: 1 containers, " in text


@pytest.mark.long
def test_what_an_operator_has_paused_stays_paused(world: World, quiesced: Zrep) -> None:
    node = world.node("manager-1")
    name = node.run("docker ps -q --filter name=wordpress_web").stdout.split()[0]
    node.run(f"docker pause {name}")
    try:
        report = quiesced.json("sync")
        assert paused(node) == [name]
        assert {p["host"]: p["containers"] for p in report["pauses"]}["manager-1"] == 2
    finally:
        node.run(f"docker unpause {name}")


@pytest.mark.long
def test_killed_in_the_pause_both_hosts_let_go_by_themselves(world: World, quiesced: Zrep) -> None:
    nodes = [world.node(name) for name in HOSTS]
    since = [clock(node) for node in nodes]
    assert quiesced.node.run(KILL_IN_THE_PAUSE, timeout=300).stdout.strip() == "killed"
    assert any(paused(node) for node in nodes), "it was meant to be killed in the pause"
    took = [stood_still(*one) for one in zip(nodes, since, strict=True)]
    print(f"killed: hosts stood still for {took} s")  # noqa: T201 - a figure to quote
    assert max(took) <= TIMER + LATE
    assert {b["state"] for b in quiesced.backups()} == {"complete"}
    assert quiesced.json("sync")["consistency"] == "cluster"
    nothing_is_left(world)


@pytest.mark.long
def test_killed_in_the_pause_recover_lets_go_at_once(world: World, quiesced: Zrep) -> None:
    assert quiesced.node.run(KILL_IN_THE_PAUSE, timeout=300).stdout.strip() == "killed"
    found = quiesced.json("recover", timeout=300)
    assert all(h["errors"] == [] for h in found["hosts"].values())
    assert any(h["thawed"] for h in found["hosts"].values())
    nothing_is_left(world)


@pytest.mark.long
def test_an_interrupted_sync_lets_go_at_once_and_ends_with_the_signal(
    world: World, quiesced: Zrep
) -> None:
    script = KILL_IN_THE_PAUSE.replace("kill -9 $pid && echo killed", "kill -TERM $pid").replace(
        "wait $pid 2>/dev/null || true", "wait $pid || echo $?"
    )
    assert quiesced.node.run(script, timeout=300).stdout.strip() == "143"
    nothing_is_left(world)


def lose_power_in_the_pause(world: World, zrep: Zrep) -> None:
    """The machine on which zrep runs does; hosts let go, it comes back, the next sync is whole."""
    before = zrep.backups()
    nodes = [world.node(name) for name in HOSTS]
    since = [clock(node) for node in nodes]
    start_sync(zrep, "cut-sync")
    for node in nodes:
        until_paused(node)
    zrep.node.power_cut()
    took = [stood_still(*one) for one in zip(nodes, since, strict=True)]
    print(f"power cut: hosts stood still for {took} s")  # noqa: T201 - a figure to quote
    assert max(took) <= TIMER + LATE
    zrep.node.start()
    zrep.node.wait_healthy()
    assert zrep.backups() == before
    assert zrep.json("sync")["consistency"] == "cluster"
    nothing_is_left(world)


@pytest.mark.long
def test_the_target_loses_power_in_the_pause(world: World, quiesced: Zrep) -> None:
    lose_power_in_the_pause(world, quiesced)


@pytest.mark.long
def test_a_source_crashes_in_the_pause(world: World, quiesced: Zrep) -> None:
    before = quiesced.backups()
    other = world.node("cassandra-1")
    since = clock(other)
    start_sync(quiesced, "crash-sync")
    until_paused(other)
    until_paused(world.node("manager-1"))
    world.node("manager-1").crash()
    assert stood_still(other, since) <= TIMER + LATE
    assert sync_status(quiesced, "crash-sync") in (7, 10)
    assert quiesced.backups() == before
    world.node("manager-1").wait_healthy()
    assert paused(world.node("manager-1")) == []
    assert quiesced.json("sync")["consistency"] == "cluster"
    nothing_is_left(world)


@pytest.mark.long
def test_a_thaw_that_fails_is_told_with_host_and_container_although_there_is_a_backup(
    world: World, quiesced: Zrep
) -> None:
    node = world.node("cassandra-1")
    node.push_bytes(NO_UNPAUSE.encode(), "/usr/sbin/docker")
    node.run("chmod 755 /usr/sbin/docker")
    try:
        done = quiesced("sync", status=10)
        assert "[source.still-paused] cassandra-1" in done.stderr
        assert "container cassandra." in done.stderr
        assert paused(node)
    finally:
        node.run("rm /usr/sbin/docker")
    until_running(node)
    assert quiesced.backups()[0]["consistency"] == "node"
    quiesced.json("sync")
    nothing_is_left(world)
