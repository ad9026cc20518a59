"""Control connections by paramiko: the only module that imports it, itself imported lazily.

Every failure of paramiko becomes one of ours here.
"""

from __future__ import annotations

import logging
import os
import select
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from threading import Lock, Timer
from typing import Any

import paramiko
from paramiko.pkey import UnknownKeyType
from paramiko.ssh_exception import IncompatiblePeer, NoValidConnectionsError

from zrep.errors import AccessRefused, Unreachable, ZrepError
from zrep.frozen import dataclass
from zrep.host.child import Tail
from zrep.host.known_hosts import HostKey, KnownKeys, known_keys
from zrep.host.mux import Deadline
from zrep.host.ssh_argv import ALIVE_COUNT, ALIVE_SECONDS, SshEndpoint
from zrep.host.ssh_failure import (
    NEXT_ALGORITHM,
    NEXT_KEY_FILE,
    NEXT_LOGIN,
    NEXT_NETWORK,
    NEXT_RESOLVE,
    NEXT_SESSION,
    host_key_rejected,
)

_CHUNK = 1 << 16
# paramiko's pollable descriptor can miss a wake-up when both streams move at once.
_POLL_MS = 100
_STDIN_POLL_MS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`status` is None when a signal ended the program: ssh does not tell paramiko which."""

    status: int | None
    stdout: bytes
    stderr: str


class Connection:
    """The kept connection to one host; made on first use, replaced when found dead."""

    def __init__(self, name: str, endpoint: SshEndpoint) -> None:
        self._name = name
        self._endpoint = endpoint
        self._client: paramiko.SSHClient | None = None
        self._lock = Lock()

    def run(self, command: str, *, stdin: str, timeout: float) -> Outcome | None:
        """Run one command; None when it ran out of time.

        Once sent, a command may have run, so it is never sent again: a connection lost from then
        on is Unreachable, and says so. Closing a channel does not kill the remote program.
        """
        with closing(self._channel()) as channel:
            deadline = Deadline(timeout)
            watchdog = Timer(timeout, channel.close)  # paramiko's own waits know no time limit
            watchdog.daemon = True
            watchdog.start()
            try:
                outcome = _execute(channel, command, stdin)
            except (paramiko.SSHException, EOFError, OSError) as error:
                if not deadline.left:
                    return None
                raise _lost(self._name, channel, error) from error
            finally:
                watchdog.cancel()
            return None if outcome.status is None and not deadline.left else outcome

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _channel(self) -> paramiko.Channel:
        """On the kept connection, or on a new one: nothing was asked of the far side yet."""
        with self._lock:
            channel = self._try_channel()
            if channel is None:
                self._drop()
                self._client = _connect(self._name, self._endpoint)
                channel = self._try_channel()
        if channel is None:
            why = "it closed right after the login"
            raise Unreachable("connection lost", where=self._name, why=why, next_step=NEXT_NETWORK)
        return channel

    def _try_channel(self) -> paramiko.Channel | None:
        if self._client is None:
            return None
        try:
            return _transport_of(self._client).open_session(timeout=self._endpoint.connect_timeout)
        except paramiko.ChannelException as error:
            raise AccessRefused(
                "session refused", where=self._name, why=error.text, next_step=NEXT_SESSION
            ) from error
        except (paramiko.SSHException, EOFError, OSError):
            return None

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


class _OnlyKnown(paramiko.MissingHostKeyPolicy):
    """Accepts the keys that our known_hosts has for this host, nothing else.

    The client is given no keys of its own, so it asks this policy about every key.
    """

    def __init__(self, name: str, endpoint: SshEndpoint, known: KnownKeys) -> None:
        self._name, self._endpoint, self._known = name, endpoint, known

    def missing_host_key(
        self, _client: paramiko.SSHClient, _hostname: str, key: paramiko.PKey
    ) -> None:
        offered = HostKey(key.get_name(), key.asbytes())
        if not self._known.accepts(offered):
            raise host_key_rejected(self._name, self._endpoint, offered=offered, known=self._known)


def _connect(name: str, endpoint: SshEndpoint) -> paramiko.SSHClient:
    # Its own log repeats, with tracebacks, what reaches us as exceptions.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    key, known = _own_key(name, endpoint), _known_keys(name, endpoint)
    client, limit = paramiko.SSHClient(), endpoint.connect_timeout
    client.set_missing_host_key_policy(_OnlyKnown(name, endpoint, known))
    try:
        with _translated(name, endpoint):
            client.connect(
                endpoint.address,
                port=endpoint.port,
                username=endpoint.user,
                pkey=key,
                timeout=limit,
                banner_timeout=limit,
                auth_timeout=limit,
                allow_agent=False,
                look_for_keys=False,
                transport_factory=partial(_transport, known=known),
            )
            _transport_of(client).set_keepalive(ALIVE_SECONDS)
    except BaseException:
        client.close()
        raise
    return client


def _transport(sock: Any, *, known: KnownKeys, **options: Any) -> paramiko.Transport:
    """Asks for the key types that known_hosts has first: a host shows only one of its keys."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else 40 ms per small command
    # paramiko asks, and waits for no answer: the kernel ends what is not acknowledged.
    silence = ALIVE_SECONDS * ALIVE_COUNT * 1000
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, silence)
    transport = paramiko.Transport(sock, **options)
    security = transport.get_security_options()
    kinds = {key.kind for key in known.trusted}
    ours = [t for t in security.key_types if ("ssh-rsa" if "rsa" in t else t) in kinds]
    security.key_types = [*ours, *(t for t in security.key_types if t not in ours)]
    return transport


def _transport_of(client: paramiko.SSHClient) -> paramiko.Transport:
    transport = client.get_transport()
    if transport is None:
        raise EOFError("the connection is closed")
    return transport


def _execute(channel: paramiko.Channel, command: str, stdin: str) -> Outcome:
    """Both directions at once, so that no full window can stop the other."""
    channel.exec_command(command.encode("utf-8", "surrogateescape"))
    out, err = bytearray(), Tail()
    rest = memoryview(stdin.encode("utf-8", "surrogateescape"))
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    ended = False
    while not ended:
        rest = _feed(channel, rest)
        poll.poll(_STDIN_POLL_MS if rest else _POLL_MS)
        ended = bool(channel.eof_received or channel.closed)
        _drain(channel, out, err)
    status = channel.recv_exit_status()
    if status < 0 and not channel.eof_received:
        raise EOFError("the connection closed")
    return Outcome(status=status if status >= 0 else None, stdout=bytes(out), stderr=str(err))


def _feed(channel: paramiko.Channel, rest: memoryview) -> memoryview:
    """Send what the window takes; the end of stdin follows the last byte."""
    try:
        while rest and channel.send_ready():
            rest = rest[channel.send(bytes(rest[:_CHUNK])) :]
    except OSError:  # the program ended without reading it all, which is its right
        rest = rest[:0]
    if not rest and not channel.eof_sent:
        channel.shutdown_write()
    return rest


def _drain(channel: paramiko.Channel, out: bytearray, err: Tail) -> None:
    while channel.recv_ready():
        out += channel.recv(_CHUNK)
    while channel.recv_stderr_ready():
        err.feed(channel.recv_stderr(_CHUNK))


def _known_keys(name: str, endpoint: SshEndpoint) -> KnownKeys:
    try:
        text = Path(endpoint.known_hosts).read_text("utf-8", "replace")
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise _unusable(name, endpoint.known_hosts, "known_hosts cannot be read", error) from error
    return known_keys(text, (endpoint.known_as, endpoint.address))


def _own_key(name: str, endpoint: SshEndpoint) -> paramiko.PKey:
    try:
        _check_private(Path(endpoint.key_file).stat())
        return paramiko.PKey.from_path(endpoint.key_file)
    # TypeError: the file wants a passphrase. ValueError: it is no private key.
    except (OSError, ValueError, TypeError, UnknownKeyType) as error:
        raise _unusable(name, endpoint.key_file, "our key cannot be used", error) from error


def _check_private(status: os.stat_result) -> None:
    """The rule of the OpenSSH client, which would ignore such a key."""
    if status.st_uid == os.getuid() and status.st_mode & 0o077:
        raise PermissionError(f"others may read it (mode {status.st_mode & 0o777:04o})")


def _unusable(name: str, file: str, what: str, error: Exception) -> AccessRefused:
    why = f"{file}: {_strerror(error)}"
    return AccessRefused(what, where=name, why=why, next_step=NEXT_KEY_FILE)


@contextmanager
def _translated(name: str, endpoint: SshEndpoint) -> Iterator[None]:
    """paramiko's and the socket's ways to say that a login failed -> ours."""
    spot = f"{endpoint.address} port {endpoint.port}"
    try:
        yield
    except paramiko.AuthenticationException as error:
        raise _login_failed(name, endpoint, error) from error
    except socket.gaierror as error:
        why = f"{endpoint.address}: {error.strerror}"
        raise Unreachable(
            "host name cannot be resolved", where=name, why=why, next_step=NEXT_RESOLVE
        ) from error
    except IncompatiblePeer as error:
        raise Unreachable(
            "no common ssh algorithm", where=name, why=str(error), next_step=NEXT_ALGORITHM
        ) from error
    except NoValidConnectionsError as error:
        reasons = "; ".join(sorted({_strerror(e) for e in error.errors.values()}))
        raise _no_connection(name, f"{spot}: {reasons}") from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise _no_connection(name, f"{spot}: {error or 'the connection closed'}") from error


def _strerror(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _login_failed(
    name: str, endpoint: SshEndpoint, error: paramiko.AuthenticationException
) -> Unreachable:
    if "timeout" in str(error).lower() or "EOF" in str(error):  # no verdict came back at all
        return _no_connection(name, str(error))
    why = f"{endpoint.login} does not accept the key {endpoint.key_file}: {error}"
    return AccessRefused("login refused", where=name, why=why, next_step=NEXT_LOGIN)


def _no_connection(name: str, why: str) -> Unreachable:
    return Unreachable("no connection", where=name, why=why, next_step=NEXT_NETWORK)


def _lost(name: str, channel: paramiko.Channel, error: Exception) -> ZrepError:
    if isinstance(error, paramiko.SSHException) and channel.get_transport().is_active():
        return AccessRefused("command refused", where=name, why=str(error), next_step=NEXT_SESSION)
    return Unreachable(
        "connection lost while a command was running",
        where=name,
        why=str(error) or "the connection closed",
        next_step="the command may have run or not: look before repeating it",
    )
