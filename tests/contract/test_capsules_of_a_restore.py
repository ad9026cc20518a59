"""The capsules of a restore, with an LVM and a swarm that are small programs: what is armed, what
is kept and by what, and what stays stopped when one is killed half way."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contract.capsule_world import (
    LATER,
    RUN,
    CapsuleWorld,
    WorldHost,
    can_unshare,
    capsule_world,
)
from tests.contract.restore_world import RestoreSite, restore_site
from zrep.errors import SourceFailed
from zrep.source.restore_capsules import RestoreCapsules

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

ARM = "/usr/libexec/zrep/zrep-arm"
Done = subprocess.CompletedProcess[str]

# Volumes are files "TAGS|POOL" below volumes/; FREE and SIZE are the group's and the origin's.
_LVS = """#!/bin/sh
W={folder}
for last; do :; done
case "$*" in
    *'-o pool_lv,lv_size,vg_free,lv_kernel_major,lv_kernel_minor'*)
        [ "$last" = vg/lv ] || exit 5
        echo "  $(cat $W/pool)|$(cat $W/size)|$(cat $W/free)|$(cat $W/device)"
        ;;
    *'-o data_percent,metadata_percent,lv_health_status'*) echo "  $(cat $W/percent)|5.00|" ;;
    *'-o lv_tags,pool_lv'*) [ ! -e "$W/volumes/${{last#vg/}}" ] || cat "$W/volumes/${{last#vg/}}" ;;
    *) exit 98 ;;
esac
"""
_LVCREATE = """#!/bin/sh
W={folder}
echo "lvcreate $*" >> $W/calls
[ ! -e $W/refuse ] || {{ echo 'no such luck' >&2; exit 5; }}
tags=''
while [ $# -gt 0 ]; do
    case $1 in
        -n) name=$2 ;;
        --addtag) tags="$tags,$2" ;;
    esac
    shift
done
echo "  ${{tags#,}}|$(cat $W/pool)" > $W/volumes/$name
"""
_LVREMOVE = """#!/bin/sh
W={folder}
echo "lvremove $*" >> $W/calls
for last; do :; done
rm "$W/volumes/${{last#vg/}}"
"""


@dataclass(frozen=True)
class Lvm:
    world: CapsuleWorld
    folder: Path

    def set(self, **facts: str) -> None:
        for name, text in facts.items():
            (self.folder / name).write_text(text)

    def volumes(self) -> list[str]:
        return sorted(p.name for p in (self.folder / "volumes").iterdir())

    def calls(self) -> str:
        path = self.folder / "calls"
        return path.read_text() if path.exists() else ""

    @property
    def capsules(self) -> RestoreCapsules:
        return RestoreCapsules(WorldHost(self.world))


@pytest.fixture
def lvm(tmp_path: Path) -> Iterator[Lvm]:
    with capsule_world(tmp_path) as world:
        folder = tmp_path / "lvm"
        for name in ("bin", "volumes"):
            (folder / name).mkdir(parents=True)
        for name, text in {"lvs": _LVS, "lvcreate": _LVCREATE, "lvremove": _LVREMOVE}.items():
            (folder / "bin" / name).write_text(text.format(folder=folder))
            (folder / "bin" / name).chmod(0o755)
        world.run("mount", "--bind", str(folder / "bin"), "/usr/sbin")
        world.configure("source platform data lvm vg/lv SRC")
        made = Lvm(world, folder)
        number = world.run("findmnt", "-n", "-o", "MAJ:MIN", str(world.source)).stdout.strip()
        made.set(pool="tp", size="1000", free="5000", percent="10.00")
        made.set(device=number.replace(":", "|"))
        (world.source / "a").write_text("one")
        yield made


def arm(world: CapsuleWorld, *words: str) -> Done:
    return world.run(ARM, *words)


# ---- arming -----------------------------------------------------------------------------------


def test_a_lease_says_what_until_when_and_by_whom(lvm: Lvm) -> None:
    done = arm(lvm.world, "data", "--for", "30m")
    assert done.stdout == f"armed data ({lvm.world.source}) for 1800 s\n"
    found = lvm.capsules.look().destinations["data"]
    assert found.problem is None
    assert 1790 <= found.left <= 1800
    assert "armed for 1" in arm(lvm.world, "--status").stdout
    assert arm(lvm.world, "--disarm").stdout == "disarmed data\n"
    problem = lvm.capsules.look().destinations["data"].problem
    assert problem is not None
    assert (problem.code, problem.next_step) == (
        "not-armed",
        "as root on the host: /usr/libexec/zrep/zrep-arm data",
    )


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("unknown",),
        ("../data",),
        ("data", "--for"),
        ("data", "--for", "0s"),
        ("data", "--for", "8d"),
        ("data", "--for", "2 h"),
        ("data", "--for", "h"),
        ("data", "--for", "-1h"),
        ("data", "--for", "2h;id"),
        ("--force", "data"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_arms_nothing(lvm: Lvm, words: tuple[str, ...]) -> None:
    done = arm(lvm.world, *words)
    assert done.returncode == 2
    assert done.stderr.startswith("zrep-arm: ")
    assert lvm.world.run("find", "/run/zrep/armed", "-type", "f").stdout == ""


@pytest.mark.parametrize("fault", ["unmounted", "another device", "no volume"])
def test_a_wrong_destination_is_not_armed(lvm: Lvm, fault: str) -> None:
    if fault == "unmounted":
        lvm.world.run("umount", str(lvm.world.source))
    if fault == "another device":
        lvm.set(device="9|9")
    if fault == "no volume":
        lvm.world.configure("source platform data lvm vg/other SRC")
    done = arm(lvm.world, "data")
    assert done.returncode == 1
    assert done.stderr.startswith("zrep-arm: data: ")
    assert not lvm.world.exists("/run/zrep/armed/data")


def test_only_the_sources_that_are_named_are_armed(lvm: Lvm) -> None:
    lvm.world.configure("source platform data lvm vg/lv SRC", "source platform etc dir - /etc")
    assert arm(lvm.world, "etc").returncode == 0
    found = lvm.capsules.look().destinations
    assert {n for n, d in found.items() if d.problem is None} == {"etc"}
    assert arm(lvm.world, "--all").returncode == 0
    assert all(d.problem is None for d in lvm.capsules.look().destinations.values())


# ---- what is kept -----------------------------------------------------------------------------


def test_a_thin_volume_keeps_a_snapshot_that_no_backup_takes_for_its_own(lvm: Lvm) -> None:
    arm(lvm.world, "data")
    kept = lvm.capsules.safety(RUN, "data")
    assert (kept.kind, kept.kept, kept.folder) == ("lvm-thin", f"vg/zrepsafe_{RUN}_data", "")
    assert "--addtag zrep_safety" in lvm.calls()
    assert "--addtag zrep " not in lvm.calls()
    assert " -l " not in lvm.calls()


def test_asked_again_the_first_state_is_kept(lvm: Lvm) -> None:
    arm(lvm.world, "data")
    first = lvm.capsules.safety(RUN, "data")
    assert lvm.capsules.safety(RUN, "data") == first
    assert lvm.calls().count("lvcreate") == 1
    lvm.capsules.safety(LATER, "data")
    assert len(lvm.volumes()) == 2


@pytest.mark.parametrize(
    ("free", "kind"), [("1500", "lvm-thick"), ("1000", "folder"), ("0", "folder")]
)
def test_a_thick_volume_keeps_a_snapshot_only_where_it_cannot_overflow(
    lvm: Lvm, free: str, kind: str
) -> None:
    lvm.set(pool="", free=free)
    arm(lvm.world, "data")
    kept = lvm.capsules.safety(RUN, "data")
    assert kept.kind == kind
    if kind == "folder":
        assert f"{free} bytes free" in kept.reason
        assert Path(kept.kept).stat().st_mode & 0o777 == 0o700
        assert kept.folder == f".zrep-safety-{RUN}"
    else:
        assert "-l 100%ORIGIN" in lvm.calls()


def test_a_full_thin_pool_is_not_burdened(lvm: Lvm) -> None:
    lvm.set(percent="75.00")
    arm(lvm.world, "data")
    with pytest.raises(SourceFailed, match="thin pool vg/tp: data 75"):
        lvm.capsules.safety(RUN, "data")
    assert lvm.volumes() == []


def test_unarmed_nothing_is_kept_and_nothing_opened(lvm: Lvm) -> None:
    with pytest.raises(SourceFailed, match="not armed"):
        lvm.capsules.safety(RUN, "data")
    with pytest.raises(SourceFailed, match="not armed"):
        lvm.capsules.open(RUN, "data")
    assert lvm.calls() == ""


@pytest.mark.parametrize("pool", ["tp", ""])
def test_what_was_kept_is_discarded_and_nothing_else(lvm: Lvm, pool: str) -> None:
    lvm.set(pool=pool, free="0")
    arm(lvm.world, "data")
    kept = lvm.capsules.safety(RUN, "data")
    lvm.capsules.safety(LATER, "data")
    if kept.folder:
        (Path(kept.kept) / "deep").mkdir()
        (Path(kept.kept) / "deep/file").write_text("x")
        (Path(kept.kept) / "way").symlink_to(lvm.world.source / "a")
    assert lvm.capsules.discard(RUN, "data") == (kept.kept,)
    assert lvm.capsules.discard(RUN, "data") == ()
    assert (lvm.world.source / "a").read_text() == "one"
    left = lvm.volumes() if pool else [p.name for p in lvm.world.source.glob(".zrep*")]
    assert len(left) == 1


def test_a_link_in_the_safety_folders_place_is_nobody_s(lvm: Lvm) -> None:
    lvm.set(pool="", free="0")
    (lvm.world.source / f".zrep-safety-{RUN}").symlink_to("/etc")
    arm(lvm.world, "data")
    with pytest.raises(SourceFailed, match="cannot make"):
        lvm.capsules.safety(RUN, "data")
    assert lvm.capsules.discard(RUN, "data") == ()
    assert lvm.world.exists("/etc/passwd")


# ---- services and docker ----------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RestoreSite]:
    with restore_site(tmp_path) as made:
        yield made


def capsules(site: RestoreSite) -> RestoreCapsules:
    return RestoreCapsules(WorldHost(site.world))


def test_a_service_goes_down_and_comes_back_with_the_counts_it_had(site: RestoreSite) -> None:
    host = capsules(site)
    host.service_down(RUN, "first")
    assert (site.counts()["first_web"], site.counts()["first_db"]) == (0, 0)
    assert host.look().scaled == ("first",)
    host.service_down(LATER, "first")
    host.service_up(LATER, "first")
    assert (site.counts()["first_web"], site.counts()["first_db"]) == (2, 1)
    assert host.look().scaled == ()
    host.service_up(LATER, "first")
    assert site.counts()["second"] == 3


def test_only_services_of_the_installed_list_can_be_scaled(site: RestoreSite) -> None:
    with pytest.raises(SourceFailed, match="has no service other"):
        capsules(site).service_down(RUN, "other")
    kept = site.world.tmp / "swarm/var/zrep/restore/scaled-first"
    capsules(site).service_down(RUN, "first")
    kept.write_text(kept.read_text() + "count=second 0\n")
    capsules(site).service_up(RUN, "first")
    assert site.counts()["second"] == 3


@pytest.mark.parametrize("verb", ["service-down", "service-up"])
@pytest.mark.parametrize("seconds", ["0.05", "0.15", "0.3", "0.5"])
def test_killed_at_any_moment_the_counts_survive(
    site: RestoreSite, verb: str, seconds: str
) -> None:
    before = site.counts()
    if verb == "service-up":
        capsules(site).service_down(RUN, "first")
    capsule = f"/usr/libexec/zrep/capsule-{verb}"
    order = f"echo run={RUN} service=first | timeout -s KILL {seconds} {capsule}"
    site.world.run("sh", "-c", order)
    host = capsules(site)
    host.service_down(RUN, "first")
    assert site.counts()["first_web"] == 0
    host.service_up(RUN, "first")
    assert site.counts() == before


def test_docker_that_was_down_before_stays_down(site: RestoreSite) -> None:
    site.set_fault("down")
    host = capsules(site)
    host.halt(RUN)
    assert host.look().halted == RUN
    host.unhalt(RUN)
    assert (site.swarm / "down").exists()
    assert not any(c.startswith("systemctl start") for c in site.calls())


def test_halted_docker_starts_only_through_unhalt(site: RestoreSite) -> None:
    host = capsules(site)
    host.halt(RUN)
    drop_in = site.world.tmp / "etc/systemd/system/docker.service.d/zrep-restore.conf"
    assert "ConditionPathExists=!/var/lib/zrep/restore/halted" in drop_in.read_text()
    host.halt(RUN)
    host.unhalt(RUN)
    assert not (site.swarm / "down").exists()
    assert not drop_in.exists()
    host.unhalt(RUN)
    assert sum(c.startswith("systemctl start") for c in site.calls()) == 1


BAD = [
    *("", "run=x source=web", f"run={RUN}", f"run={RUN} source=../web", f"run={RUN} source="),
    *(f"run={RUN} source=web extra", f"source=web run={RUN}", f"run={RUN} service=first;id"),
]


@pytest.mark.parametrize("request_line", BAD)
@pytest.mark.parametrize("verb", ["restore-open", "restore-safety", "service-down"])
def test_a_bad_request_does_nothing(site: RestoreSite, verb: str, request_line: str) -> None:
    done = site.world.capsule(verb, request_line)
    assert done.returncode == 2
    events: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert [e["code"] for e in events] == ["bad-request"]
