"""What sudo and the operators' gate say, and what of it never ran."""

from __future__ import annotations

import os
import shlex

import pytest

from zrep.capsule.gate_main import split_request
from zrep.errors import CommandFailed, Exit, exit_of
from zrep.host.port import Completed
from zrep.host.sudo import GATE, VARIABLE, SudoHost, explain_refusal, goes_through_sudo

LIST = ("zfs", "list", "-H", "backup/current")


def done(status: int, stderr: str, stdout: str = "") -> Completed:
    return Completed(argv=LIST, returncode=status, stdout=stdout, stderr=stderr)


NO_RIGHT = "sudo does not let you ask"
REFUSED = [
    (1, "sudo: a password is required\n", NO_RIGHT),
    (1, f"Sorry, user bob is not allowed to execute '{GATE}' as root on backup.\n", NO_RIGHT),
    (1, "sudo: I'm sorry bob. I'm afraid I can't do that\n", NO_RIGHT),
    (1, "sudo: interactive authentication is required\n", NO_RIGHT),
    (1, "sudo: you do not exist in the passwd database\n", NO_RIGHT),
    (1, "sudo: unable to resolve host b: Unknown\nsudo: a password is required\n", NO_RIGHT),
    (126, "zrep gate: refused for role operator: zfs set is not for this role\n", "zfs list run"),
    (78, "zrep gate: /etc/zrep/gate-operator.toml: [operator]: no such table\n", "its policy"),
]
RAN = [
    (0, ""),
    (0, "sudo: unable to resolve host b: Name or service not known\n"),
    (1, "cannot open 'backup/x': dataset does not exist\n"),
    (1, "sudo: unable to resolve host b\ncannot open 'backup/x': dataset does not exist\n"),
    (1, ""),
    (2, "sudo: a word of zfs\n"),
    (126, "zfs: cannot be started\n"),
    (127, "zrep gate: zfs: No such file or directory\n"),
]


@pytest.mark.parametrize(("status", "stderr", "what"), REFUSED)
def test_what_never_ran_was_refused(status: int, stderr: str, what: str) -> None:
    error = explain_refusal(LIST, done(status, stderr), where="localhost")
    assert error is not None
    assert exit_of(error) == Exit.UNREACHABLE
    assert what in error.what
    assert error.why == stderr.splitlines()[-1]
    assert error.next_step


@pytest.mark.parametrize(("status", "stderr"), RAN)
def test_what_ran_is_not_taken_for_refused(status: int, stderr: str) -> None:
    assert explain_refusal(LIST, done(status, stderr), where="localhost") is None


def test_the_next_step_after_a_refusal_is_root() -> None:
    error = explain_refusal(LIST, done(126, REFUSED[6][1]), where="localhost")
    assert error is not None
    assert error.next_step.startswith("this needs root")


def test_the_request_is_one_word_of_the_environment_and_sudo_gets_no_argument() -> None:
    words = ("zfs", "set", "io.zrep:x=a b'c\"d$e", "p")
    env, request, *rest = SudoHost().bulk_argv(words)
    assert (env, rest) == ("env", ["sudo", "-n", GATE])
    assert request == f"{VARIABLE}={shlex.join(words)}"
    assert split_request(request.removeprefix(f"{VARIABLE}=")) == words


def test_what_no_environment_can_carry_is_refused_before_anything_runs() -> None:
    with pytest.raises(ValueError, match="NUL"):
        SudoHost().run(("zfs", "a\0b"))
    with pytest.raises(CommandFailed, match="too long"):
        SudoHost().run(("zfs", "x" * (128 << 10)))


def test_root_and_a_machine_without_the_program_ask_nobody() -> None:
    assert goes_through_sudo() == (os.geteuid() != 0 and os.access(GATE, os.X_OK))
