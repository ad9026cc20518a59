"""The OpenSSH client is called with our key, our known_hosts and nothing of the user's own."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from tests.unit.rows import of_each
from zrep.host.ssh_argv import SshEndpoint, remote_command, rsync_shell, ssh_argv

FAR = SshEndpoint(
    address="10.0.0.11",
    user="operator",
    key_file="/etc/zrep/keys/control",
    known_hosts="/etc/zrep/known_hosts",
    port=2222,
    connect_timeout=10,
    gated=True,
)
OPTIONS = (
    "-F none -T -a -x -i /etc/zrep/keys/control -o IdentitiesOnly=yes "
    "-o UserKnownHostsFile=/etc/zrep/known_hosts -o GlobalKnownHostsFile=/dev/null "
    "-o StrictHostKeyChecking=yes -o BatchMode=yes -o ServerAliveInterval=15 "
    "-o ServerAliveCountMax=8 -o ConnectTimeout=10 -p 2222"
)


def test_the_whole_command_line() -> None:
    argv = ssh_argv(FAR, ("zfs", "list", "a b"))
    assert argv[:-1] == ("ssh", *OPTIONS.split(), "operator@10.0.0.11", "--")
    assert argv[-1] == "zfs list 'a b'"


def test_rsync_gets_the_same_options_and_the_login_name() -> None:
    assert rsync_shell(FAR) == f"ssh {OPTIONS} -l operator"


def test_words_are_quoted_once() -> None:
    words = ("echo", "", "it's", "$HOME", "a\nb", "*")
    assert shlex.split(remote_command(FAR, words)) == list(words)


def test_a_host_without_a_gate_gets_our_environment() -> None:
    assert remote_command(replace(FAR, gated=False), ("zfs", "list")) == (
        "env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "
        "LC_ALL=C.UTF-8 zfs list"
    )


@pytest.mark.parametrize(("port", "name"), [(22, "10.0.0.11"), (2222, "[10.0.0.11]:2222")])
def test_the_name_in_known_hosts_has_the_port_unless_it_is_22(port: int, name: str) -> None:
    assert replace(FAR, port=port).known_as == name


@of_each(
    [
        {"address": "-oProxyCommand=id"},
        {"address": ""},
        {"address": "a b"},
        {"user": "-l"},
        {"user": "root;id"},
        {"key_file": "keys/control"},
        {"key_file": "/etc/zrep/my key"},
        {"known_hosts": "/etc/%h/known_hosts"},
        {"known_hosts": "/etc/${HOME}/known_hosts"},
    ]
)
def test_values_that_ssh_would_take_for_something_else_are_refused(change: dict[str, str]) -> None:
    fields = {name: getattr(FAR, name) for name in ("address", "user", "key_file", "known_hosts")}
    with pytest.raises(ValueError):
        SshEndpoint(**(fields | change))
