"""The gate's own words: its policy (from a file of root's), verdicts and facts. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from zrep.model.key import SourceKey, is_word
from zrep.model.names import DatasetName, plain_dataset


class Role(StrEnum):
    """Which key is talking; an operator is a person on the machine itself."""

    TARGET = "target"
    REPLICA = "replica"
    OPERATOR = "operator"


# What the table of a role may say besides `dataset` and `sessions`.
_OWN: Mapping[Role, frozenset[str]] = {
    Role.TARGET: frozenset({"login", "pulls"}),
    Role.REPLICA: frozenset({"send_back"}),
    Role.OPERATOR: frozenset(),
}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    """Everything at and below `dataset`, and the clones below `sessions`.

    `send_back`: a replica gives out again what it has received.
    """

    role: Role
    dataset: DatasetName
    sessions: DatasetName | None = None
    login: PullLogin | None = None
    pulls: tuple[PullRule, ...] = ()
    send_back: bool = False

    def __post_init__(self) -> None:
        if self.covers_session(self.dataset):
            raise ValueError(f"sessions: the backups in {self.dataset} would be among the clones")
        if self.role is Role.OPERATOR and self.sessions is None:
            raise ValueError("sessions: an operator needs a place for clones")

    def covers(self, name: DatasetName) -> bool:
        return name.is_below(self.dataset) or self.covers_session(name)

    def covers_session(self, name: DatasetName) -> bool:
        return self.sessions is not None and name.is_below(self.sessions)

    def is_clone_place(self, name: DatasetName) -> bool:
        """Strictly below the sessions' root."""
        return self.covers_session(name) and name != self.sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Run exactly this; `pulls_into` is the dataset a transfer writes to, `reads` its own files."""

    argv: tuple[str, ...]
    pulls_into: DatasetName | None = None
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Do not run it, because."""

    reason: str


class Facts(Protocol):
    """What has to be looked up on this host before some requests can be judged."""

    def mountpoint(self, name: DatasetName) -> str | None:
        """Where the dataset is mounted now; None when it is not."""
        ...

    def token_snapshot(self, token: str) -> str | None:
        """The snapshot a resume token would send; None when the token cannot be read."""
        ...


def parse_policy(text: str, role: Role) -> GatePolicy:
    """ValueError names the bad field; a role that the file does not give is refused so.

    [target]
    dataset = "backup/current"
    sessions = "backup/sessions"
    login = { user = "zrep", key_file = "/etc/zrep/keys/read", known_hosts = "/etc/..." }
    pulls = [{ source = "manager-1/mail", address = "10.0.0.11", port = 22 }]
    """
    table = _table(tomllib.loads(text).get(role.value), f"[{role}]")
    unknown = sorted(set(table) - {"dataset", "sessions"} - _OWN[role])
    if unknown:
        raise ValueError(f"[{role}]: unknown {', '.join(unknown)}")
    return GatePolicy(
        role=role,
        dataset=plain_dataset(_text(table, "dataset")),
        sessions=plain_dataset(_text(table, "sessions")) if "sessions" in table else None,
        login=_login(_table(table["login"], "login")) if "login" in table else None,
        pulls=tuple(_pull(_table(entry, "pulls")) for entry in _array(table, "pulls")),
        send_back=_flag(table, "send_back"),
    )


def _login(table: Mapping[str, object]) -> PullLogin:
    return PullLogin(
        user=_text(table, "user"),
        key_file=_text(table, "key_file"),
        known_hosts=_text(table, "known_hosts"),
    )


def _pull(table: Mapping[str, object]) -> PullRule:
    host, _, name = _text(table, "source").partition("/")
    port = table.get("port", 22)
    if not is_word(host) or not is_word(name):
        raise ValueError(f"pulls.source: not host/name: {host}/{name}")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise ValueError(f"pulls.port: {port!r}")
    return PullRule(key=SourceKey(host, name), address=_text(table, "address"), port=port)


def _table(value: object, place: str) -> Mapping[str, object]:
    if isinstance(value, dict):
        return value
    raise ValueError(f"{place}: no such table")


def _array(table: Mapping[str, object], key: str) -> list[object]:
    value = table.get(key, [])
    if isinstance(value, list):
        return value
    raise ValueError(f"{key}: not an array")


def _flag(table: Mapping[str, object], key: str) -> bool:
    value = table.get(key, False)
    if isinstance(value, bool):
        return value
    raise ValueError(f"{key}: not true or false: {value!r}")


def _text(table: Mapping[str, object], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key}: not a text: {value!r}")
    return value
