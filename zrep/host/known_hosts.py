"""OpenSSH's known_hosts file: which keys a host may show. Pure.

Read here rather than by paramiko, which knows one key per type (a key rotation needs two for a
while), and gives up on a file with a @cert-authority line.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator

from zrep.frozen import dataclass


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public key: its type and its wire form."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode("ascii")
        return f"SHA256:{digest.rstrip('=')}"

    def __str__(self) -> str:
        return f"{self.kind} {self.fingerprint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKeys:
    """What the file says about one host, in file order."""

    trusted: tuple[HostKey, ...] = ()
    revoked: tuple[HostKey, ...] = ()

    def accepts(self, key: HostKey) -> bool:
        return key in self.trusted and key not in self.revoked


def known_keys(text: str, names: tuple[str, ...]) -> KnownKeys:
    """The keys for the first of `names` that has any, as ssh does: `[host]:port`, then `host`.

    Revoked keys count whatever name found them. Certificate authorities are left to OpenSSH.
    """
    entries = tuple(_entries(text))
    revoked = tuple(
        k
        for marker, hosts, k in entries
        if marker == "@revoked" and any(_matches(hosts, name) for name in names)
    )
    for name in names:
        trusted = tuple(k for marker, hosts, k in entries if not marker and _matches(hosts, name))
        if trusted:
            return KnownKeys(trusted=trusted, revoked=revoked)
    return KnownKeys(revoked=revoked)


def _entries(text: str) -> Iterator[tuple[str, str, HostKey]]:
    """(marker, host patterns, key) of each well-formed line; ssh skips the others too."""
    for line in text.splitlines():
        words = line.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#"):
            continue
        hosts, kind, encoded = words[:3]
        try:
            yield marker, hosts, HostKey(kind, base64.b64decode(encoded, validate=True))
        except binascii.Error:
            continue


def _matches(hosts: str, name: str) -> bool:
    """`a,b*,!bad` or one hashed name `|1|salt|hash`."""
    if hosts.startswith("|1|"):
        return _is_hash_of(hosts, name)
    patterns = hosts.split(",")
    refused = (p[1:] for p in patterns if p.startswith("!"))
    return any(_fits(p, name) for p in patterns) and not any(_fits(p, name) for p in refused)


def _is_hash_of(hashed: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part) for part in hashed.split("|")[2:4])
    except ValueError:
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)


def _fits(pattern: str, name: str) -> bool:
    """Only * and ? are special: brackets belong to `[host]:port`."""
    wild = re.escape(pattern.lower()).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(wild, name.lower()) is not None
