"""The wordings of OpenSSH, as its versions print them, mean what we say they mean."""

from __future__ import annotations

import pytest

from tests.unit.rows import of_each
from zrep.errors import AccessRefused, HostKeyRejected, Unreachable
from zrep.host.known_hosts import HostKey, KnownKeys
from zrep.host.ssh_argv import SshEndpoint
from zrep.host.ssh_failure import explain_ssh_failure, host_key_rejected

CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Someone could be eavesdropping on you right now (man-in-the-middle attack)!
It is also possible that a host key has just been changed.
The fingerprint for the ED25519 key sent by the remote host is
SHA256:P+Q0uQV3ZYFj1QMSHQ8g87pbFBk33IfSdYzepLNGhp0.
Please contact your system administrator.
Add correct host key in /etc/zrep/known_hosts to get rid of this message.
Offending ED25519 key in /etc/zrep/known_hosts:1
  remove with:
  ssh-keygen -f "/etc/zrep/known_hosts" -R "[10.0.0.11]:2222"
Host key for [10.0.0.11]:2222 has changed and you have requested strict checking.
Host key verification failed.
"""
REVOKED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@       WARNING: REVOKED HOST KEY DETECTED!               @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
The ED25519 host key for 10.0.0.11 is marked as revoked.
This could mean that a stolen key is being used to
impersonate this host.
ED25519 host key for 10.0.0.11 was revoked and you have requested strict checking.
Host key verification failed.
"""
OPEN_KEY = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Permissions 0644 for '/etc/zrep/keys/control' are too open.
It is required that your private key files are NOT accessible by others.
This private key will be ignored.
Load key "/etc/zrep/keys/control": bad permissions
root@10.0.0.11: Permission denied (publickey).
"""
NO_KEX = (
    "Unable to negotiate with 10.0.0.11 port 22: no matching key exchange method found. "
    "Their offer: diffie-hellman-group1-sha1\n"
)

MESSAGES: tuple[tuple[str, type[Unreachable], str], ...] = (
    (CHANGED, HostKeyRejected, "host key has changed"),
    (REVOKED, HostKeyRejected, "host key is revoked"),
    (
        (
            "No ED25519 host key is known for [10.0.0.11]:2222 and you have requested strict "
            "checking.\r\nHost key verification failed.\r\n"
        ),
        HostKeyRejected,
        "host key is not known",
    ),
    ("Host key verification failed.\n", HostKeyRejected, "host key is not known"),
    (OPEN_KEY, AccessRefused, "our key cannot be used"),
    (
        (
            "Warning: Identity file /etc/zrep/k not accessible: No such file or directory.\n"
            "root@10.0.0.11: Permission denied (publickey).\n"
        ),
        AccessRefused,
        "our key cannot be used",
    ),
    (
        'Load key "/etc/zrep/k": error in libcrypto\nroot@h: Permission denied (publickey).\n',
        AccessRefused,
        "our key cannot be used",
    ),
    ("root@10.0.0.11: Permission denied (publickey).\n", AccessRefused, "login refused"),
    (
        "Welcome to far\nroot@h: Permission denied (publickey,keyboard-interactive).\r\n",
        AccessRefused,
        "login refused",
    ),
    (
        (
            "Received disconnect from 10.0.0.11 port 22:2: Too many authentication failures\n"
            "Disconnected from 10.0.0.11 port 22\n"
        ),
        AccessRefused,
        "login refused",
    ),
    ("channel 0: open failed: connect failed: open failed\n", AccessRefused, "command refused"),
    ("exec request failed on channel 0\n", AccessRefused, "command refused"),
    (NO_KEX, Unreachable, "no common ssh algorithm"),
    (
        "ssh: Could not resolve hostname far: Name or service not known\n",
        Unreachable,
        "host name cannot be resolved",
    ),
    (
        "ssh: Could not resolve hostname far: Temporary failure in name resolution\n",
        Unreachable,
        "host name cannot be resolved",
    ),
    ("ssh: connect to host far port 22: Connection refused\n", Unreachable, "no connection"),
    ("ssh: connect to host far port 22: Connection timed out\n", Unreachable, "no connection"),
    ("ssh: connect to host far port 22: No route to host\n", Unreachable, "no connection"),
    ("ssh: connect to host far port 22: Network is unreachable\n", Unreachable, "no connection"),
    (
        "Connection timed out during banner exchange\nConnection to 10.0.0.11 port 22 timed out\n",
        Unreachable,
        "no ssh greeting",
    ),
    (
        (
            "kex_exchange_identification: read: Connection reset by peer\n"
            "Connection reset by 10.0.0.11 port 22\n"
        ),
        Unreachable,
        "no ssh greeting",
    ),
    ("Connection to 10.0.0.11 closed by remote host.\n", Unreachable, "connection lost"),
    ("Connection closed by 10.0.0.11 port 22\n", Unreachable, "connection lost"),
    ("Timeout, server 10.0.0.11 not responding.\n", Unreachable, "connection lost"),
    ("client_loop: send disconnect: Broken pipe\n", Unreachable, "connection lost"),
    (
        (
            "rsync: connection unexpectedly closed (0 bytes received so far) [Receiver]\n"
            "ssh: connect to host far port 22: Connection refused\n"
        ),
        Unreachable,
        "no connection",
    ),
)


@of_each(MESSAGES)
def test_a_message_of_ssh_becomes_the_right_error(row: tuple[str, type[Unreachable], str]) -> None:
    stderr, expected, what = row
    error = explain_ssh_failure(stderr, where="far")
    assert type(error) is expected
    assert (error.what, error.where) == (what, "far")
    assert error.why.split(" (the host offers")[0] in stderr
    assert error.why == error.why.strip()
    assert error.next_step


@pytest.mark.parametrize(
    "stderr",
    [
        "",
        "cannot open 'tank/a': dataset does not exist\n",
        "cat: /etc/shadow: Permission denied\n",
        "cannot receive: Connection refused by the application\n",
    ],
)
def test_what_a_remote_program_says_is_left_alone(stderr: str) -> None:
    assert explain_ssh_failure(stderr) is None


def test_the_reason_shows_the_fingerprint_the_host_offered() -> None:
    error = explain_ssh_failure(CHANGED)
    assert error is not None
    assert error.why == (
        "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! "
        "(the host offers SHA256:P+Q0uQV3ZYFj1QMSHQ8g87pbFBk33IfSdYzepLNGhp0)"
    )


OFFERED, OTHER = HostKey("ssh-ed25519", b"offered"), HostKey("ssh-rsa", b"other")


@pytest.mark.parametrize(
    ("known", "what"),
    [
        (KnownKeys(), "host key is not known"),
        (KnownKeys(trusted=(OTHER,)), "host key has changed"),
        (KnownKeys(trusted=(OFFERED,), revoked=(OFFERED,)), "host key is revoked"),
    ],
)
def test_both_ways_in_use_the_same_words(known: KnownKeys, what: str) -> None:
    endpoint = SshEndpoint(address="far", user="root", key_file="/k", known_hosts="/etc/known")
    error = host_key_rejected("far", endpoint, offered=OFFERED, known=known)
    assert error.what == what
    assert OFFERED.fingerprint in error.why
    assert all(key.fingerprint in error.why for key in known.trusted)
