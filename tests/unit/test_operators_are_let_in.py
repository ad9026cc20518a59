"""What is rendered for operators is as narrow as it can be, and disturbs nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.rows import of_each
from tests.unit.test_capsule_render import CONTROL, READ, ROLES, config
from zrep.capsule.gate_main import OPERATOR_POLICY, VARIABLE
from zrep.capsule.gate_policy import Role, parse_policy
from zrep.capsule.install import load_hooks
from zrep.capsule.operators import (
    GATE_TOML,
    parse_operators,
    render_operator_gate,
    render_operator_sudoers,
    render_operators,
)
from zrep.capsule.render import render_host
from zrep.cli.main import run
from zrep.errors import Exit
from zrep.host import sudo

CONFIG = """\
[target]
dataset = "backup/current"
policy = "production"

[deployment.lab]
hosts = { manager-1 = "10.0.0.1" }

[set.platform.source.etc]
host = "manager-1"
method = "dir"
path = "/etc"
"""


def test_the_rules_let_one_program_be_started_without_arguments() -> None:
    program = "/usr/libexec/zrep/zrep-gate-operator"
    assert render_operator_sudoers(("alice", "%backup")).splitlines()[1:] == [
        f"Defaults!{program} !use_pty",
        f'Defaults!{program} env_keep += "SSH_ORIGINAL_COMMAND"',
        f'alice, %backup ALL=(root) NOPASSWD: {program} ""',
    ]


@of_each(
    [
        "",
        "%",
        "ALL",
        "Alice",
        "ZREP_ALL",
        "#0",
        "%#0",
        "+netgroup",
        "!alice",
        "alice bob",
        "alice,bob",
        "alice\n",
        "alice\nbob ALL=(ALL) NOPASSWD: ALL",
        "alice ALL=(ALL) ALL",
        "%:group",
        "-alice",
        ".alice",
        "al\\ice",
        'al"ice',
        "alice*",
        "älice",
        "1alice",
        "a" * 33,
        "alice@example.org",
    ]
)
def test_what_is_no_plain_name_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="neither a login nor a"):
        parse_operators(("bob", word))


def test_each_is_named_once_and_somebody_is() -> None:
    assert parse_operators(("alice", "%backup", "alice")) == ("alice", "%backup")
    with pytest.raises(ValueError, match="no operator"):
        parse_operators(())


def test_the_gate_reads_what_is_rendered_for_it() -> None:
    policy = parse_policy(render_operator_gate(config()), Role.OPERATOR)
    assert (str(policy.dataset), str(policy.sessions)) == ("backup/current", "backup/sessions")


@pytest.mark.parametrize("name", ROLES)
def test_no_file_of_a_host_is_touched(name: str) -> None:
    hooks = load_hooks()
    mine = {f.path: f for f in render_operators(config(), ("alice",), hooks)}
    host = render_host(config(), ROLES[name], hooks, control=CONTROL, read=READ)
    assert not mine.keys() & {f.path for f in host}
    assert {p: f.mode for p, f in mine.items()} == {
        "/usr/libexec/zrep/zrep-gate-operator": 0o755,
        "/etc/zrep/gate-operator.toml": 0o644,
        "/etc/sudoers.d/zrep-operators": 0o440,
    }


def test_who_asks_and_who_answers_mean_the_same() -> None:
    paths = [f.path for f in render_operators(config(), ("alice",), load_hooks())]
    assert sudo.GATE in paths
    assert OPERATOR_POLICY == GATE_TOML
    assert sudo.VARIABLE == VARIABLE


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "zrep.toml"
    path.write_text(CONFIG)
    return path


def test_the_folder_holds_the_files_and_names_no_user(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    args = ["-c", str(file), "capsule", "operators", "alice", "%backup", "--out", str(out)]
    assert run(args) == Exit.DONE
    assert f"{out}/install-source {out}" in capsys.readouterr().out
    lines = (out / "manifest").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["file"] * 3
    rules = (out / "root/etc/sudoers.d/zrep-operators").read_text()
    assert rules == render_operator_sudoers(("alice", "%backup"))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["alice", "ALL"], "neither a login nor a %group: 'ALL'"),
        ([], "Missing argument"),
    ],
)
def test_whom_it_cannot_name_it_writes_nothing_for(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], reason: str
) -> None:
    out = tmp_path / "out"
    assert run(["-c", str(file), "capsule", "operators", *words, "--out", str(out)]) == Exit.USAGE
    assert reason in capsys.readouterr().err
    assert not out.exists()


def test_on_a_director_there_is_nothing_to_let_anybody_into(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(CONFIG.replace("[target]", '[target]\nhost = "10.0.0.9"'))
    out = tmp_path / "out"
    assert run(["-c", str(file), "capsule", "operators", "alice", "--out", str(out)]) == Exit.USAGE
    assert "another machine" in capsys.readouterr().err
    assert not out.exists()
