"""A gate for each role with a small host behind it, and the real builder of the pull's argv."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from zrep.capsule.gate import Gate
from zrep.capsule.gate_login import PullLogin, PullRule
from zrep.capsule.gate_policy import GatePolicy, Role
from zrep.capsule.gate_pull import PullOptions
from zrep.engine.gate import expected_pull
from zrep.model.key import SourceKey
from zrep.model.names import DatasetName

RUN = "20260102_030405"
SNAP = f"zrep_{RUN}_hourly"
TOKEN = "1-c740b4779-e0-789c"
FOREIGN_TOKEN = "1-ffffffff0-e0-789c"
LOGIN = PullLogin(user="zrep", key_file="/etc/zrep/keys/read", known_hosts="/etc/zrep/known_hosts")
MAIL = PullRule(key=SourceKey("manager-1", "mail"), address="10.0.0.11")
LOCAL = PullRule(key=SourceKey("cassandra-1", "local"), address="10.0.0.21", port=2222)


@dataclass(frozen=True, slots=True)
class KnownFacts:
    """Implements zrep.capsule.gate_policy.Facts from tables."""

    mounts: Mapping[str, str] = field(
        default_factory=lambda: {
            "backup/current/manager-1/mail": "/backup/current/manager-1/mail",
            "backup/current/cassandra-1/local": "/backup/current/cassandra-1/local",
        }
    )

    def mountpoint(self, name: DatasetName) -> str | None:
        return self.mounts.get(str(name))

    def token_snapshot(self, token: str) -> str | None:
        known = {TOKEN: f"backup/current/manager-1/mail@{SNAP}", FOREIGN_TOKEN: "rpool/root@now"}
        return known.get(token)


def target_gate() -> Gate:
    policy = GatePolicy(
        role=Role.TARGET,
        dataset=DatasetName("backup/current"),
        sessions=DatasetName("backup/sessions"),
        login=LOGIN,
        pulls=(MAIL, LOCAL),
    )
    return Gate(policy=policy, facts=KnownFacts(), pull_argv=expected_pull)


def replica_gate() -> Gate:
    policy = GatePolicy(
        role=Role.REPLICA,
        dataset=DatasetName("tank/sbdi"),
        sessions=DatasetName("tank/sbdi-sessions"),
    )
    return Gate(policy=policy, facts=KnownFacts(), pull_argv=expected_pull)


def operator_gate() -> Gate:
    policy = GatePolicy(
        role=Role.OPERATOR,
        dataset=DatasetName("backup/current"),
        sessions=DatasetName("backup/sessions"),
    )
    return Gate(policy=policy, facts=KnownFacts(), pull_argv=expected_pull)


def mail_pull(**options: object) -> tuple[str, ...]:
    return expected_pull(
        MAIL,
        LOGIN,
        run=RUN,
        destination="/backup/current/manager-1/mail",
        options=PullOptions(**options),  # type: ignore[arg-type]
    )
