"""Whole restores with the real rsync and capsules: what comes back, what is stopped, what is
refused, and what is left when one ends half way."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.contract.capsule_world import can_unshare
from tests.contract.platform_world import back_up
from tests.contract.restore_world import (
    MAIL,
    WEB,
    RestoreSite,
    contents,
    restore_site,
    without,
)
from tests.contract.sync_world import Told
from zrep.cli.main import run
from zrep.engine.mount import list_sessions
from zrep.engine.restore import RestoreReport, Summary
from zrep.engine.restore_record import Progressed, Record, Records
from zrep.engine.restore_request import Order, order_of, plan_order
from zrep.engine.restore_run import discard_safety, restore
from zrep.engine.sync import sync
from zrep.errors import Busy, Exit, Refused, SourceFailed, UnknownName, ZrepError
from zrep.model.restore import Kind, Mode
from zrep.report.restore import plan_json, render_plan, render_records, render_summary, report_json

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

RUN = "20260102_030405"
BACKUP = {
    "web": {"a/one": "1", "b/two": "2", "top": "t"},
    "mail": {"box/letter": "dear", "etc/conf": "x"},
}
SINCE = {
    "web": {"a/one": "changed", "a/new": "n", "b/two": "2", "b/busy": "b", "top": "t"},
    "mail": {"box/spam": "s"},
}
COUNTS = {"first_db": 1, "first_web": 2, "post": 1, "second": 3}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RestoreSite]:
    with restore_site(tmp_path) as made:
        fill(made, BACKUP)
        sync(made, None, Told())
        fill(made, SINCE)
        yield made


def fill(site: RestoreSite, trees: dict[str, dict[str, str]]) -> None:
    for name, files in trees.items():
        top = site.world.source / name
        for old in sorted(top.rglob("*"), reverse=True):
            old.unlink() if old.is_file() else old.rmdir()
        for path, text in files.items():
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).write_text(text)
            os.utime(top / path, (1_000_000_000, 1_000_000_000))


def order(**wish: object) -> Order:
    return Order(**{"run": RUN, "backup": "latest", **wish})  # type: ignore[arg-type]


def bring(
    site: RestoreSite,
    agree: Callable[[Summary], bool] = lambda _: True,
    **wish: object,
) -> RestoreReport | None:
    planned = plan_order(site, order(**wish))
    return restore(site, planned, planned.order.record, Told(), agree=agree)


def resume(site: RestoreSite) -> RestoreReport:
    record = Records(site.state_dir).unfinished(None)
    done = restore(site, plan_order(site, order_of(record)), record, Told(), agree=lambda _: True)
    assert done is not None
    return done


def record(site: RestoreSite) -> Record:
    return Records(site.state_dir).read(RUN)


def live(site: RestoreSite) -> dict[str, dict[str, str]]:
    """Without what restores have kept."""
    trees = {key.name: contents(site.live(key)) for key in (WEB, MAIL)}
    return {n: {p: t for p, t in f.items() if ".zrep-safety" not in p} for n, f in trees.items()}


def nothing_is_left(site: RestoreSite) -> bool:
    sessions = list_sessions(site.pool, site.sessions_root)
    opened = site.world.run("find", "/run/zrep/opened", "-type", "f").stdout
    return not sessions and opened == ""


def test_one_source_comes_back_and_only_its_services_were_stopped(site: RestoreSite) -> None:
    site.arm("web")
    report = bring(site, sources=("manager-1/web",))
    assert report is not None
    assert live(site) == {"web": BACKUP["web"], "mail": SINCE["mail"]}
    assert site.counts() == COUNTS
    scaled = [c.rpartition(" ")[2] for c in site.calls() if c.startswith("service scale")]
    assert scaled == [
        *("first_web=0", "first_db=0", "second=0"),
        *("first_web=2", "first_db=1", "second=3"),
    ]
    assert record(site).state is Progressed.DONE
    assert nothing_is_left(site)


def test_one_service_comes_back_while_the_others_run_and_write(site: RestoreSite) -> None:
    site.arm("web")
    assert bring(site, service="first") is not None
    expected = {"a/one": "1", "b/two": "2", "b/busy": "b", "top": "t"}
    assert live(site)["web"] == expected
    assert not any("second" in call for call in site.calls() if "scale" in call)
    assert site.counts() == COUNTS


def test_everything_comes_back_with_docker_halted(site: RestoreSite) -> None:
    site.arm()
    assert bring(site) is not None
    assert live(site) == BACKUP
    calls = site.calls()
    assert "systemctl stop docker.socket docker.service" in calls
    assert calls[-1] == "systemctl start docker.socket docker.service"
    assert not site.world.exists("/var/lib/zrep/restore/halted")
    assert not site.world.exists("/etc/systemd/system/docker.service.d/zrep-restore.conf")


def test_a_path_comes_back_beside_what_is_there_and_nothing_is_stopped(site: RestoreSite) -> None:
    site.arm("web")
    assert bring(site, paths=("manager-1/web/a", "manager-1/web/top")) is not None
    beside = {f"a.restored-{RUN}/one": "1", f"top.restored-{RUN}": "t"}
    assert live(site)["web"] == {**SINCE["web"], **beside}
    assert not any("scale" in call for call in site.calls())


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (Mode.MIRROR, {"one": "1"}),
        (Mode.OVERWRITE, {"one": "1", "new": "n"}),
        (Mode.MISSING_ONLY, {"one": "changed", "new": "n"}),
    ],
)
def test_a_mode_does_to_a_path_what_it_says(
    site: RestoreSite, mode: Mode, expected: dict[str, str]
) -> None:
    site.arm("web")
    assert bring(site, paths=("manager-1/web/a",), mode=mode) is not None
    assert {p: t for p, t in live(site)["web"].items() if p.startswith("a/")} == {
        f"a/{name}": text for name, text in expected.items()
    }


def test_what_is_replaced_is_kept_until_it_is_discarded(site: RestoreSite) -> None:
    site.arm("web")
    report = bring(site, service="first")
    assert report is not None
    (kept,) = report.safety.values()
    assert kept.kind == "folder"
    assert contents(Path(kept.kept)) == {"a/one": "changed", "a/new": "n"}
    assert kept.kept in render_records(Records(site.state_dir).all())
    assert discard_safety(site, RUN) == (f"manager-1/web: {kept.kept}",)
    assert not Path(kept.kept).exists()
    assert record(site).discarded
    assert discard_safety(site, RUN) == ()


@pytest.mark.parametrize("path", ["a/one", "top"])
def test_a_single_file_is_kept_under_its_own_path(site: RestoreSite, path: str) -> None:
    site.arm("web")
    (site.live(WEB) / path).write_text("changed again")
    report = bring(site, paths=(f"manager-1/web/{path}",), mode=Mode.OVERWRITE)
    assert report is not None
    assert contents(Path(report.safety["manager-1/web"].kept)) == {path: "changed again"}
    assert live(site)["web"] == {**SINCE["web"], path: BACKUP["web"][path]}


def test_the_summary_comes_first_and_a_no_leaves_everything(site: RestoreSite) -> None:
    site.arm("web")
    seen: list[Summary] = []

    def refuse(summary: Summary) -> bool:
        seen.append(summary)
        return False

    assert bring(site, refuse, sources=("manager-1/web",)) is None
    total = seen[0].total
    assert (total.new, total.changed, total.deleted) == (0, 1, 2)
    assert "1 changed, 2 deleted" in render_summary(seen[0])
    assert live(site) == SINCE
    assert not any("scale" in call for call in site.calls())
    assert Records(site.state_dir).all() == ()
    assert nothing_is_left(site)


def test_a_plan_and_a_report_can_be_read(site: RestoreSite) -> None:
    site.arm("web")
    plan = plan_order(site, order(service="first")).plan
    assert [s["step"] for s in plan_json(plan)["steps"]] == [step.kind for step in plan.steps]
    assert "service-down first" in render_plan(plan)
    report = bring(site, service="first")
    assert report is not None
    words = report_json(report)
    assert words["items"][0]["changed"] == 1
    assert words["safety"]["manager-1/web"]["kind"] == "folder"


# ---- refused before the first write -----------------------------------------------------------


def test_unarmed_is_refused_with_the_command_that_arms(site: RestoreSite) -> None:
    with pytest.raises(Refused, match="manager-1/web: web is not armed") as refused:
        bring(site, sources=("manager-1/web",))
    assert "zrep-arm" in refused.value.next_step
    assert live(site) == SINCE
    assert not any("scale" in call for call in site.calls())
    assert nothing_is_left(site)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("20990101_000000", "no backup"),
        ("2", "is ambiguous"),
        ("", "no backup"),
        ("*", "no backup"),
    ],
)
def test_a_wrong_id_is_refused(site: RestoreSite, text: str, why: str) -> None:
    site.arm()
    back_up(site, datetime.now(UTC) + timedelta(minutes=1))
    with pytest.raises(ZrepError, match=why):
        bring(site, backup=text)
    assert live(site) == SINCE


def test_what_the_backup_does_not_have_is_refused(site: RestoreSite) -> None:
    site.arm()
    with pytest.raises(UnknownName, match="web/nothing is not in backup"):
        bring(site, paths=("manager-1/web/nothing",))
    with pytest.raises(Refused, match="leads out"):
        bring(site, paths=("manager-1/web/../mail",))
    assert nothing_is_left(site)


def test_a_container_zrep_does_not_know_keeps_its_files(site: RestoreSite) -> None:
    """Its service is not configured, so nobody stops it: then nothing may be written under it."""
    site.arm("web")
    without(site, "first")
    with pytest.raises(SourceFailed, match=r"container first_\w+\.1 runs and may write to"):
        bring(site, sources=("manager-1/web",))
    assert live(site) == SINCE
    assert site.counts()["second"] == 0
    assert record(site).state is Progressed.FAILED


def test_while_a_backup_runs_nothing_is_restored(site: RestoreSite) -> None:
    from zrep.engine.lock import exclusive

    site.arm()
    with exclusive(site.run_dir, "set-platform"), pytest.raises(Busy):
        bring(site)


def test_a_target_elsewhere_is_refused_with_the_next_step(site: RestoreSite) -> None:
    from zrep.model.source import Address

    site.arm()
    planned = plan_order(site, order())
    target = replace(site.config.target, address=Address(host="elsewhere"))
    site.config = replace(site.config, target=target)
    with pytest.raises(Refused, match="elsewhere"):
        restore(site, planned, planned.order.record, Told(), agree=lambda _: True)


# ---- interrupted ------------------------------------------------------------------------------

STEPS = [
    *("service-down first", "service-down second", "safety manager-1/web"),
    *("write manager-1/web", "verify manager-1/web", "close manager-1/web"),
    *("service-up first", "service-up second"),
]


class EndedError(Exception):
    """In a kill's place."""


def end_at(monkeypatch: pytest.MonkeyPatch, label: str, *, after: bool) -> None:
    """zrep ends right before or right after the step of that label did its work."""
    from zrep.engine.restore import Restore

    real = Restore._do

    def fatal(self: Restore, step: object) -> None:
        if str(step) != label:
            real(self, step)  # type: ignore[arg-type]
            return
        if after:
            real(self, step)  # type: ignore[arg-type]
        raise EndedError

    monkeypatch.setattr(Restore, "_do", fatal)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("label", STEPS)
def test_wherever_it_ends_services_stay_down_and_it_can_be_resumed(
    site: RestoreSite, monkeypatch: pytest.MonkeyPatch, label: str, *, after: bool
) -> None:
    site.arm("web")
    with monkeypatch.context() as patch:
        end_at(patch, label, after=after)
        with pytest.raises(EndedError):
            bring(site, sources=("manager-1/web",))
    done = STEPS.index(label)
    counts = site.counts()
    down = [n for n, c in COUNTS.items() if counts[n] != c]
    if 2 <= done < 6:
        assert down == ["first_db", "first_web", "second"]
    assert record(site).state is Progressed.FAILED
    assert record(site).step == label
    started = done >= 6
    if started:
        (site.live(WEB) / "a/since").write_text("written by the service that runs again")
    resume(site)
    assert site.counts() == COUNTS
    assert record(site).state is Progressed.DONE
    since = {"a/since": "written by the service that runs again"} if started else {}
    assert live(site)["web"] == {**BACKUP["web"], **since}
    assert nothing_is_left(site)


def end_by_kill(site: RestoreSite, at: int) -> subprocess.CompletedProcess[str]:
    """Restore service `first` in a process that is killed after line `at` of its record."""
    state = site.world.tmp / "state.pickle"
    state.write_bytes(pickle.dumps((site.config, site.pool.pool)))
    words = (str(site.world.pid), str(site.world.tmp), str(state), RUN, str(at))
    return subprocess.run(
        (sys.executable, "-m", "tests.contract.restorer", *words),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


# Begun; opened; down; kept, and what; written; compared; proven; closed; up; done.
RECORDED = 11


@pytest.mark.parametrize("at", range(1, RECORDED + 1))
def test_killed_after_any_line_of_its_record_it_is_resumed_by_another_process(
    site: RestoreSite, at: int
) -> None:
    site.arm("web")
    done = end_by_kill(site, at)
    assert done.returncode == -signal.SIGKILL, done.stderr
    state = record(site).state
    assert state is (Progressed.DONE if at == RECORDED else Progressed.RUNNING)
    if at < RECORDED:
        resume(site)
    assert site.counts() == COUNTS
    assert live(site)["web"] == {"a/one": "1", "b/two": "2", "b/busy": "b", "top": "t"}
    assert record(site).state is Progressed.DONE


def test_a_record_is_written_as_often_as_that(site: RestoreSite) -> None:
    site.arm("web")
    done = end_by_kill(site, 0)
    assert (done.returncode, done.stdout) == (0, f"{RECORDED}\n"), done.stderr


def test_what_is_different_after_the_transfer_is_not_started_on(
    site: RestoreSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zrep.engine.restore import Restore

    site.arm("web")
    real = Restore._write

    def spoil(self: Restore, item: object) -> None:
        real(self, item)  # type: ignore[arg-type]
        (site.live(WEB) / "a/one").write_text("X")

    with monkeypatch.context() as patch:
        patch.setattr(Restore, "_write", spoil)
        with pytest.raises(SourceFailed, match="is not what the backup holds"):
            bring(site, service="first")
    assert site.counts()["first_web"] == 0
    assert not record(site).verified
    resume(site)
    assert site.counts() == COUNTS
    assert live(site)["web"]["a/one"] == "1"


def test_a_lease_that_ended_meanwhile_is_armed_again_and_it_goes_on(
    site: RestoreSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.arm("web")
    with monkeypatch.context() as patch:
        end_at(patch, "write manager-1/web/a", after=False)
        with pytest.raises(EndedError):
            bring(site, service="first")
    site.arm("--disarm")
    with pytest.raises(Refused, match="not armed"):
        resume(site)
    assert site.counts()["first_web"] == 0
    site.arm("web")
    resume(site)
    assert site.counts() == COUNTS


def test_a_service_that_will_not_stop_is_never_written_under(site: RestoreSite) -> None:
    site.arm("web")
    site.set_fault("refuse-first_db")
    with pytest.raises(SourceFailed, match="cannot scale first_db"):
        bring(site, service="first")
    assert live(site) == SINCE
    site.clear_fault("refuse-first_db")
    resume(site)
    assert site.counts() == COUNTS
    assert live(site)["web"]["a/one"] == "1"


def test_a_global_service_is_told_apart(site: RestoreSite) -> None:
    site.arm("web")
    site.set_fault("global-first_db")
    with pytest.raises(SourceFailed, match="is global and cannot be scaled"):
        bring(site, service="first")
    assert site.counts() == COUNTS


def test_without_a_manager_no_service_is_restored(site: RestoreSite) -> None:
    site.arm("web")
    site.set_fault("worker")
    with pytest.raises(Refused, match="no manager of a swarm"):
        bring(site, service="first")


def test_docker_stays_halted_when_a_full_restore_fails_even_after_a_boot(
    site: RestoreSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.arm()
    with monkeypatch.context() as patch:
        end_at(patch, "write manager-1/web", after=False)
        with pytest.raises(EndedError):
            bring(site)
    site.world.run("systemctl", "start", "docker.service")
    assert (site.swarm / "down").exists()
    assert Kind.HALT in {s.kind for s in plan_order(site, order()).plan.steps}
    resume(site)
    assert not (site.swarm / "down").exists()
    assert live(site) == BACKUP


# ---- the command ------------------------------------------------------------------------------


@pytest.fixture
def command(site: RestoreSite, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """`zrep restore WORDS` on that site."""

    @contextmanager
    def opened(_: object) -> Iterator[RestoreSite]:
        yield site

    monkeypatch.setattr("zrep.engine.site.open_site", opened)
    monkeypatch.setattr("zrep.cli.restore_command.load_config", lambda _: site.config)
    return lambda *words: run(["restore", *words])


def test_the_command_shows_asks_restores_and_lists(
    site: RestoreSite, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    site.arm()
    assert command("latest", "--service", "first", "--dry-run") == Exit.DONE
    shown = capsys.readouterr().out
    assert "service-down first" in shown
    assert "1 changed, 1 deleted" in shown
    assert live(site) == SINCE
    assert command("latest", "--service", "first") == Exit.REFUSED
    assert "say --yes" in capsys.readouterr().err
    assert live(site) == SINCE
    assert command("latest", "--service", "first", "--yes", "--json") == Exit.DONE
    report = json.loads(capsys.readouterr().out)
    assert report["services"] == ["first"]
    assert live(site)["web"]["a/one"] == "1"
    assert command("--list") == Exit.DONE
    assert f"{report['restore']}  {report['backup']}  done" in capsys.readouterr().out
    assert command(report["restore"], "--discard-safety") == Exit.DONE
    assert ".zrep-safety" in capsys.readouterr().out
    assert command("--resume") == Exit.USAGE


def test_the_command_prints_a_script_without_touching_anything(
    site: RestoreSite, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("latest", "--script") == Exit.DONE
    text = capsys.readouterr().out
    assert text.startswith("#!/bin/sh")
    assert "mount -t zfs -o ro,nosuid,nodev,noexec backup/current/manager-1/mail@zrep_" in text
    assert live(site) == SINCE


def test_the_command_refuses_unarmed_with_status_5(
    site: RestoreSite, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("latest", "--yes") == Exit.REFUSED
    assert "zrep-arm" in capsys.readouterr().err
    assert live(site) == SINCE
