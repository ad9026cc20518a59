"""The gate's judgement of an rsync transfer into one of its datasets. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from zrep.capsule.gate_login import PullLogin, PullRule
from zrep.capsule.gate_policy import Allowed, Facts, GatePolicy
from zrep.capsule.gate_words import NotAllowedError, refuse
from zrep.frozen import dataclass

Argv = tuple[str, ...]

_MAX_DELETE = re.compile(r"--max-delete=(\d{1,12})")
_BWLIMIT = re.compile(r"--bwlimit=(\d{1,9})")
_SOURCE = re.compile(r"(?P<host>.+)::(?P<name>.+)\.(?P<run>\d{8}_\d{6})/")


@dataclass(frozen=True, slots=True, kw_only=True)
class PullOptions:
    """What may differ from one pull to the next."""

    exclude: tuple[str, ...] = ()
    estimate: bool = False
    max_delete: int | None = None
    bwlimit: int | None = None


class PullArgv(Protocol):
    """Builds the very argv that the target's own zrep would run for one source."""

    def __call__(
        self,
        rule: PullRule,
        login: PullLogin,
        *,
        run: str,
        destination: str,
        options: PullOptions,
    ) -> Argv: ...


def judge_pull(policy: GatePolicy, facts: Facts, pull_argv: PullArgv, argv: Argv) -> Allowed:
    """Read what may vary, build the argv anew, and compare every word."""
    login = policy.login or refuse("this target pulls nothing")
    if len(argv) < 3:
        refuse("no source and destination")
    match = _SOURCE.fullmatch(argv[-2]) or refuse(f"not a source: {argv[-2]!r}")
    rule = _rule(policy, facts, match["host"], match["name"], argv[-1])
    into = policy.dataset / str(rule.key)
    place = facts.mountpoint(into) or refuse(f"{into} is not mounted")
    try:
        wanted = pull_argv(rule, login, run=match["run"], destination=place, options=_options(argv))
    except ValueError as error:
        raise NotAllowedError(str(error)) from error
    _compare(wanted, argv)
    return Allowed(argv=wanted, pulls_into=into, reads=(login.key_file, login.known_hosts))


def _rule(policy: GatePolicy, facts: Facts, host: str, name: str, destination: str) -> PullRule:
    """Two logical hosts may answer at one address: then the destination tells them apart."""
    address = host.removeprefix("[").removesuffix("]")
    rules = [r for r in policy.pulls if r.address == address and r.key.name == name]
    for rule in rules:
        place = facts.mountpoint(policy.dataset / str(rule.key))
        if place is not None and destination == f"{place.rstrip('/')}/":
            return rule
    return rules[0] if rules else refuse(f"{name} of {host} is not a source of this target")


def _options(argv: Sequence[str]) -> PullOptions:
    prefix = "--exclude="
    return PullOptions(
        exclude=tuple(w.removeprefix(prefix) for w in argv if w.startswith(prefix)),
        estimate="--dry-run" in argv,
        max_delete=_number(_MAX_DELETE, argv),
        bwlimit=_number(_BWLIMIT, argv),
    )


def _number(option: re.Pattern[str], argv: Sequence[str]) -> int | None:
    found = [m for m in map(option.fullmatch, argv) if m]
    return int(found[0][1]) if found else None


def _compare(wanted: Argv, argv: Argv) -> None:
    for ours, theirs in zip(wanted, argv, strict=False):
        if ours != theirs:
            refuse(f"{theirs!r} instead of {ours!r}")
    if len(wanted) != len(argv):
        refuse(f"{len(argv)} words instead of {len(wanted)}")
