"""The gate with this host's own idea of a pull: what it expects is what it would run itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zrep.capsule import gate_main
from zrep.capsule.gate_policy import Allowed, Role

if TYPE_CHECKING:
    from zrep.capsule.gate_login import PullLogin, PullRule
    from zrep.capsule.gate_pull import PullOptions


def answer(role: str) -> int:
    """Judge and run the request that sshd or sudo handed over; returns its exit status."""
    return gate_main.main(
        role,
        pull_argv=expected_pull,
        receiver=confined_pull,
        policy_file=gate_main.OPERATOR_POLICY if role == Role.OPERATOR else gate_main.POLICY,
    )


def expected_pull(
    rule: PullRule, login: PullLogin, *, run: str, destination: str, options: PullOptions
) -> tuple[str, ...]:
    """Implements zrep.capsule.gate_pull.PullArgv; only a pull needs what that takes to say."""
    from zrep.engine.pull import rsync_argv
    from zrep.host.ssh_argv import SshEndpoint
    from zrep.source.rsync import module_name

    endpoint = SshEndpoint(
        address=rule.address,
        port=rule.port,
        user=login.user,
        key_file=login.key_file,
        known_hosts=login.known_hosts,
    )
    return rsync_argv(endpoint, module_name(rule.key.module, run), destination, options)


def confined_pull(allowed: Allowed) -> tuple[str, ...]:
    """Implements zrep.capsule.gate_main.Receiver: the last word of a pull is where it writes."""
    from zrep.host.confine import confined

    return confined(allowed.argv, writes=allowed.argv[-1], reads=allowed.reads)
