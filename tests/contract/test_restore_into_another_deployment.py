"""A backup of one deployment brought into another, with the real capsules and rsync: only hosts of
that one are ever dialled, each of them decides for itself, and nothing starts unscrubbed."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.contract.capsule_world import CapsuleWorld, can_unshare
from tests.contract.restore_world import RestoreSite, restore_site
from tests.contract.sync_world import HOST, Told
from tests.contract.test_restore_brings_back import (
    BACKUP,
    COUNTS,
    RUN,
    SINCE,
    EndedError,
    end_at,
    fill,
    live,
    nothing_is_left,
)
from zrep.capsule.render import render_source_conf
from zrep.cli.main import run
from zrep.engine.restore import RestoreReport
from zrep.engine.restore_record import Progressed, Record, Records
from zrep.engine.restore_request import Order, order_of, plan_order, recorded
from zrep.engine.restore_run import discard_safety, restore
from zrep.engine.sync import sync
from zrep.errors import Busy, Exit, HookFailed, Refused, SourceFailed
from zrep.host.port import Host
from zrep.model.source import Address, Config, Deployment
from zrep.planner.elsewhere import destination_of, seen_from
from zrep.source.restore_capsules import RestoreCapsules

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

ARM = "/usr/libexec/zrep/zrep-arm"
THERE, ORIGIN = "10.1.0.11", "10.0.0.11"
# Tells what it was told, and which containers ran meanwhile.
PROGRAM = """#!/bin/sh
cat >>{folder}/told
counts=$(cut -d ' ' -f 1 {folder}/swarm/services/*)
[ ! -e {folder}/swarm/down ] || counts=down
echo $counts >>{folder}/running
[ ! -e {folder}/hangs ] || exec sleep 60
[ ! -e {folder}/fails ] || {{ echo 'no database' >&2; exit 1; }}
"""


class DialledSite(RestoreSite):
    """Remembers every address that anything was asked of, and whose it would have been."""

    def __init__(self, config: Config, world: CapsuleWorld, tmp: Path) -> None:
        super().__init__(config, world, tmp)
        self.asked: list[str] = []

    def source_host(self, name: str) -> Host:
        self.asked.append(self.config.hosts[name].host)
        return super().source_host(name)

    def dialled(self) -> set[str]:
        written = {w.partition("::")[0] for argv in self.pipe.said for w in argv if "::" in w}
        return {*self.asked, *written}


@dataclass
class Platform:
    """The world plays the one host of uat; `config` is that of prod's backup system."""

    config: Config
    first: RestoreSite
    tmp: Path

    @property
    def world(self) -> CapsuleWorld:
        return self.first.world

    def site(self, config: Config) -> DialledSite:
        made = DialledSite(config, self.world, self.tmp)
        made.pool = self.first.pool
        return made

    def uat(self) -> DialledSite:
        return self.site(destination_of(self.config, "uat"))

    def arm(self, *words: str) -> int:
        return self.world.run(ARM, "--all", *words).returncode

    def become(self, name: str) -> None:
        """Install what that deployment's manager gets."""
        conf = self.tmp / "etc/zrep/source.conf"
        conf.write_text(render_source_conf(seen_from(self.config, name), HOST))

    def bring(self, site: RestoreSite, **wish: object) -> RestoreReport | None:
        order = Order(**{"run": RUN, "backup": "latest", **wish})  # type: ignore[arg-type]
        planned = plan_order(site, order)
        return restore(site, planned, planned.record, Told(), agree=lambda _: True)

    def resume(self) -> RestoreReport | None:
        """The lock is free as soon as the last rsync is gone, and that is within seconds."""
        for _ in range(100):
            with suppress(Busy):
                return self._resume()
            time.sleep(0.1)
        return self._resume()

    def _resume(self) -> RestoreReport | None:
        site = self.site(recorded(self.config, None, unfinished=True))
        record = self.record()
        return restore(
            site, plan_order(site, order_of(record)), record, Told(), agree=lambda _: True
        )

    def record(self) -> Record:
        return Records(self.tmp / "state").read(RUN)

    def running(self) -> list[str]:
        return (self.tmp / "running").read_text().splitlines()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """One backup of prod; from then on the world is uat's manager, with other files."""
    with restore_site(tmp_path) as first:
        fill(first, BACKUP)
        sync(first, None, Told())
        fill(first, SINCE)
        program = tmp_path / "scrub-urls"
        program.write_text(PROGRAM.format(folder=tmp_path))
        program.chmod(0o755)
        uat = Deployment(
            name="uat",
            hosts={HOST: Address(host=THERE)},
            accepts=("prod",),
            scrub=(str(program),),
            scrub_time=1,
        )
        hosts = {HOST: Address(host=ORIGIN)}
        config = replace(first.config, hosts=hosts, elsewhere={"uat": uat})
        made = Platform(config=config, first=first, tmp=tmp_path)
        made.become("uat")
        yield made


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({}, BACKUP),
        ({"sources": ("manager-1/web",)}, {**SINCE, "web": BACKUP["web"]}),
        ({"service": "post"}, {**SINCE, "mail": BACKUP["mail"]}),
    ],
    ids=["everything", "a source", "a service"],
)
def test_the_data_comes_there_and_nothing_else_is_ever_dialled(
    platform: Platform, wish: Mapping[str, object], expected: object
) -> None:
    platform.arm("--from", "prod")
    site = platform.uat()
    assert ORIGIN.encode() not in pickle.dumps(site.config)
    assert platform.bring(site, **wish) is not None
    assert live(site) == expected
    assert site.counts() == COUNTS
    assert site.dialled() == {THERE}
    assert platform.record().state is Progressed.DONE
    assert (platform.record().origin, platform.record().deployment) == ("prod", "uat")
    assert nothing_is_left(site)


def test_programs_run_while_nothing_runs(platform: Platform) -> None:
    platform.arm("--from", "prod")
    platform.bring(platform.uat())
    assert platform.running() == ["down"]
    assert json.loads((platform.tmp / "told").read_text())["hosts"] == {
        HOST: {"address": THERE, "port": 22}
    }


@pytest.mark.parametrize(
    ("fault", "expected"), [("fails", "no database"), ("hangs", "longer than 1 s")]
)
def test_what_is_not_scrubbed_is_not_started_and_resuming_scrubs_it(
    platform: Platform, fault: str, expected: str
) -> None:
    platform.arm("--from", "prod")
    (platform.tmp / fault).touch()
    with pytest.raises(HookFailed, match=expected):
        platform.bring(platform.uat(), service="first")
    assert (platform.first.counts()["first_web"], platform.first.counts()["second"]) == (0, 3)
    failed = platform.record()
    assert (failed.state, failed.verified, failed.scrubbed) == (Progressed.FAILED, True, False)
    (platform.first.world.source / "web/a/one").write_text("corrected by hand")
    (platform.tmp / fault).unlink()
    assert platform.resume() is not None
    assert platform.first.counts() == COUNTS
    assert live(platform.first)["web"]["a/one"] == "corrected by hand"
    assert len(platform.running()) == 2
    assert platform.record().scrubbed


STEPS = (
    *("service-down first", "safety manager-1/web"),
    *("write manager-1/web/a", "verify manager-1/web/a", "close manager-1/web"),
    *("scrub", "service-up first"),
)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("label", STEPS)
def test_wherever_it_ends_it_goes_on_there_and_nowhere_else(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, label: str, *, after: bool
) -> None:
    platform.arm("--from", "prod")
    if label == "scrub":
        label = f"scrub {platform.tmp}/scrub-urls"
    with monkeypatch.context() as patch:
        end_at(patch, label, after=after)
        with pytest.raises(EndedError):
            platform.bring(platform.uat(), service="first")
    ran = (platform.tmp / "told").exists()
    up = platform.first.counts()["first_web"] == 2
    assert not up or label.startswith("service")
    platform.resume()
    assert platform.first.counts() == COUNTS
    assert live(platform.first)["web"]["a/one"] == BACKUP["web"]["a/one"]
    started_before = label.startswith("service-up")
    assert len(platform.running()) == (1 if started_before or not ran else 2)


# ---- the destination has the last word --------------------------------------------------------


@pytest.mark.parametrize("armed", [(), ("--from", "test")], ids=["for its own", "for others"])
def test_a_host_that_is_armed_for_other_data_refuses_before_anything(
    platform: Platform, armed: tuple[str, ...]
) -> None:
    platform.arm(*armed)
    with pytest.raises(Refused, match="not of prod") as refused:
        platform.bring(platform.uat())
    assert "zrep-arm NAME --for 2h --from prod" in refused.value.next_step
    assert live(platform.first) == SINCE
    assert not any("stop" in call for call in platform.first.calls())
    assert nothing_is_left(platform.first)


@pytest.mark.parametrize(
    ("armed", "asked", "expected"),
    [
        ("", "prod", "web is armed for data of its own deployment, not of prod"),
        ("prod", "", "web is armed for data of prod, not of its own"),
        ("test", "prod", "web is armed for data of test, not of prod"),
        ("prod", "uat", "no place for what uat gives to another deployment"),
    ],
)
def test_it_opens_only_for_what_it_is_armed_for(
    platform: Platform, armed: str, asked: str, expected: str
) -> None:
    platform.arm(*(("--from", armed) if armed else ()))
    capsules = RestoreCapsules(platform.first.source_host(HOST))
    with pytest.raises(SourceFailed, match=expected) as failed:
        capsules.open(RUN, "web", asked)
    assert failed.value.next_step
    assert not platform.world.exists("/run/zrep/opened/web")


def test_it_takes_nothing_when_it_was_armed_otherwise_in_between(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """zrep has looked, and has opened it: the transfer itself is refused."""
    platform.arm("--from", "prod")
    before: list[str] = []

    def rearm(argv: object) -> None:
        if "--dry-run" not in str(argv) and not before:
            before.append("once")
            platform.arm()

    site = platform.uat()
    site.pipe.before = rearm
    monkeypatch.setattr("zrep.engine.write.BACK_OFF", ())
    with pytest.raises(SourceFailed, match=r"armed"):
        platform.bring(site, service="first")
    assert before
    assert live(platform.first) == SINCE
    assert platform.first.counts()["first_web"] == 0


def test_a_host_of_the_origin_can_be_neither_armed_nor_opened(platform: Platform) -> None:
    """A name or an address that leads to prod after all: it knows what it is."""
    platform.become("prod")
    done = platform.world.run(ARM, "--all", "--from", "prod")
    assert done.returncode == 2
    assert "this is manager-1 of deployment prod" in done.stderr
    assert platform.arm() == 0
    with pytest.raises(Refused, match="that machine says it is manager-1 of prod"):
        platform.bring(platform.uat())
    with pytest.raises(SourceFailed, match="no place for what prod gives"):
        RestoreCapsules(platform.first.source_host(HOST)).open(RUN, "web", "prod")
    assert live(platform.first) == SINCE


def test_a_host_that_was_never_told_what_it_is_takes_nothing_foreign(platform: Platform) -> None:
    conf = platform.tmp / "etc/zrep/source.conf"
    lines = conf.read_text().splitlines(keepends=True)
    conf.write_text("".join(line for line in lines if not line.startswith("deployment")))
    assert platform.arm("--from", "prod") == 2
    platform.arm()
    with pytest.raises(Refused, match="says it is of no deployment"):
        platform.bring(platform.uat())


@pytest.mark.parametrize(
    "lines", ["deployment uat", "deployment UAT manager-1", "deployment a b\ndeployment a b"]
)
def test_a_bad_line_about_the_deployment_stops_everything(platform: Platform, lines: str) -> None:
    (platform.tmp / "etc/zrep/source.conf").write_text(f"{lines}\n")
    done = platform.world.capsule("restore-look")
    assert done.returncode == 2
    assert "deployment NAME HOST" in done.stdout


def test_status_says_whose_data_a_lease_is_for(platform: Platform) -> None:
    platform.arm("--from", "prod")
    assert "for data of prod" in platform.world.run(ARM, "--status").stdout
    platform.arm()
    assert "for data of" not in platform.world.run(ARM, "--status").stdout


# ---- the command, and what is kept ------------------------------------------------------------


@pytest.fixture
def command(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    @contextmanager
    def opened(config: Config) -> Iterator[DialledSite]:
        site = platform.site(config)
        yield site
        assert site.dialled() <= {THERE}

    monkeypatch.setattr("zrep.engine.site.open_site", opened)
    monkeypatch.setattr("zrep.cli.restore_command.load_config", lambda _: platform.config)
    return lambda *words: run(["restore", *words])


def test_the_command_restores_lists_and_discards_there(
    platform: Platform, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    platform.arm("--from", "prod")
    assert command("latest", "--to", "uat", "--service", "first", "--dry-run") == Exit.DONE
    assert "of prod into uat" in capsys.readouterr().out
    assert live(platform.first) == SINCE
    words = ("latest", "--to", "uat", "--service", "first")
    assert command(*words, "--script") == Exit.DONE
    script = capsys.readouterr().out
    assert THERE in script
    assert ORIGIN not in script
    assert command(*words, "--yes", "--json") == Exit.DONE
    report = json.loads(capsys.readouterr().out)
    assert (report["from"], report["to"]) == ("prod", "uat")
    assert [s["step"] for s in report["steps"]][-2:] == ["scrub", "service-up"]
    assert command("--list") == Exit.DONE
    assert "service first of prod into uat" in capsys.readouterr().out
    assert command(report["restore"], "--discard-safety") == Exit.DONE
    assert ".zrep-safety" in capsys.readouterr().out


def test_the_command_resumes_there_without_being_told(
    platform: Platform, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    platform.arm("--from", "prod")
    (platform.tmp / "fails").touch()
    words = ("latest", "--to", "uat", "--service", "first", "--yes")
    assert command(*words) == Exit.SOURCE
    assert "nothing was started" in capsys.readouterr().err
    (platform.tmp / "fails").unlink()
    assert command("--resume", "--yes") == Exit.DONE
    assert platform.first.counts() == COUNTS


def test_what_was_kept_is_discarded_there(platform: Platform) -> None:
    platform.arm("--from", "prod")
    platform.bring(platform.uat(), service="first")
    site = platform.site(recorded(platform.config, RUN, unfinished=False))
    assert len(discard_safety(site, RUN)) == 1
    assert site.dialled() == {THERE}


def test_prod_is_backed_up_while_uat_is_restored_into(platform: Platform) -> None:
    platform.arm("--from", "prod")
    taken: list[bool] = []

    def meanwhile(argv: object) -> None:
        if not taken and "--dry-run" not in str(argv):
            taken.append(True)
            from zrep.engine.lock import exclusive

            for name in ("set-platform", "restore"):
                with exclusive(site.run_dir, name):
                    taken.append(True)

    site = platform.uat()
    site.pipe.before = meanwhile
    platform.bring(site, service="first")
    assert taken == [True] * 3
