"""What OpenSSH's own complaints mean: its wordings -> our errors, in one table. Pure.

ssh ends with status 255 when it is ssh itself that failed (a remote program may use 255 too, so
text that no row knows stays untranslated).
"""

from __future__ import annotations

import re

from zrep.errors import AccessRefused, HostKeyRejected, Unreachable, ZrepError
from zrep.frozen import dataclass
from zrep.host.known_hosts import HostKey, KnownKeys
from zrep.host.ssh_argv import SshEndpoint

SSH_FAILED = 255

NEXT_NETWORK = "check the address and port in the configuration, and that sshd runs there"
NEXT_RESOLVE = "check the name in the configuration, and DNS"
NEXT_SESSION = "check the options of our key in authorized_keys there, and MaxSessions of its sshd"
NEXT_ALGORITHM = "update OpenSSH on the older of the two hosts"
NEXT_LOGIN = "put our public key into the authorized_keys of that user, for this address"
NEXT_KEY_FILE = "check that the key file exists, is private (mode 0600), and has no passphrase"
NEXT_UNKNOWN = "get the host's key over a channel you trust and add it to known_hosts"
NEXT_CHANGED = (
    "if the host was reinstalled, compare fingerprints on its console and replace the line in "
    "known_hosts; if not, somebody may be between you and it"
)


@dataclass(frozen=True, slots=True)
class _Row:
    pattern: re.Pattern[str]
    error: type[Unreachable]
    what: str
    next_step: str


def _row(pattern: str, error: type[Unreachable], what: str, next_step: str) -> _Row:
    return _Row(re.compile(pattern, re.MULTILINE), error, what, next_step)


# First match wins: the causes that ssh reports before its own last words come first.
_TABLE = (
    _row(
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|^Host key for .* has changed|^key .* mismatch",
        HostKeyRejected,
        "host key has changed",
        NEXT_CHANGED,
    ),
    _row(r"REVOKED HOST KEY|is revoked", HostKeyRejected, "host key is revoked", NEXT_CHANGED),
    _row(
        r"^No .* host key is known for|^Host key verification failed",
        HostKeyRejected,
        "host key is not known",
        NEXT_UNKNOWN,
    ),
    _row(
        r"^Unable to negotiate with|no matching .* found",
        Unreachable,
        "no common ssh algorithm",
        NEXT_ALGORITHM,
    ),
    _row(
        r"Could not resolve hostname",
        Unreachable,
        "host name cannot be resolved",
        NEXT_RESOLVE,
    ),
    _row(
        r"^ssh: connect to host .* port \d+: .*|^ssh: connect to address",
        Unreachable,
        "no connection",
        NEXT_NETWORK,
    ),
    _row(
        r"UNPROTECTED PRIVATE KEY FILE|^Load key .*|^Warning: Identity file .* not accessible",
        AccessRefused,
        "our key cannot be used",
        NEXT_KEY_FILE,
    ),
    _row(
        r"Permission denied \([a-z0-9,-]+\)|Too many authentication failures",
        AccessRefused,
        "login refused",
        NEXT_LOGIN,
    ),
    _row(
        r"^(exec|shell|subsystem) request failed on channel|^channel \d+: open failed: ",
        AccessRefused,
        "command refused",
        NEXT_SESSION,
    ),
    _row(
        r"banner exchange|^kex_exchange_identification|^ssh_exchange_identification"
        r"|^banner line contains invalid",
        Unreachable,
        "no ssh greeting",
        NEXT_NETWORK,
    ),
    _row(
        r"^Timeout, server .* not responding|^Connection (to|reset|closed|timed)\b.*"
        r"|^client_loop: |^packet_write_wait: |^Read from remote host|^Write failed:"
        r"|^ssh_dispatch_run_fatal: |^(Received disconnect|Disconnected) from ",
        Unreachable,
        "connection lost",
        "check the network between the hosts; the next run takes up where this one ended",
    ),
)
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


def explain_ssh_failure(stderr: str, *, where: str = "") -> ZrepError | None:
    """The error behind the stderr of an ssh that ended with 255; None when it is not ssh's own."""
    for row in _TABLE:
        match = row.pattern.search(stderr)
        if match:
            why = _reason(stderr, match)
            return row.error(row.what, where=where, why=why, next_step=row.next_step)
    return None


def _reason(stderr: str, match: re.Match[str]) -> str:
    """The matching line, with the fingerprint ssh printed elsewhere in its banner of @ signs."""
    start = stderr.rfind("\n", 0, match.start()) + 1
    line = stderr[start:].partition("\n")[0].strip(" @\r")
    print_ = _FINGERPRINT.search(stderr)
    return f"{line} (the host offers {print_[0]})" if print_ and print_[0] not in line else line


def host_key_rejected(
    where: str, endpoint: SshEndpoint, *, offered: HostKey, known: KnownKeys
) -> HostKeyRejected:
    """The same verdict for a connection of our own, which has both keys at hand."""
    if offered in known.revoked:
        what, why, then = "host key is revoked", f"the host offers {offered}", NEXT_CHANGED
    elif known.trusted:
        expected = ", ".join(map(str, known.trusted))
        what, then = "host key has changed", NEXT_CHANGED
        why = f"the host offers {offered}, {endpoint.known_hosts} expects {expected}"
    else:
        what, then = "host key is not known", NEXT_UNKNOWN
        why = f"the host offers {offered}, {endpoint.known_hosts} has no key of {endpoint.known_as}"
    return HostKeyRejected(what, where=where, why=why, next_step=then)
