"""The gate's own words: its policy (from a file of root's), verdicts and facts. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from zrep.capsule.gate_table import flag_in, table_in, text_in
from zrep.frozen import dataclass
from zrep.model.names import DatasetName, plain_dataset

if TYPE_CHECKING:
    from zrep.capsule.gate_login import Pulling, PullLogin, PullRule


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
    table = table_in(tomllib.loads(text).get(role.value), f"[{role}]")
    unknown = sorted(set(table) - {"dataset", "sessions"} - _OWN[role])
    if unknown:
        raise ValueError(f"[{role}]: unknown {', '.join(unknown)}")
    return GatePolicy(
        role=role,
        dataset=plain_dataset(text_in(table, "dataset")),
        sessions=plain_dataset(text_in(table, "sessions")) if "sessions" in table else None,
        **(_pulling(table) if role is Role.TARGET else {}),
        send_back=flag_in(table, "send_back"),
    )


def _pulling(table: Mapping[str, object]) -> Pulling:
    """Only a target has anything to say of that."""
    from zrep.capsule.gate_login import parse_pulling

    return parse_pulling(table)
