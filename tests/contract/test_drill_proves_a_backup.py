"""Backups made by the real rsync, drilled: what lies beside them, what a drill finds, its evidence,
and the sheet's very commands, run by bash with the real rsync.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.capsule_world import can_unshare
from tests.contract.restore_world import (
    MAIL,
    SESSIONS,
    WEB,
    CopyZfs,
    RestoreSite,
    contents,
    restore_site,
)
from tests.contract.sync_world import HOST, ROOT, Told
from tests.recovery_sheet import commands, part_of
from zrep.engine.drill import DrillWish, begin_evidence, drill, mount_for, plan_drill
from zrep.engine.drill_evidence import Shelf, shelf_in, verify
from zrep.engine.mount import apply_mount, list_sessions
from zrep.engine.sync import SyncReport, sync
from zrep.errors import (
    BackupNotFound,
    ConfigError,
    DatasetBusy,
    Refused,
    UsageError,
    ZfsError,
)
from zrep.model.contents import decode_contents
from zrep.model.drill import Drilling
from zrep.model.evidence import Evidence, Outcome, State
from zrep.model.names import BackupId, DatasetName, SnapshotName
from zrep.model.recovery import CONTENTS, RECOVERY, SHEET, SUMS
from zrep.planner.check_drill import check_drills
from zrep.planner.simulate import datasets
from zrep.report.recovery_sheet import papers

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")
WISH = DrillWish(owner="me")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs within one second would have one id; every run has a second of its own here."""
    seconds = iter(range(60))
    monkeypatch.setattr(
        BackupId, "at", staticmethod(lambda _: BackupId(f"20260102_0304{next(seconds):02d}"))
    )


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RestoreSite]:
    with restore_site(tmp_path) as made:
        fill(made)
        made.config = replace(
            made.config,
            text="# mine\n",
            policy_texts={"p": "hourly = 24\n"},
            drilling=Drilling(count_all=True),
        )
        back_up(made)
        yield made


def fill(site: RestoreSite) -> None:
    web, mail = site.live(WEB), site.live(MAIL)
    for n in range(30):
        (web / "a" / f"page {n}").write_text(f"page {n}\n" * n)
    (web / "b/link").symlink_to("../a/page 1")
    os.link(web / "a/page 2", web / "b/hard")
    (mail / "box").mkdir()
    (mail / "etc").mkdir()
    (mail / "box/inbox").write_text("dear\n")
    (mail / "box/näme\\with").write_text("odd\n")


def back_up(site: RestoreSite) -> SyncReport:
    told = Told()
    report = sync(site, None, told, papers=papers())
    assert [line for line in told.lines if line.startswith("warning")] == []
    return report


def copies(site: RestoreSite) -> Path:
    """Where the simulated pool keeps what its snapshots hold."""
    return site.pool.folder.with_name("copies")


def beside(site: RestoreSite) -> Path:
    """The papers of the only backup, as its snapshot has them."""
    (found,) = copies(site).glob(f"{ROOT}/{RECOVERY}/platform@*")
    return found


def signed(site: RestoreSite, tmp_path: Path) -> Path:
    key = tmp_path / "drill-key"
    subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)), check=True)
    site.config = replace(site.config, drilling=Drilling(key=str(key), count_all=True))
    return key


def run(site: RestoreSite, **wish: object) -> Evidence:
    found = drill(site, replace(WISH, **wish), Told())  # type: ignore[arg-type]
    assert list_sessions(site.pool, SESSIONS) == ()
    return found


def failures(evidence: Evidence) -> set[tuple[str, str]]:
    return {(f.check, f.subject) for f in evidence.failed}


def checked_by(site: RestoreSite, tmp_path: Path, text: str, **changes: object) -> None:
    """Give the service `post` a check of that text."""
    program = tmp_path / "check-post"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    post = replace(site.config.services["post"], checks=(str(program),), **changes)  # type: ignore[arg-type]
    site.config = replace(site.config, services={**site.config.services, "post": post})


def test_the_papers_are_in_the_snapshot_and_for_root_alone(site: RestoreSite) -> None:
    found = beside(site)
    assert {p.name for p in found.iterdir()} == {
        *(SHEET, CONTENTS, SUMS),
        *("zrep.toml", "policy-p.toml"),
    }
    assert found.stat().st_mode & 0o777 == 0o700
    assert (found / "zrep.toml").read_text() == "# mine\n"
    label = found.name.partition("@")[2]
    assert f"SNAP={label}\n" in (found / SHEET).read_text()


def test_they_are_published_in_the_transaction_group_of_the_data(site: RestoreSite) -> None:
    found = list(site.pool.inventory(ROOT).snapshots())
    assert len(found) == 3
    assert len({s.createtxg for s in found}) == 1
    assert len({s.name.snap for s in found}) == 1


def test_what_was_noted_is_what_rsync_has_counted(site: RestoreSite) -> None:
    noted = decode_contents((beside(site) / CONTENTS).read_text())
    backup = plan_drill(site, WISH).backup
    assert backup.manifest is not None
    for record in backup.manifest.sources:
        mine = noted[str(record.key)]
        assert (mine.entries, mine.size) == (record.files, record.size)


def test_a_sheet_that_cannot_be_written_does_not_cost_the_backup(
    site: RestoreSite,
) -> None:
    folder = site.pool.place(ROOT / RECOVERY / "platform")
    shutil.rmtree(folder)
    folder.symlink_to("/proc/nothing")
    told = Told()
    report = sync(site, None, told, papers=papers())
    assert any("has no recovery sheet" in line for line in report.warnings)
    assert all(RECOVERY not in str(s) for s in report.published.snapshots)
    folder.unlink()
    again = drill(site, WISH, Told())
    assert {f.check for f in again.findings if f.outcome is Outcome.SKIPPED} == {
        "counts",
        "digest",
        "hashes",
    }
    assert again.state is State.PASSED


def test_a_good_backup_passes_and_nothing_stays(site: RestoreSite) -> None:
    evidence = run(site)
    assert evidence.state is State.PASSED
    assert {f.outcome for f in evidence.findings} == {Outcome.PASSED}
    assert {f.check for f in evidence.findings} == {"counts", "digest", "totals", "hashes"}
    assert len(evidence.snapshots) == 3
    assert (evidence.owner, evidence.error) == ("me", "")
    (file,) = (site.state_dir / "drills").iterdir()
    assert json.loads(file.read_text())["state"] == "passed"


def test_what_was_only_sampled_is_compared_with_the_sample_and_with_rsyncs_totals(
    site: RestoreSite,
) -> None:
    site.config = replace(site.config, drilling=Drilling())
    back_up(site)
    evidence = run(site)
    outcomes = {f.check: f.outcome for f in evidence.findings}
    assert {c for c, o in outcomes.items() if o is Outcome.SKIPPED} == {"counts", "digest"}
    assert {c for c, o in outcomes.items() if o is Outcome.PASSED} == {"totals", "hashes"}
    assert evidence.state is State.PASSED
    *_, copy = sorted(copies(site).glob(f"{ROOT}/{MAIL}@*"))
    (copy / "box/inbox").write_text("daer\n")
    assert failures(run(site)) == {("hashes", str(MAIL))}


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("echo other >'{top}/box/inbox'", {"counts", "digest", "hashes"}),
        ("rm '{top}/box/inbox'", {"counts", "digest", "totals", "hashes"}),
        ("touch '{top}/box/more'", {"counts", "digest"}),
        ("chmod 600 '{top}/box/inbox'", {"digest"}),
        (
            "cd '{top}/box'; touch -r inbox {tmp}/t; echo daer >inbox; touch -r {tmp}/t inbox",
            {"hashes"},
        ),
        (
            "rm '{top}/box/inbox'; ln -s /etc/passwd '{top}/box/inbox'",
            {"counts", "digest", "hashes"},
        ),
    ],
)
def test_a_backup_that_is_not_what_it_was_fails(
    site: RestoreSite, tmp_path: Path, damage: str, found: set[str]
) -> None:
    (copy,) = copies(site).glob(f"{ROOT}/{MAIL}@*")
    subprocess.run(("sh", "-c", damage.format(top=copy, tmp=tmp_path)), check=True)
    evidence = run(site)
    assert evidence.state is State.FAILED
    assert failures(evidence) == {(check, str(MAIL)) for check in found}


def test_a_record_that_cannot_be_read_is_a_failed_drill(site: RestoreSite) -> None:
    (beside(site) / CONTENTS).write_text("{")
    with pytest.raises(ZfsError, match="cannot be read"):
        run(site)
    (evidence,) = shelf_in(site.state_dir, "").all()
    assert evidence.state is State.FAILED
    assert list_sessions(site.pool, SESSIONS) == ()


def test_a_service_is_shown_to_its_check_and_may_be_changed(
    site: RestoreSite, tmp_path: Path
) -> None:
    out = tmp_path / "seen"
    checked_by(
        site,
        tmp_path,
        f'cat >{out}; env >{out}.env; echo changed >"$ZREP_PATH/inbox"; echo all well',
    )
    evidence = run(site)
    assert evidence.state is State.PASSED
    (finding,) = [f for f in evidence.findings if f.check == "service"]
    assert finding.says == "all well"
    seen = json.loads(out.read_text())
    assert (seen["service"], seen["source"], seen["backup"]) == (
        "post",
        str(MAIL),
        evidence.backup,
    )
    assert [Path(p).name for p in seen["paths"]] == ["box", "etc"]
    env = (tmp_path / "seen.env").read_text()
    assert "ZREP_SERVICE=post\n" in env
    assert f"ZREP_PATHS={seen['paths'][0]}\n{seen['paths'][1]}\n" in env
    assert contents(site.live(MAIL))["box/inbox"] == "dear\n"
    assert run(site, backup=evidence.backup).state is State.PASSED


@pytest.mark.parametrize(
    ("text", "why"), [("echo no posts >&2; exit 3", "no posts"), ("exec sleep 60", "did not end")]
)
def test_a_service_whose_check_fails_or_hangs_fails_the_drill(
    site: RestoreSite, tmp_path: Path, text: str, why: str
) -> None:
    checked_by(site, tmp_path, text, check_timeout=1)
    evidence = run(site, service="post")
    assert evidence.state is State.FAILED
    (bad,) = evidence.failed
    assert bad.check == "service"
    assert why in bad.says
    assert {f.subject for f in evidence.findings if f.check != "service"} == {str(MAIL)}


def test_a_service_whose_data_is_a_link_or_gone_fails_without_running_the_check(
    site: RestoreSite, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    checked_by(site, tmp_path, f"touch {ran}")
    (copy,) = copies(site).glob(f"{ROOT}/{MAIL}@*")
    shutil.rmtree(copy / "etc")
    (copy / "elsewhere").mkdir()
    assert ("service", "post") in failures(run(site))
    assert not ran.exists()


def test_evidence_is_signed_and_a_changed_one_is_refused(site: RestoreSite, tmp_path: Path) -> None:
    key = signed(site, tmp_path)
    evidence = run(site)
    file = site.state_dir / "drills" / f"{evidence.id}.json"
    assert "Good" in verify(file, f"{key}.pub")
    shelf = shelf_in(site.state_dir, str(key))
    assert shelf.proven() == (evidence,)
    file.write_text(file.read_text().replace(evidence.backup, "20260102_030459"))
    with pytest.raises(Refused, match="does not hold"):
        verify(file, f"{key}.pub")
    (forged,) = shelf.proven()
    assert forged.state is State.FAILED
    Path(f"{file}.sig").unlink()
    with pytest.raises(Refused, match="not signed"):
        verify(file, f"{key}.pub")


def test_another_key_proves_nothing(site: RestoreSite, tmp_path: Path) -> None:
    signed(site, tmp_path)
    evidence = run(site)
    other = tmp_path / "other"
    subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)), check=True)
    with pytest.raises(Refused, match="does not hold"):
        verify(site.state_dir / "drills" / f"{evidence.id}.json", f"{other}.pub")


def test_a_key_that_is_not_there_is_told_of_before_anything_is_mounted(site: RestoreSite) -> None:
    site.config = replace(site.config, drilling=Drilling(key="/nowhere/key"))
    before = site.pool.pool
    with pytest.raises(ConfigError, match="/nowhere/key"):
        drill(site, WISH, Told())
    assert site.pool.pool == before


def test_a_drill_that_was_killed_counts_as_failed_and_leaves_no_session(
    site: RestoreSite,
) -> None:
    plan = plan_drill(site, WISH)
    begun = begin_evidence(site, plan)
    shelf_in(site.state_dir, "").begin(begun)
    apply_mount(site.pool, mount_for(plan, begun.id))
    evidence = run(site)
    found = shelf_in(site.state_dir, "").all()
    assert [(d.id, d.state) for d in found] == [
        (evidence.id, State.PASSED),
        (begun.id, State.FAILED),
    ]
    assert found[1].error == "the drill was interrupted"


class BusyZfs(CopyZfs):
    """Somebody sits in every clone as soon as it is there."""

    def clone(
        self, snapshot: SnapshotName, dataset: DatasetName, properties: Mapping[str, str]
    ) -> None:
        super().clone(snapshot, dataset, properties)
        self.mount(dataset)
        self.pool = datasets.use(self.pool, dataset)


def test_a_session_that_stays_busy_is_a_failed_drill(site: RestoreSite) -> None:
    pool, site.pool = site.pool.pool, BusyZfs(site.pool.folder)
    site.pool.pool = pool
    with pytest.raises(DatasetBusy):
        drill(site, WISH, Told())
    (evidence,) = shelf_in(site.state_dir, "").all()
    assert evidence.state is State.FAILED


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"backup": "latest", "chance": True}, UsageError),
        ({"backup": "1999"}, BackupNotFound),
        ({"service": "post"}, UsageError),
    ],
    ids=str,
)
def test_what_cannot_be_drilled_leaves_no_evidence(
    site: RestoreSite, wish: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        run(site, **wish)
    assert not (site.state_dir / "drills").exists()


def test_monitoring_goes_by_what_is_signed(site: RestoreSite, tmp_path: Path) -> None:
    key = signed(site, tmp_path)
    evidence = run(site)
    shelf = Shelf(folder=site.state_dir / "drills", key=str(key))
    limits = site.config.drilling
    assert check_drills(shelf.proven(), limits, evidence.started + 60).level == 0
    file = site.state_dir / "drills" / f"{evidence.id}.json"
    file.write_text(file.read_text().replace('"owner": "me"', '"owner": "you"'))
    found = check_drills(shelf.proven(), limits, evidence.started + 60)
    assert found.level == 2
    assert "does not hold" in found.message


_SHELL = """
set -eu
mount() {{ rmdir "$6" && cp -aT {copies}/"$5" "$6"; }}
mountpoint() {{ [ "$1" != -q ] || shift; [ -d "$1" ]; }}
umount() {{ rm -rf "$1"; }}
zfs() {{ [ -d "{copies}/${{!#}}" ] && echo "${{!#}}"; }}
export PATH={bin}:$PATH
"""
# Runs what it is told on this machine, in ssh's place.
_SSH = """#!/bin/sh
while :; do
    case $1 in -n) shift ;; -p | -l | -o) shift 2 ;; -*) exit 97 ;; *) break ;; esac
done
shift
exec sh -c "$*"
"""


def bash(site: RestoreSite, tmp_path: Path, text: str) -> str:
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    (folder / "ssh").write_text(_SSH)
    (folder / "ssh").chmod(0o755)
    head = _SHELL.format(copies=shlex.quote(str(copies(site))), bin=folder)
    done = subprocess.run(
        ("bash", "-c", head + text), capture_output=True, text=True, check=False, cwd="/"
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_sheets_own_commands_bring_back_what_was_lost(
    site: RestoreSite, tmp_path: Path
) -> None:
    sheet = (beside(site) / SHEET).read_text()
    sheet = sheet.replace("M=/mnt/zrep-recovery", f"M={tmp_path}/look")
    web = site.live(WEB)
    before = contents(web)
    shutil.rmtree(web / "a")
    (web / "b/new").write_text("to be deleted")
    text = commands(sheet, "1. ", "2. ", part_of(sheet, str(WEB)))
    said = bash(site, tmp_path, text)
    counted = [line for line in said.splitlines() if line.isdecimal()]
    expected = re.findall(r"wc -c   # (\d+),", sheet)
    assert counted == expected
    assert "OK" in said.splitlines()
    assert contents(web) == before
    assert (web / "b/link").readlink() == Path("../a/page 1")
    assert (web / "b/hard").stat().st_ino == (web / "a/page 2").stat().st_ino
    assert said.splitlines()[-1] == "OK", "the comparison printed something"


def test_the_sheets_commands_write_nothing_where_nothing_is_mounted(
    site: RestoreSite, tmp_path: Path
) -> None:
    """The silent wipe: an empty folder in the place of the backup must empty nothing."""
    sheet = (beside(site) / SHEET).read_text()
    sheet = sheet.replace("M=/mnt/zrep-recovery", f"M={tmp_path}/look")
    before = contents(site.live(WEB))
    (tmp_path / "look" / HOST).mkdir(parents=True)
    text = commands(sheet, "1. ", "4.").replace("mountpoint -q", "/bin/mountpoint -q")
    for key in (WEB, MAIL):
        (tmp_path / "look" / str(key)).mkdir()
    done = subprocess.run(("bash", "-c", text), capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert contents(site.live(WEB)) == before
