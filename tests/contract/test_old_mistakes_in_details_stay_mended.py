"""More of what the scripts did wrong that zrep takes the place of, each provoked again: dry runs
that deleted, wrong ids, attributes that were lost, restores that went on after a failure."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.contract.capsule_world import can_unshare
from tests.contract.platform_world import BEFORE, Zrep, back_up, commands, published
from tests.contract.restore_world import MAIL, WEB, RestoreSite, contents, restore_site
from zrep.engine.mount import list_sessions
from zrep.engine.restore_record import Progressed, Records
from zrep.errors import Exit
from zrep.model.names import DatasetName
from zrep.planner.simulate import datasets, snapshots

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

LATER = BEFORE + timedelta(seconds=1)
OTHERS = ("backup/other", "backup/current-old", "backup/current/by-hand")
ACL = "system.posix_acl_access"
# Nobody here has this number; on the source host it is a user whose name is another one's here.
FOREIGN = 4711


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RestoreSite]:
    with restore_site(tmp_path) as made:
        (made.live(WEB) / "a/page").write_text("old")
        (made.live(MAIL) / "letter").write_text("old")
        yield made


@pytest.fixture
def zrep(site: RestoreSite, monkeypatch: pytest.MonkeyPatch) -> Zrep:
    return commands(site, monkeypatch)


def change(site: RestoreSite) -> dict[str, dict[str, str]]:
    (site.live(WEB) / "a/page").write_text("new, and longer")
    (site.live(WEB) / "a/since").write_text("s")
    (site.live(MAIL) / "letter").unlink()
    return live(site)


def live(site: RestoreSite) -> dict[str, dict[str, str]]:
    """Without what restores have kept."""
    trees = {key.name: contents(site.live(key)) for key in (WEB, MAIL)}
    return {n: {p: t for p, t in f.items() if ".zrep-safety" not in p} for n, f in trees.items()}


# ---- dry runs ---------------------------------------------------------------------------------


def test_a_dry_run_writes_and_deletes_nothing(site: RestoreSite, zrep: Zrep) -> None:
    """To rsync -t means times: what was called a test with it emptied what it looked at."""
    site.arm()
    back_up(site)
    copy, pool = contents(site.pool.folder), site.pool.inventory(site.root)
    changed = change(site)
    assert zrep("sync", "--dry-run") == Exit.DONE
    assert zrep("restore", "latest", "--dry-run") == Exit.DONE
    assert zrep("mount", "latest", "--dry-run") == Exit.DONE
    assert live(site) == changed
    assert contents(site.pool.folder) == copy
    assert site.pool.inventory(site.root) == pool
    assert list_sessions(site.pool, site.sessions_root) == ()
    assert Records(site.state_dir).all() == ()
    assert not any("scale" in call or "stop" in call for call in site.calls())


# ---- which backup -----------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["2020", "2", "", ".", ".*", "*", "20200102_03040", "_", "-"])
def test_what_fits_several_backups_or_is_a_pattern_restores_none(
    site: RestoreSite, zrep: Zrep, text: str
) -> None:
    site.arm()
    back_up(site)
    back_up(site, LATER)
    changed = change(site)
    assert zrep("restore", "--yes", "--", text) == Exit.USAGE
    assert zrep("mount", "--", text) == Exit.USAGE
    assert live(site) == changed
    assert Records(site.state_dir).all() == ()


def test_latest_is_a_backup_whatever_else_has_newer_snapshots(
    site: RestoreSite, zrep: Zrep, capsys: pytest.CaptureFixture[str]
) -> None:
    back_up(site)
    (label,) = {name.partition("@")[2] for name in published(site)}
    newer = (label.replace("20200102", "20300102"), "autosnap_2030-01-02_00:00:00_daily", "by-hand")
    for name in (*OTHERS, "backup/current/manager-1/by-hand"):
        dataset = DatasetName(name)
        made = datasets.create(site.pool.pool, dataset, {}, mount=True)
        for snapshot in newer:
            made = snapshots.snapshot(made, [dataset.at(snapshot)], {})
        site.pool.pool = made
    for key in (WEB, MAIL):
        site.pool.snapshot([(site.root / str(key)).at("by-hand")], {})
    capsys.readouterr()
    assert zrep("mount", "latest", "--dry-run") == Exit.DONE
    assert capsys.readouterr().out.count(f"@{label} ") == 2


# ---- what is copied ---------------------------------------------------------------------------


def acl(user: int) -> bytes:
    """Read and write for one more user, as the kernel keeps it."""
    entries = ((1, 6, -1), (2, 6, user), (4, 4, -1), (16, 6, -1), (32, 4, -1))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)


def furnish(top: Path) -> None:
    """One file of everything that `rsync -a` alone loses or changes."""
    (top / "one").write_text("linked")
    (top / "two").hardlink_to(top / "one")
    (top / "acl").write_text("x")
    os.setxattr(top / "acl", ACL, acl(FOREIGN))
    (top / "xattr").write_text("x")
    os.setxattr(top / "xattr", "user.origin", b"kept")
    (top / "owned").write_text("x")
    os.chown(top / "owned", FOREIGN, FOREIGN)


def furniture(top: Path) -> tuple[object, ...]:
    owner = (top / "owned").stat()
    return (
        (top / "one").stat().st_nlink,
        (top / "one").stat().st_ino == (top / "two").stat().st_ino,
        os.getxattr(top / "acl", ACL),
        os.getxattr(top / "xattr", "user.origin"),
        (owner.st_uid, owner.st_gid),
    )


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_links_acls_attributes_and_numeric_owners_survive_the_way_there_and_back(
    site: RestoreSite, zrep: Zrep
) -> None:
    passwd = site.world.tmp / "etc/passwd"
    lines = [line for line in passwd.read_text().splitlines() if not line.startswith("daemon:")]
    passwd.write_text("\n".join((*lines, f"daemon:x:{FOREIGN}:{FOREIGN}::/:/bin/false", "")))
    there, copy = site.live(WEB) / "a", site.pool.folder / "manager-1/web/a"
    furnish(there)
    expected = (2, True, acl(FOREIGN), b"kept", (FOREIGN, FOREIGN))
    assert furniture(there) == expected
    back_up(site)
    assert furniture(copy) == expected
    for name in ("one", "two", "acl", "xattr", "owned"):
        (there / name).unlink()
    site.arm()
    assert zrep("restore", "latest", "--source", "manager-1/web", "--yes") == Exit.DONE
    assert furniture(there) == expected


# ---- after a failure --------------------------------------------------------------------------


def test_after_a_source_that_failed_no_other_is_written_and_nothing_is_started(
    site: RestoreSite, zrep: Zrep, capsys: pytest.CaptureFixture[str]
) -> None:
    (site.live(MAIL) / "large").write_bytes(bytes(3 << 20))
    back_up(site)
    changed = change(site)
    small = str(site.live(MAIL))
    mounted = site.world.run("mount", "-t", "tmpfs", "-o", "size=1m", "none", small)
    assert mounted.returncode == 0
    site.arm()
    assert zrep("restore", "latest", "--yes") == Exit.SOURCE
    assert live(site)["web"] == changed["web"]
    assert (site.swarm / "down").exists()
    (record,) = Records(site.state_dir).all()
    assert (record.state, record.step) == (Progressed.FAILED, "write manager-1/mail")
    assert "manager-1/mail" in record.error
    capsys.readouterr()
    assert zrep("restore", "--list") == Exit.DONE
    said = capsys.readouterr().out
    assert record.id in said
    assert "failed" in said
    assert site.world.run("mount", "-o", "remount,size=8m", small).returncode == 0
    assert zrep("restore", "--resume", "--yes") == Exit.DONE
    assert live(site)["web"] == {"a/page": "old"}
    assert not (site.swarm / "down").exists()
