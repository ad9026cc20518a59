"""The audit's trials and its judgement: only a refusal by our gate, or by sshd, is one."""

from __future__ import annotations

import pytest

from tests.unit.rows import of_each
from zrep.capsule.audit import (
    Finding,
    KeyName,
    Outcome,
    Sign,
    Trial,
    control_trials,
    judge,
    read_trials,
)
from zrep.engine.audit import trial_argv
from zrep.host.ssh_argv import SshEndpoint

GATE = "zrep: this key may only say: probe"
NOTHING = "@RSYNCD: 31.0\n@ERROR: zrep: no snapshot is prepared on this host\n"


def finding(sign: Sign, status: int, stdout: str = "", stderr: str = "", ssh: str = "") -> Finding:
    trial = Trial(name="x", key=KeyName.CONTROL, sign=sign, request="x")
    outcome = Outcome(status=status, stdout=stdout, stderr=stderr, ssh_failure=ssh)
    return judge(trial, outcome)[0]


@of_each(
    [
        (Sign.GATE, 126, "", GATE),
        (Sign.GATE, 126, "", "zrep gate: refused for role target: no"),
        (Sign.SILENT_GATE, 126, "", ""),
        (Sign.DAEMON, 1, NOTHING, ""),
        (Sign.DAEMON, 0, "@RSYNCD: 32.0 sha512\n", ""),
        (Sign.NOT_PREPARED, 1, NOTHING, ""),
        (Sign.PTY, 0, "", "PTY allocation request failed on channel 0"),
        (Sign.FORWARD, 255, "", "channel 0: open failed: administratively prohibited: open failed"),
        (Sign.FORWARD, 255, "", "Error: remote port forwarding failed for listen port 0"),
    ]
)
def test_a_refusal_is_recognised(row: tuple[Sign, int, str, str]) -> None:
    sign, status, stdout, stderr = row
    assert finding(sign, status, stdout, stderr) is Finding.REFUSED


@of_each(
    [
        (Sign.GATE, 0, "", ""),
        (Sign.GATE, 0, "uid=0(root)", GATE),
        (Sign.GATE, 126, "uid=0(root)", GATE),
        (Sign.GATE, 127, "", "sh: id: not found"),
        (Sign.GATE, 126, "", "sh: /tmp: Permission denied"),
        (Sign.SILENT_GATE, 0, "\0\0\0\5", ""),
        (Sign.DAEMON, 0, "", ""),
        (Sign.DAEMON, 1, f"{NOTHING}root:x:0:0\n", ""),
        (Sign.NOT_PREPARED, 1, "secret", ""),
        (Sign.PTY, 0, "", ""),
        (Sign.FORWARD, 255, "", "channel 0: open failed: connect failed: Connection refused"),
        (Sign.FORWARD, 0, "SSH-2.0-OpenSSH", ""),
    ]
)
def test_anything_else_counts_as_allowed(row: tuple[Sign, int, str, str]) -> None:
    sign, status, stdout, stderr = row
    assert finding(sign, status, stdout, stderr) is Finding.ALLOWED


@pytest.mark.parametrize("sign", Sign)
def test_a_host_that_is_not_reached_proves_nothing(sign: Sign) -> None:
    assert finding(sign, 255, ssh="no connection") is Finding.UNPROVEN


def test_while_a_backup_runs_it_is_not_proven_that_nothing_can_be_read() -> None:
    assert finding(Sign.NOT_PREPARED, 0, "@RSYNCD: 32.0\n") is Finding.UNPROVEN


def test_there_are_two_hundred_hostile_requests_and_each_is_made_once() -> None:
    requests = [t.request for t in control_trials() if t.sign is Sign.GATE]
    assert len(requests) >= 200
    assert len(set(requests)) == len(requests)
    names = [(t.key, t.name) for t in (*control_trials(), *read_trials())]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("word", ["rpool", "tank", "/etc/shadow"])
def test_no_trial_would_hurt_or_tell_if_it_were_let_through(word: str) -> None:
    assert not [t for t in (*control_trials(), *read_trials()) if word in (t.request or "")]


def test_a_request_goes_out_unquoted_and_with_no_other_key() -> None:
    endpoint = SshEndpoint(address="h", user="zrep", key_file="/k", known_hosts="/n")
    trial = Trial(name="x", key=KeyName.READ, sign=Sign.PTY, request="a;b", options=("-tt",))
    argv = trial_argv(endpoint, trial)
    assert argv[-4:] == ("-tt", "zrep@h", "--", "a;b")
    assert "IdentitiesOnly=yes" in argv
    shell = Trial(name="x", key=KeyName.READ, sign=Sign.DAEMON)
    assert trial_argv(endpoint, shell)[-1] == "zrep@h"
