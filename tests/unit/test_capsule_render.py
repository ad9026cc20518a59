"""What is rendered for other hosts is complete, constant, and as narrow as it can be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.rows import of_each
from zrep.capsule.gate_login import PullRule
from zrep.capsule.gate_policy import Role, parse_policy
from zrep.capsule.install import load_hooks, write_tree
from zrep.capsule.render import (
    CAPSULES,
    PublicKey,
    Roles,
    capsule_digest,
    render_authorized_keys,
    render_host,
    render_replica_gate,
    render_source_conf,
    render_sudoers,
    render_target_gate,
)
from zrep.errors import ConfigError
from zrep.model.key import SourceKey
from zrep.model.names import DatasetName
from zrep.model.policy import Policy
from zrep.model.session import replica_sessions
from zrep.model.source import (
    Address,
    BackupSet,
    Config,
    Method,
    Quiesce,
    Replica,
    Service,
    Source,
    Target,
)

CONTROL = PublicKey(line="ssh-ed25519 AAAAC3Nza control", allowed_from="10.0.0.2")
READ = PublicKey(line="ssh-ed25519 AAAAC3Nzb read")
ROLES = {
    "source": Roles(source="manager-1"),
    "target": Roles(target=True),
    "replica": Roles(replica="offsite"),
    "source and target": Roles(source="manager-1", target=True),
}


def config(*sources: Source, hosts: tuple[str, ...] = ("manager-1", "cassandra-1")) -> Config:
    policy = Policy(name="p", keep={})
    return Config(
        target=Target(dataset=DatasetName("backup/current"), policy=policy),
        hosts={name: Address(host=f"10.0.0.{n}", port=22) for n, name in enumerate(hosts, 11)},
        sets={"platform": BackupSet(name="platform", sources=sources or SOURCES)},
        replicas={"offsite": Replica(name="offsite", dataset=DatasetName("tank/sbdi"))},
        services={},
    )


def source(path: str = "/srv/mail", volume: str = "vg/lv", size: str = "20%ORIGIN") -> Source:
    return Source(
        key=SourceKey("manager-1", "mail"),
        method=Method.LVM,
        path=path,
        volume=volume,
        size=size,
    )


SOURCES = (
    source(),
    Source(key=SourceKey("manager-1", "etc"), method=Method.DIR, path="/etc"),
    Source(
        key=SourceKey("cassandra-1", "local"), method=Method.DIR, path="/docker_local", mounted=True
    ),
)


def test_a_host_gets_the_lines_of_its_own_sources() -> None:
    lines = render_source_conf(config(), "manager-1").splitlines()
    assert lines[1:] == [
        "source platform etc dir - /etc",
        "source platform mail lvm vg/lv /srv/mail size=20%ORIGIN",
    ]
    assert render_source_conf(config(), "cassandra-1").splitlines()[1:] == [
        "source platform local dir - /docker_local mounted=yes"
    ]


def test_every_host_that_is_paused_is_told_how_long_and_when_it_ends_by_itself() -> None:
    made = config(hosts=("manager-1", "cassandra-1", "solr-1"))
    quiesce = Quiesce(docker=True, max_pause=20, hosts=("solr-1",))
    paused = replace(made, sets={"platform": replace(made.sets["platform"], quiesce=quiesce)})
    line = "quiesce platform docker 20 35"
    for host in ("manager-1", "cassandra-1"):
        assert render_source_conf(paused, host).splitlines()[1] == line
    assert render_source_conf(paused, "solr-1").splitlines()[1:] == [line]
    assert "quiesce" not in render_source_conf(made, "manager-1")


def test_every_host_knows_which_swarm_services_it_may_scale() -> None:
    service = Service(
        name="post", source=SourceKey("manager-1", "mail"), paths=("box",), swarm=("a_web", "a_db")
    )
    still = Service(name="still", source=SourceKey("manager-1", "mail"), paths=("x",))
    made = replace(config(), services={"post": service, "still": still})
    for host in ("manager-1", "cassandra-1"):
        lines = render_source_conf(made, host).splitlines()
        assert [x for x in lines if x.startswith("service ")] == [
            "service post manager-1/mail a_web a_db"
        ]
    bad = replace(made, services={"post": replace(service, swarm=("a b",))})
    with pytest.raises(ConfigError, match="service post: 'a b' is no name of a swarm service"):
        render_source_conf(bad, "manager-1")


def test_the_restore_key_says_one_thing_only() -> None:
    key = PublicKey(line="ssh-ed25519 AAAAC3Nzc restore")
    text = render_authorized_keys(ROLES["source"], control=CONTROL, read=READ, restore=key)
    assert text.splitlines()[2] == (
        f'restrict,command="sudo -n /usr/libexec/zrep/capsule-rsync-write" {key.line}'
    )
    for name in ("target", "replica"):
        text = render_authorized_keys(ROLES[name], control=CONTROL, read=READ, restore=key)
        assert "rsync-write" not in text
    assert "zrep-arm" not in render_sudoers(ROLES["source"], user="zrep")


def test_a_host_without_sources_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no source is on host solr-1"):
        render_source_conf(config(), "solr-1")


@of_each(
    [
        source(path="/srv/my mail"),
        source(path="srv"),
        source(path="/srv/../etc"),
        source(path="/srv/"),
        source(path="/srv/$x"),
        source(path="/srv\n/x"),
        source(volume="vg"),
        source(volume="vg/-lv"),
        source(volume="vg/lv/x"),
        source(size="0g"),
        source(size="20%"),
        source(size="-5g"),
    ],
    name=str,
)
def test_what_source_conf_cannot_say_is_an_error(bad: Source) -> None:
    with pytest.raises(ConfigError, match="manager-1/mail"):
        render_source_conf(config(bad), "manager-1")


def test_every_key_is_restricted_to_one_command() -> None:
    text = render_authorized_keys(ROLES["source"], control=CONTROL, read=READ)
    assert text.splitlines() == [
        'restrict,from="10.0.0.2",command="/usr/libexec/zrep/gate" ssh-ed25519 AAAAC3Nza control',
        f'restrict,command="sudo -n /usr/libexec/zrep/capsule-rsync-read" {READ.line}',
    ]
    text = render_authorized_keys(ROLES["replica"], control=CONTROL, read=READ)
    assert text == (
        'restrict,from="10.0.0.2",command="sudo -n /usr/libexec/zrep/zrep-gate-replica" '
        "ssh-ed25519 AAAAC3Nza control\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA\nssh-ed25519 BBBB",
        'command="sh" ssh-ed25519 AAAA',
        "ssh-ed25519 AAAA two words",
        'ssh-ed25519 AA"AA',
    ],
)
def test_what_is_not_one_public_key_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a public key"):
        PublicKey(line=line)


def test_a_quote_cannot_enter_the_from_list() -> None:
    with pytest.raises(ValueError, match="not a list of addresses"):
        PublicKey(line=CONTROL.line, allowed_from='10.0.0.2",command="sh')


def test_one_host_has_one_gate() -> None:
    with pytest.raises(ValueError, match="two gates"):
        Roles(target=True, replica="offsite")
    with pytest.raises(ValueError, match="without a role"):
        Roles()


@pytest.mark.parametrize("name", ROLES)
def test_sudoers_names_programs_without_arguments_and_nothing_else(name: str) -> None:
    text = render_sudoers(ROLES[name], user="zrep")
    rules = [x for x in text.splitlines() if "ALL=" in x]
    assert rules == ["zrep ALL=(root) NOPASSWD: ZREP_ALL"]
    for line in text.splitlines():
        if line.startswith("Cmnd_Alias"):
            for command in line.partition("= ")[2].split(", "):
                path, _, arguments = command.partition(" ")
                assert path.startswith("/usr/libexec/zrep/")
                assert arguments == '""'
    assert "*" not in text
    assert ("env_keep" in text) == (ROLES[name].gate is not None)


def test_the_targets_gate_reads_what_is_rendered_for_it() -> None:
    policy = parse_policy(render_target_gate(config()), Role.TARGET)
    assert str(policy.dataset) == "backup/current"
    assert str(policy.sessions) == "backup/sessions"
    assert policy.login is not None
    assert policy.login.key_file == config().ssh.read_key
    assert policy.pulls == (
        PullRule(key=SourceKey("cassandra-1", "local"), address="10.0.0.12", port=22),
        PullRule(key=SourceKey("manager-1", "etc"), address="10.0.0.11", port=22),
        PullRule(key=SourceKey("manager-1", "mail"), address="10.0.0.11", port=22),
    )


def test_the_replicas_gate_reads_what_is_rendered_for_it() -> None:
    replica = Replica(name="offsite", dataset=DatasetName("tank/sbdi"))
    policy = parse_policy(render_replica_gate(replica), Role.REPLICA)
    assert str(policy.dataset) == "tank/sbdi"
    assert policy.sessions == replica_sessions(DatasetName("tank/sbdi"))
    assert policy.pulls == ()
    assert not policy.send_back
    open_one = render_replica_gate(replace(replica, send_back=True))
    assert parse_policy(open_one, Role.REPLICA).send_back


def test_a_host_is_told_which_host_of_which_deployment_it_is() -> None:
    made = replace(config(), deployment="uat")
    for host in ("manager-1", "cassandra-1"):
        assert render_source_conf(made, host).splitlines()[1] == f"deployment uat {host}"


@pytest.mark.parametrize("name", ROLES)
def test_every_installed_file_has_a_fixed_mode_and_place(name: str) -> None:
    files = render_host(config(), ROLES[name], load_hooks(), control=CONTROL, read=READ)
    assert len({f.path for f in files}) == len(files)
    for file in files:
        assert file.mode in (0o755, 0o644, 0o440)
        assert (file.mode == 0o755) == file.text.startswith("#!/bin/sh\n")


def test_the_digest_changes_with_every_capsule() -> None:
    hooks = dict(load_hooks())
    digests = {capsule_digest({**hooks, name: "changed"}) for name in CAPSULES}
    assert len(digests | {capsule_digest(hooks)}) == len(CAPSULES) + 1


def test_the_tree_holds_what_the_manifest_names(tmp_path: Path) -> None:
    hooks = load_hooks()
    files = render_host(config(), ROLES["source"], hooks, control=CONTROL, read=READ)
    write_tree(files, tmp_path, hooks, user="zrep")
    lines = [line.split() for line in (tmp_path / "manifest").read_text().splitlines()]
    assert lines[0] == ["user", "zrep"]
    assert {path for _, _, path in lines[1:]} == {f.path for f in files}
    for file in files:
        assert (tmp_path / f"root{file.path}").read_text() == file.text
