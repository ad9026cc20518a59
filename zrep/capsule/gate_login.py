"""What a target's gate may pull, from where, and as whom: values, and reading them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from zrep.capsule.gate_table import array_in, table_in, text_in
from zrep.frozen import dataclass
from zrep.model.key import SourceKey, is_word


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRule:
    """One source that may be pulled, from where, and into which child of the dataset."""

    key: SourceKey
    address: str
    port: int = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class PullLogin:
    """The login with which this host reads sources; paths are of this host."""

    user: str
    key_file: str
    known_hosts: str


class Pulling(TypedDict, total=False):
    """The fields of a GatePolicy that only a target has."""

    login: PullLogin | None
    pulls: tuple[PullRule, ...]


def parse_pulling(table: Mapping[str, object]) -> Pulling:
    return Pulling(
        login=_login(table_in(table["login"], "login")) if "login" in table else None,
        pulls=tuple(_pull(table_in(entry, "pulls")) for entry in array_in(table, "pulls")),
    )


def _login(table: Mapping[str, object]) -> PullLogin:
    return PullLogin(
        user=text_in(table, "user"),
        key_file=text_in(table, "key_file"),
        known_hosts=text_in(table, "known_hosts"),
    )


def _pull(table: Mapping[str, object]) -> PullRule:
    host, _, name = text_in(table, "source").partition("/")
    port = table.get("port", 22)
    if not is_word(host) or not is_word(name):
        raise ValueError(f"pulls.source: not host/name: {host}/{name}")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise ValueError(f"pulls.port: {port!r}")
    return PullRule(key=SourceKey(host, name), address=text_in(table, "address"), port=port)
