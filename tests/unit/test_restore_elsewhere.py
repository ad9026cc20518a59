"""Restoring into another deployment: what it must say, what must match, and that nothing which is
made on the way knows an address of the deployment that the backup is of."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.config_files import GOOD, load_text, problems
from tests.unit.test_restore_plan import RUN, backup
from zrep.capsule.machines import find_machines
from zrep.capsule.render import render_source_conf
from zrep.cli.main import run
from zrep.engine.restore import remaining
from zrep.engine.restore_ready import not_ready, unscrubbed
from zrep.engine.restore_record import Progressed, Record, Records
from zrep.engine.restore_request import recorded
from zrep.engine.restore_scrub import check_programs
from zrep.engine.site import Site
from zrep.errors import Exit, InvariantBroken, Refused, UnknownName
from zrep.model.backup import Backup
from zrep.model.housekeeping import Housekeeping
from zrep.model.key import SourceKey
from zrep.model.restore import STARTING, Kind, Mode, RestorePlan
from zrep.model.source import Config
from zrep.planner.check_restore import check_restore
from zrep.planner.elsewhere import destination_of, seen_from
from zrep.planner.locate import Location
from zrep.planner.restore import Wish, plan_restore
from zrep.report.restore import plan_json, record_json, render_plan, render_records
from zrep.report.restore_script import render_script
from zrep.source.restore_capsules import Destination, HostLook

UAT = """
[deployment.uat]
hosts = {{ {hosts} }}
allow_restore_from = ["prod"]
scrub = ["/etc/zrep/hooks/urls", "/etc/zrep/hooks/mail"]
scrub_timeout = "90s"
"""
HOSTS = 'manager-1 = "10.1.0.11", cassandra-1 = "10.1.0.21", solr-1 = "10.1.0.31"'
DOCKER = SourceKey("manager-1", "docker")
LOCAL = SourceKey("cassandra-1", "local")
SOLR = SourceKey("solr-1", "local")
ORIGIN = ("10.0.0.11", "10.0.0.21", "fd00::1")


def text_with(*, hosts: str = HOSTS, good: str = GOOD) -> str:
    default = good.replace("[deployment.prod]", "[deployment.prod]\ndefault = true")
    return default + UAT.format(hosts=hosts)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return load_text(tmp_path_factory.mktemp("config"), text_with())


def plan(config: Config, wish: Wish, made: Backup | None = None) -> RestorePlan:
    return plan_restore(config, made or backup(DOCKER, LOCAL, SOLR), wish, run=RUN)


# ---- configuration ----------------------------------------------------------------------------


def test_a_deployment_says_what_it_takes_and_what_makes_it_fit(config: Config) -> None:
    uat = config.elsewhere["uat"]
    assert uat.accepts == ("prod",)
    assert uat.scrub == ("/etc/zrep/hooks/urls", "/etc/zrep/hooks/mail")
    assert uat.scrub_time == 90
    assert str(uat.hosts["manager-1"]) == "10.1.0.11"
    assert config.deployment == "prod"


WRONG = {
    'manager-1 = "10.0.0.11"': "manager-1: 10.0.0.11 is manager-1 of prod",
    'other = "[FD00::1]:2222"': "other: [FD00::1]:2222 is solr-1 of prod",
    'a = "h", b = "H"': "b: H is a",
}


@pytest.mark.parametrize("hosts", WRONG)
def test_no_machine_plays_two_hosts(tmp_path: Path, hosts: str) -> None:
    expected = f"40: deployment.uat.hosts.{WRONG[hosts]}: each host needs a machine of its own"
    assert problems(tmp_path, text_with(hosts=hosts)) == [expected]


def test_the_target_can_be_no_host_of_another_deployment(tmp_path: Path) -> None:
    good = GOOD.replace("[target]\n", '[target]\nhost = "10.1.0.11"\n')
    (found,) = problems(tmp_path, text_with(good=good))
    assert "manager-1: 10.1.0.11 is the target" in found


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('["prod"]', '["uat"]', "41: deployment.uat.allow_restore_from[0]: names itself"),
        ('["prod"]', '["x"]', "41: deployment.uat.allow_restore_from[0]: 'x' is no deployment"),
        ('"/etc/zrep/hooks/mail"', '"mail"', "42: deployment.uat.scrub[1]: must be an absolute"),
        ('"90s"', "90", "43: deployment.uat.scrub_timeout: must have a unit"),
        ("scrub_timeout", "scrub_time", "43: deployment.uat.scrub_time: unknown key"),
    ],
)
def test_each_mistake_is_answered_with_its_line(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    (found,) = problems(tmp_path, text_with().replace(old, new))
    assert found.startswith(expected)


# ---- the view ---------------------------------------------------------------------------------


def test_nothing_of_the_view_knows_an_address_of_the_origin(config: Config) -> None:
    everything = pickle.dumps(config)
    seen = pickle.dumps(destination_of(config, "uat"))
    for address in ORIGIN:
        assert address.encode() in everything
        assert address.encode() not in seen
    site = Site(destination_of(config, "uat"))
    for host in ("manager-1", "cassandra-1", "solr-1"):
        assert site.config.hosts[host].host.startswith("10.1.")


def test_a_plain_restore_knows_no_other_deployment_either(config: Config) -> None:
    plain = destination_of(config, "prod")
    assert plain.origin == ""
    assert plain.elsewhere == {}
    assert plain.hosts == config.hosts


def test_only_what_allows_it_is_restored_into(tmp_path: Path) -> None:
    config = load_text(tmp_path, text_with().replace('["prod"]', "[]"))
    with pytest.raises(Refused, match="uat takes no data of prod") as refused:
        destination_of(config, "uat")
    assert 'allow_restore_from = ["prod"]' in refused.value.next_step
    with pytest.raises(UnknownName, match=r"no deployment 'x'.*prod, uat"):
        destination_of(config, "x")


def test_the_files_of_its_hosts_say_what_they_are(config: Config) -> None:
    uat = seen_from(config, "uat")
    conf = render_source_conf(uat, "cassandra-1")
    assert conf.splitlines()[1] == "deployment uat cassandra-1"
    assert conf.replace("deployment uat", "deployment prod") == render_source_conf(
        config, "cassandra-1"
    )
    machines = {m.name: str(m.address) for m in find_machines(uat) if m.roles.source}
    assert machines == {
        "cassandra-1": "10.1.0.21",
        "manager-1": "10.1.0.11",
        "solr-1": "10.1.0.31",
    }


def test_the_hosts_of_another_deployment_are_set_up_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ssh = "".join(f'{key}_key = "{tmp_path}/{key}"\n' for key in ("control", "read", "restore"))
    path = tmp_path / "zrep.toml"
    path.write_text(f"{text_with()}\n[ssh]\n{ssh}")
    for key in ("control", "read"):
        (tmp_path / f"{key}.pub").write_text(f"ssh-ed25519 AAAAC3Nzc {key}\n")
    words = ("capsule", "deploy", "--all", "--deployment", "uat", "--dry-run", "--json")
    assert run(["-c", str(path), *words]) == Exit.DONE
    machines = json.loads(capsys.readouterr().out)
    assert [m["names"] for m in machines] == [["cassandra-1"], ["manager-1"], ["solr-1"]]
    assert not any(address in json.dumps(machines) for address in ORIGIN)
    assert run(["-c", str(path), *words[:4], "test", "--dry-run"]) == Exit.USAGE
    assert "no deployment 'test'" in capsys.readouterr().err


# ---- what must match --------------------------------------------------------------------------


def refused(config: Config, hosts: str, wish: Wish, *keys: SourceKey) -> str:
    """Why; empty when it is planned."""
    made = backup(*keys)
    there = {name: replace(config.hosts["manager-1"], host=f"{name}.uat") for name in hosts.split()}
    elsewhere = {"uat": replace(config.elsewhere["uat"], hosts=there)}
    view = destination_of(replace(config, elsewhere=elsewhere), "uat")
    try:
        check_restore(plan(view, wish, made), view, made)
    except Refused as error:
        return error.why
    return ""


def ring(*numbers: int) -> tuple[SourceKey, ...]:
    return tuple(SourceKey(f"cassandra-{n}", "local") for n in numbers)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Four members in prod."""
    hosts = ", ".join(f'cassandra-{n} = "10.0.0.2{n}"' for n in range(1, 5))
    names = ", ".join(f'"cassandra-{n}"' for n in range(1, 5))
    good = GOOD.replace('cassandra-1 = "10.0.0.21"', hosts).replace('"cassandra-1"', names)
    return load_text(tmp_path_factory.mktemp("config"), text_with(good=good))


FOUR = "manager-1 cassandra-1 cassandra-2 cassandra-3 cassandra-4"
THREE = FOUR.removesuffix(" cassandra-4")


def test_what_matches_is_planned(wide: Config) -> None:
    assert refused(wide, FOUR, Wish(), DOCKER, *ring(1, 2, 3, 4)) == ""


def test_a_host_that_is_missing_there_is_named_with_what_belongs_to_it(wide: Config) -> None:
    why = refused(wide, "cassandra-1", Wish(), DOCKER, LOCAL)
    assert why == "it has no manager-1, to which manager-1/docker belongs"


def test_four_members_do_not_fit_into_three(wide: Config) -> None:
    why = refused(wide, THREE, Wish(), DOCKER, *ring(1, 2, 3, 4))
    assert "it has no cassandra-4, to which cassandra-4/local belongs" in why
    assert "of 4 (cassandra-1, cassandra-2, cassandra-3, cassandra-4) in the backup" in why
    assert "of 3 (cassandra-1, cassandra-2, cassandra-3) there" in why


def test_leaving_one_out_does_not_make_them_fit(wide: Config) -> None:
    wish = Wish(sources=ring(1, 2, 3))
    assert "a cluster needs as many" in refused(wide, THREE, wish, *ring(1, 2, 3, 4))


def test_three_members_do_not_make_four(wide: Config) -> None:
    assert "a cluster needs as many" in refused(wide, FOUR, Wish(), DOCKER, *ring(1, 2, 3))
    more = f"{THREE} cassandra-4 cassandra-5"
    assert "of 5" in refused(wide, more, Wish(), DOCKER, *ring(1, 2, 3, 4))


def test_a_selection_needs_only_its_own_hosts(wide: Config) -> None:
    assert refused(wide, THREE, Wish(sources=(DOCKER,)), DOCKER, *ring(1, 2, 3, 4)) == ""
    assert refused(wide, THREE, Wish(sources=ring(2)), DOCKER, *ring(1, 2, 3, 4)) != ""
    beside = Wish(paths=(Location(key=LOCAL, parts=("etc",)),))
    assert refused(wide, THREE, beside, DOCKER, *ring(1, 2, 3, 4)) == ""


def test_more_managers_than_sources_are_no_cluster(wide: Config) -> None:
    assert refused(wide, "manager-1 manager-2 manager-3", Wish(), DOCKER) == ""


# ---- the plan ---------------------------------------------------------------------------------


def test_scrubbing_comes_when_all_is_proven_and_before_anything_starts(config: Config) -> None:
    view = destination_of(config, "uat")
    for wish in (Wish(), Wish(sources=(DOCKER,)), Wish(mode=Mode.OVERWRITE)):
        made = plan(view, wish)
        kinds = [step.kind for step in made.steps]
        first, last = kinds.index(Kind.SCRUB), len(kinds) - kinds[::-1].index(Kind.SCRUB)
        assert Kind.SCRUB not in kinds[last:]
        assert set(kinds[last:]) <= set(STARTING)
        assert not {*kinds[:first]} & {*STARTING}
        assert [s.subject for s in made.of(Kind.SCRUB)] == list(view.scrub)
        check_restore(made, view, backup(DOCKER, LOCAL, SOLR))
    assert plan(config, Wish()).of(Kind.SCRUB) == ()


def tampered(made: RestorePlan) -> dict[str, RestorePlan]:
    scrubs, steps = made.of(Kind.SCRUB), made.steps
    rest = tuple(step for step in steps if step.kind is not Kind.SCRUB)
    return {
        "not scrubbed": replace(made, steps=rest),
        "one left out": replace(made, steps=tuple(s for s in steps if s is not scrubs[1])),
        "scrubbed first": replace(made, steps=(*scrubs, *rest)),
        "scrubbed last": replace(made, steps=(*rest, *scrubs)),
        "for another": replace(made, deployment="prod"),
        "of nobody": replace(made, origin=""),
        "a stranger": replace(made, hosts=(*made.hosts, "manager-9")),
    }


@pytest.mark.parametrize(
    "fault",
    [
        *("not scrubbed", "one left out", "scrubbed first", "scrubbed last"),
        *("for another", "of nobody", "a stranger"),
    ],
)
def test_a_second_look_sees_what_was_tampered_with(config: Config, fault: str) -> None:
    view = destination_of(config, "uat")
    made = plan(view, Wish())
    with pytest.raises(InvariantBroken):
        check_restore(tampered(made)[fault], view, backup(DOCKER, LOCAL, SOLR))


def test_resuming_scrubs_until_it_was_done_and_never_under_what_runs(config: Config) -> None:
    made = plan(destination_of(config, "uat"), Wish())
    kinds = [s.kind for s in remaining(made, verified=True)]
    assert Kind.WRITE not in kinds
    assert kinds.index(Kind.SCRUB) < kinds.index(Kind.UNHALT)
    done = [s.kind for s in remaining(made, verified=True, scrubbed=True)]
    assert {*done} == {Kind.CLOSE, Kind.UNHALT}


# ---- the hosts have the last word -------------------------------------------------------------


def look(deployment: str, name: str, origin: str, *sources: str) -> HostLook:
    found = {
        s: Destination(source=s, path="/", left=9999, problem=None, origin=origin) for s in sources
    }
    return HostLook(
        docker="up", manager=True, halted="", destinations=found, deployment=deployment, name=name
    )


def complaints(config: Config, deployment: str, name: str, origin: str) -> Sequence[str]:
    made = plan(config, Wish(sources=(DOCKER,)))
    one = replace(made, hosts=("manager-1",))
    return list(not_ready(one, {"manager-1": look(deployment, name, origin, "docker")}))


def test_hosts_that_are_what_they_should_be_are_ready(config: Config) -> None:
    assert complaints(destination_of(config, "uat"), "uat", "manager-1", "prod") == []
    assert complaints(config, "prod", "manager-1", "") == []
    assert complaints(config, "", "", "") == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (("prod", "manager-1", "prod"), "that machine says it is manager-1 of prod"),
        (("uat", "cassandra-1", "prod"), "that machine says it is cassandra-1 of uat"),
        (("", "", "prod"), "that machine says it is of no deployment"),
        (("uat", "manager-1", ""), "armed for data of its own deployment, not of prod"),
        (("uat", "manager-1", "test"), "armed for data of test, not of prod"),
    ],
)
def test_whatever_leads_elsewhere_is_refused(
    config: Config, said: tuple[str, str, str], expected: str
) -> None:
    (found,) = complaints(destination_of(config, "uat"), *said)
    assert expected in found


def test_a_host_armed_for_foreign_data_takes_none_of_its_own(config: Config) -> None:
    (found,) = complaints(config, "prod", "manager-1", "test")
    assert "armed for data of test, not of its own" in found


# ---- scrubbing --------------------------------------------------------------------------------

HOOK = """#!/bin/sh
cat >{folder}/told
echo "$ZREP_RESTORE $ZREP_BACKUP $ZREP_FROM $ZREP_TO" >{folder}/env
echo scrubbed
{end}
"""


def hooked(config: Config, folder: Path, *, end: str = "exit 0") -> Config:
    program = folder / "urls"
    program.write_text(HOOK.format(folder=folder, end=end))
    program.chmod(0o755)
    view = destination_of(config, "uat")
    return replace(view, scrub=(str(program),))


def test_a_program_that_is_not_there_is_refused_before_anything(
    config: Config, tmp_path: Path
) -> None:
    view = hooked(config, tmp_path)
    (tmp_path / "urls").chmod(0o644)
    with pytest.raises(Refused, match="urls is no program"):
        check_programs(plan(view, Wish()))


def test_foreign_data_that_nobody_scrubs_is_warned_of(config: Config) -> None:
    view = destination_of(config, "uat")
    assert list(unscrubbed(plan(view, Wish()))) == []
    (warning,) = unscrubbed(plan(replace(view, scrub=()), Wish()))
    assert "uat will have the URLs" in warning
    assert list(unscrubbed(plan(config, Wish()))) == []


# ---- what is said and recorded ----------------------------------------------------------------


def test_the_plan_and_its_json_say_from_where_to_where(config: Config) -> None:
    made = plan(destination_of(config, "uat"), Wish())
    assert "of prod into uat" in render_plan(made)
    assert (plan_json(made)["from"], plan_json(made)["to"]) == ("prod", "uat")
    plain = plan_json(plan(config, Wish()))
    assert (plain["from"], plain["to"]) == ("prod", "prod")


def test_the_script_speaks_to_its_hosts_alone_and_scrubs(config: Config) -> None:
    view = destination_of(config, "uat")
    made = backup(DOCKER, LOCAL, SOLR)
    text = render_script(plan(view, Wish(), made), made, view)
    assert not any(address in text for address in ORIGIN)
    assert "root@10.1.0.11:/docker" in text
    assert text.index("should have printed") < text.index("/etc/zrep/hooks/urls")
    assert text.index("/etc/zrep/hooks/mail") < text.index("systemctl start")


def test_a_recorded_restore_goes_on_where_it_went(config: Config, tmp_path: Path) -> None:
    config = replace(config, keeping=Housekeeping(state_dir=str(tmp_path)))
    record = Record(id=RUN, backup="x", origin="prod", deployment="uat", replica="offsite")
    Records(tmp_path).write(record)
    assert Records(tmp_path).read(RUN) == record
    assert recorded(config, None, unfinished=True).deployment == "uat"
    words = record_json(record)
    assert (words["from"], words["to"], words["replica"]) == ("prod", "uat", "offsite")
    assert "everything of prod into uat by way of offsite" in render_records([record])
    done = replace(record, state=Progressed.DONE)
    Records(tmp_path).write(done)
    assert recorded(config, RUN, unfinished=False).hosts == config.elsewhere["uat"].hosts
    with pytest.raises(Refused, match="is done"):
        recorded(config, RUN, unfinished=True)


def test_a_record_of_another_platform_is_not_resumed(config: Config, tmp_path: Path) -> None:
    config = replace(config, keeping=Housekeeping(state_dir=str(tmp_path)))
    Records(tmp_path).write(Record(id=RUN, backup="x", deployment="other"))
    with pytest.raises(Refused, match="is of deployment other"):
        recorded(config, RUN, unfinished=True)
