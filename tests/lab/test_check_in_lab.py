"""`zrep check` on real pools: what it says is what the real sanoid says there, and it is true."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.cli import Zrep

pytestmark = pytest.mark.timeout(1800)

# Beside the pool of the backups: a mirror that lost a side, and one with a side that was written
# over, in files. The labels of a device are in its first and last half MiB.
MAKE = """
set -eu
for pool in sick hurt; do
    zpool destroy $pool 2>/dev/null || true
    truncate -s 128M /var/tmp/$pool-1.img /var/tmp/$pool-2.img
    zpool create -f -O compression=off $pool mirror /var/tmp/$pool-1.img /var/tmp/$pool-2.img
done
zpool offline sick /var/tmp/sick-2.img
dd if=/dev/urandom of=/hurt/data bs=1M count=40 2>/dev/null
zpool sync hurt
dd if=/dev/urandom of=/var/tmp/hurt-2.img bs=1M seek=8 count=100 conv=notrunc 2>/dev/null
zpool scrub -w hurt
zfs destroy -r backup/checked 2>/dev/null || true
zfs create -u backup/checked
zfs create -u backup/checked/child
for class in hourly daily monthly; do zfs snapshot backup/checked@autosnap_x_$class; done
"""
UNMAKE = """
zpool destroy sick; zpool destroy hurt; rm -f /var/tmp/sick-?.img /var/tmp/hurt-?.img
zfs destroy -r backup/checked
"""
# It dates what it knows of snapshots by a cache: a new one for each run.
SANOID = """
rm -rf /root/check/cache /root/check/run
TZ=UTC exec sanoid --configdir=/root/check --cache-dir=/root/check/cache \
    --run-dir=/root/check/run --monitor-{check}
"""
MINUTE, HOUR = 60, 3_600


@pytest.fixture(scope="module")
def pools(zrep: Zrep) -> Iterator[Zrep]:
    zrep.node.run(MAKE, timeout=600)
    yield zrep
    zrep.node.run(UNMAKE)


def config(zrep: Zrep, text: str) -> tuple[str, str]:
    zrep.node.run("mkdir -p /root/check")
    zrep.node.push_bytes(text.encode(), "/root/check/sanoid.conf")
    return ("--config", "/root/check/sanoid.conf")


def now(zrep: Zrep) -> int:
    return int(zrep.node.run("date +%s").stdout)


def same_as_sanoid(zrep: Zrep, check: str, text: str, status: int) -> str:
    """The line, after sanoid on the same machine has said the same and ended alike."""
    options = config(zrep, text)
    theirs = zrep.node.run(SANOID.format(check=check), check=False)
    ours = zrep("check", check, *options, "--compat", "bug-for-bug", status=status)
    assert theirs.returncode == status, theirs.stdout + theirs.stderr
    assert ours.stdout.rstrip() == theirs.stdout.rstrip()
    usual = zrep("check", check, *options, status=status)
    assert usual.stdout.partition(" | ")[0].rstrip() == theirs.stdout.rstrip()
    assert usual.stderr == ""
    return ours.stdout.rstrip()


def test_fresh_snapshots_are_fine(pools: Zrep) -> None:
    line = same_as_sanoid(pools, "snapshots", "[backup/checked]\n", 0)
    assert line == "OK: all monitored datasets (backup/checked) have fresh snapshots"


def test_a_dataset_without_snapshots_is_critical(pools: Zrep) -> None:
    line = same_as_sanoid(pools, "snapshots", "[backup/checked]\nrecursive = yes\n", 2)
    assert line.count("CRIT: backup/checked/child has no ") == 3
    assert "backup/checked " not in line


@pytest.mark.parametrize(
    ("later", "status", "word"), [(2 * HOUR, 1, "WARN"), (7 * HOUR, 2, "CRIT")]
)
def test_stale_snapshots_are_found(pools: Zrep, later: int, status: int, word: str) -> None:
    options = config(pools, "[backup/checked]\n")
    at = str(now(pools) + later)
    said = pools("check", "snapshots", *options, "--now", at, status=status).stdout
    assert said.startswith(f"{word}: backup/checked newest hourly snapshot is ")
    found = pools.json("check", "snapshots", *options, "--now", at, status=status)
    ages = {w["class"]: w["value"] for w in found["watched"]}
    assert ages["hourly"] == pytest.approx(later, abs=30 * MINUTE)
    assert found["message"] == said.partition(" | ")[0]


def test_a_stale_snapshot_is_stale_for_sanoid_too(pools: Zrep) -> None:
    """Limits so short that the snapshots are old by them."""
    text = "[backup/checked]\nhourly_warn = 1s\nhourly_crit = 52w\ndaily = 0\nmonthly = 0\n"
    pools.node.run("sleep 2")
    options = config(pools, text)
    theirs = pools.node.run(SANOID.format(check="snapshots"), check=False)
    ours = pools("check", "snapshots", *options, status=1)
    assert theirs.returncode == 1
    for said in (ours.stdout, theirs.stdout):
        assert said.startswith("WARN: backup/checked newest hourly snapshot is ")
        assert "s old (should be < 1s)" in said


def test_a_backup_of_zrep_counts_as_a_fresh_snapshot(pools: Zrep) -> None:
    pools("sync")
    listed = "zfs list -H -o name -t snapshot -r backup/current | grep @zrep_ | head -1"
    dataset = pools.node.run(listed).stdout.partition("@")[0]
    options = config(pools, f"[{dataset}]\ndaily = 0\nmonthly = 0\n")
    said = pools("check", "snapshots", *options).stdout
    assert said.startswith(f"OK: all monitored datasets ({dataset}) have fresh snapshots")


def test_a_mirror_that_lost_a_side_is_a_warning(pools: Zrep) -> None:
    # Sanoid knows only pools in which it has seen a snapshot.
    pools.node.run("zfs snapshot sick@autosnap_x_daily && zpool sync sick")
    line = same_as_sanoid(pools, "health", "[sick]\n", 1)
    assert line.startswith("*** WARNING *** WARNING ZPOOL sick : DEGRADED {Size:")
    assert line.endswith("<mirror-0:DEGRADED> /var/tmp/sick-2.img:OFFLINE")


def test_counted_errors_are_a_warning(pools: Zrep) -> None:
    """Whether the pool is degraded as well is up to the daemon that watches the counters."""
    # What is still to be written would change the free space between the two programs.
    pools.node.run("zfs snapshot hurt@autosnap_x_daily && zpool sync hurt")
    line = same_as_sanoid(pools, "health", "[hurt]\n", 1)
    assert "/var/tmp/hurt-2.img:" in line
    assert "/var/tmp/hurt-1.img" not in line


def test_the_backups_pool_is_well(pools: Zrep) -> None:
    options = config(pools, "[backup/checked]\n")
    said = pools("check", "health", *options).stdout
    size, free = pools.node.run("zpool list -H -o size,free backup").stdout.split()
    assert said.startswith(f"OK ZPOOL backup : ONLINE {{Size:{size} Free:{free} Cap:")


def test_a_missing_pool_is_critical_and_hides_no_other(pools: Zrep) -> None:
    lost = "CRITICAL ZPOOL {gone} does not exist and/or is not responding!"
    options = config(pools, "[gone/a]\n")
    for check in ("health", "capacity"):
        said = pools("check", check, *options, status=2).stdout
        assert said.rstrip() == lost
    options = config(pools, "[gone/a]\n[sick]\n")
    said = pools("check", "health", *options, status=2).stdout
    assert said.startswith(f"{lost}, WARNING ZPOOL sick : DEGRADED ")
    said = pools("check", "snapshots", *options, status=2).stdout
    assert "CRIT: gone/a has no daily snapshots at all!" in said


@pytest.mark.parametrize(
    ("warn", "crit", "status", "word"),
    [(1, 0, 0, "OK"), (0, 0, 1, "WARNING"), (-1, 0, 2, "CRITICAL"), (1, 1, 0, "OK")],
)
def test_capacity_is_held_against_the_limits(
    pools: Zrep, warn: int, crit: int, status: int, word: str
) -> None:
    """Limits around how full the pool really is; a critical one at it when `warn` is below."""
    full = int(pools.node.run("zpool list -H -p -o capacity hurt").stdout)
    assert full > 20
    limit = full if warn < 0 else (full + 1 if crit else 0)
    text = f"[hurt]\ncapacity_warn = {full + warn}\ncapacity_crit = {limit}\n"
    line = same_as_sanoid(pools, "capacity", text, status)
    assert line.endswith(f"{word} ZPOOL hurt : {full}%")


def test_a_wrong_configuration_is_unknown(pools: Zrep) -> None:
    options = config(pools, "[backup/checked]\nhourly_crit = soon\n")
    for check in ("snapshots", "health", "capacity"):
        done = pools("check", check, *options, status=3)
        assert done.stdout.startswith("UNKNOWN: /root/check/sanoid.conf:2: ")
        assert "next: " in done.stderr


def test_a_check_changes_nothing(pools: Zrep) -> None:
    listing = "zfs list -H -t all -o name,guid; zpool history backup | wc -l"
    before = pools.node.run(listing).stdout
    options = config(pools, "[backup]\nrecursive = yes\n[sick]\n[hurt]\n")
    pools("check", "snapshots", *options, status=2)
    pools("check", "health", *options, status=1)
    pools("check", "capacity", *options)
    assert pools.node.run(listing).stdout == before
