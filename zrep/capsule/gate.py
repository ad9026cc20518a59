"""The gate's judgement: is this argv one of the role's templates, inside its dataset? Pure.

The templates are those of the zfs adapter and of the rsync pull, written down a second time and
apart from them, so that a mistake there is caught here. What no template accepts is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from zrep.capsule.gate_policy import GatePolicy, PullLogin, PullRule, Role
from zrep.capsule.gate_words import (
    NotAllowedError,
    Words,
    anything,
    assignment,
    bookmark,
    dataset,
    is_ours,
    our_assignment,
    properties,
    refuse,
    snapshot,
)
from zrep.model.names import DatasetName, SnapshotName, parse_label

_COLUMNS = re.compile(r"[a-z_]+(,[a-z_]+)*")
_TAG = re.compile(r"zrep:(replica|session):[A-Za-z0-9][A-Za-z0-9_.\-]*")
_MARK = re.compile(r"zrep_\d{8}_\d{6}_[a-z0-9][a-z0-9_.\-]*")
_TOKEN = re.compile(r"[0-9a-f][0-9a-f\-]{10,8191}")
_BASE = re.compile(r"[@#][A-Za-z0-9_.:\-]+")
_COMPRESSION = re.compile(r"[a-z0-9][a-z0-9\-]*")
_MAX_DELETE = re.compile(r"--max-delete=(\d{1,12})")
_SOURCE = re.compile(r"(?P<host>.+)::(?P<name>.+)\.(?P<run>\d{8}_\d{6})/")

_CREATE = {
    "canmount": {"on", "off", "noauto"},
    "readonly": {"on"},
    "exec": {"off"},
    "setuid": {"off"},
    "devices": {"off"},
    "atime": {"off"},
    "xattr": {"sa"},
    "acltype": {"posix"},
}
_CLONE = {"canmount": {"off", "noauto"}, "readonly": {"on", "off"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Run exactly this; `pulls_into` is the dataset a transfer writes to."""

    argv: tuple[str, ...]
    pulls_into: DatasetName | None = None


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
    ) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PullOptions:
    """What may differ from one pull to the next."""

    exclude: tuple[str, ...] = ()
    estimate: bool = False
    max_delete: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One role on one host."""

    policy: GatePolicy
    facts: Facts
    pull_argv: PullArgv

    def judge(self, argv: Sequence[str]) -> Allowed | Refusal:
        """The argv as it may be run, or why not."""
        try:
            if any("\0" in word for word in argv):
                refuse("NUL in a word")
            words = Words(argv)
            program = words.take("a program")
            if program == "rsync" and self.policy.role is Role.TARGET:
                return self._rsync(tuple(argv))
            if program != "zfs":
                refuse(f"not a program of this gate: {program!r}")
            verb = words.take("a verb")
            form = _FORMS[self.policy.role].get(verb) or refuse(f"zfs {verb} is not for this role")
            form(self, words)
            words.end()
        except NotAllowedError as no:
            return Refusal(reason=str(no))
        return Allowed(argv=tuple(argv))

    # ---- places ----

    def inside(self, name: DatasetName) -> DatasetName:
        return name if self.policy.covers(name) else refuse(f"{name} is out of bounds")

    def backup(self, name: DatasetName) -> DatasetName:
        """In the tree of backups, not among the clones."""
        return name if name.is_below(self.policy.dataset) else refuse(f"{name} is out of bounds")

    def clone_place(self, name: DatasetName) -> DatasetName:
        if not self.policy.is_clone_place(name):
            refuse(f"{name} is not a session's clone")
        return name

    def backup_snapshot(self, word: str) -> SnapshotName:
        name = snapshot(word)
        self.backup(name.dataset)
        return name

    def owned_snapshot(self, word: str) -> SnapshotName:
        name = self.backup_snapshot(word)
        return name if parse_label(name.snap) else refuse(f"{name} is not zrep's")

    # ---- forms ----

    def _rsync(self, argv: tuple[str, ...]) -> Allowed:
        """Read what may vary, build the argv anew, and compare every word."""
        login = self.policy.login or refuse("this target pulls nothing")
        if len(argv) < 3:
            refuse("no source and destination")
        match = _SOURCE.fullmatch(argv[-2]) or refuse(f"not a source: {argv[-2]!r}")
        rule = self._rule(match["host"], match["name"], argv)
        into = self.policy.dataset / str(rule.key)
        destination = self.facts.mountpoint(into) or refuse(f"{into} is not mounted")
        try:
            wanted = self.pull_argv(
                rule, login, run=match["run"], destination=destination, options=_options(argv)
            )
        except ValueError as error:
            raise NotAllowedError(str(error)) from error
        for ours, theirs in zip(wanted, argv, strict=False):
            if ours != theirs:
                refuse(f"{theirs!r} instead of {ours!r}")
        if len(wanted) != len(argv):
            refuse(f"{len(argv)} words instead of {len(wanted)}")
        return Allowed(argv=wanted, pulls_into=into)

    def _rule(self, host: str, name: str, argv: tuple[str, ...]) -> PullRule:
        """Two logical hosts may answer at one address: then the destination tells them apart."""
        address = host.removeprefix("[").removesuffix("]")
        rules = [r for r in self.policy.pulls if r.address == address and r.key.name == name]
        for rule in rules:
            place = self.facts.mountpoint(self.policy.dataset / str(rule.key))
            if place is not None and argv[-1] == f"{place.rstrip('/')}/":
                return rule
        return rules[0] if rules else refuse(f"{name} of {host} is not a source of this target")


def _options(argv: Sequence[str]) -> PullOptions:
    limits = [m for m in map(_MAX_DELETE.fullmatch, argv) if m]
    prefix = "--exclude="
    return PullOptions(
        exclude=tuple(w.removeprefix(prefix) for w in argv if w.startswith(prefix)),
        estimate="--dry-run" in argv,
        max_delete=int(limits[0][1]) if limits else None,
    )


def _list(gate: Gate, words: Words) -> None:
    words.expect("-H", "-p", "-r", "-t")
    words.one_of("filesystem,volume,snapshot,bookmark", "filesystem,volume")
    words.expect("-o")
    columns = words.take("columns")
    if not _COLUMNS.fullmatch(columns):
        refuse(f"not columns: {columns!r}")
    gate.inside(words.last(dataset))


def _get(gate: Gate, words: Words) -> None:
    words.expect("-H", "-p")
    if words.skip("-r"):
        words.expect("-s", "local,received", "-t")
        words.one_of("filesystem,volume,snapshot", "filesystem,volume")
        words.expect("-o", "name,property,value", "all")
        gate.inside(words.last(dataset))
        return
    words.expect("-o", "name,property,value")
    properties(words.take("properties"))
    for name in words.rest(anything):
        gate.inside(name)


def _holds(gate: Gate, words: Words) -> None:
    words.expect("-H")
    for name in words.rest(snapshot):
        gate.inside(name.dataset)


def _assignments(words: Words, known: Mapping[str, set[str]]) -> None:
    while words.skip("-o"):
        key, value = assignment(words.take("a property"))
        if is_ours(key) or value in known.get(key, ()):
            continue
        if key == "compression" and known is _CREATE and _COMPRESSION.fullmatch(value):
            continue
        refuse(f"{key}={value} may not be set here")


def _create(gate: Gate, words: Words) -> None:
    words.skip("-u")
    _assignments(words, _CREATE)
    gate.inside(words.last(dataset))


def _snapshot(gate: Gate, words: Words) -> None:
    _assignments(words, {})
    words.rest(gate.owned_snapshot)


def _clone(gate: Gate, words: Words) -> None:
    _assignments(words, _CLONE)
    gate.backup_snapshot(words.take("a snapshot"))
    gate.clone_place(words.last(dataset))


def _bookmark(gate: Gate, words: Words) -> None:
    origin = gate.backup_snapshot(words.take("a snapshot"))
    mark = words.last(bookmark)
    if mark.dataset != origin.dataset or not _MARK.fullmatch(mark.snap):
        refuse(f"{mark.dataset}#{mark.snap} is not a mark of {origin}")


def _destroy(gate: Gate, words: Words) -> None:
    """Snapshots and marks of zrep among the backups; datasets only among the clones."""
    word = words.take("a name")
    if "@" in word:
        name, _, snaps = word.partition("@")
        for snap in snaps.split(","):
            gate.owned_snapshot(f"{name}@{snap}")
    elif "#" in word:
        mark = bookmark(word)
        gate.backup(mark.dataset)
        if not _MARK.fullmatch(mark.snap):
            refuse(f"{word} is not zrep's")
    else:
        gate.clone_place(dataset(word))


def _hold(gate: Gate, words: Words) -> None:
    tag = words.take("a tag")
    if not _TAG.fullmatch(tag):
        refuse(f"{tag!r} is not a tag of zrep")
    words.rest(gate.backup_snapshot)


def _set(gate: Gate, words: Words) -> None:
    our_assignment(words.take("an assignment"))
    while words.next_starts("io.zrep:"):
        our_assignment(words.take("an assignment"))
    for name in words.rest(anything):
        gate.inside(name)


def _mount(gate: Gate, words: Words) -> None:
    gate.inside(words.last(dataset))


def _send(gate: Gate, words: Words) -> None:
    words.skip("-n", "-P")
    if words.skip("-t"):
        token = words.last(str)
        found = gate.facts.token_snapshot(token) if _TOKEN.fullmatch(token) else None
        gate.backup_snapshot(found or refuse("the resume token cannot be read"))
        return
    words.expect("-L", "-e", "-c")
    words.skip("-w")
    if words.next_starts("-i", "-I"):
        kind = words.one_of("-i", "-I")
        base = words.take("a base")
        if not _BASE.fullmatch(base) or (kind == "-I" and base.startswith("#")):
            refuse(f"not a base: {base!r}")
    words.last(gate.backup_snapshot)


def _receive(gate: Gate, words: Words) -> None:
    if not words.skip("-A"):
        words.expect("-s", "-u")
    gate.backup(words.last(dataset))


def _version(_gate: Gate, _words: Words) -> None:
    """No further words."""


Form = Callable[[Gate, Words], None]
_BOTH: Mapping[str, Form] = {
    "list": _list,
    "get": _get,
    "holds": _holds,
    "create": _create,
    "hold": _hold,
    "release": _hold,
    "set": _set,
    "version": _version,
}
_FORMS: Mapping[Role, Mapping[str, Form]] = {
    Role.TARGET: {
        **_BOTH,
        "snapshot": _snapshot,
        "clone": _clone,
        "bookmark": _bookmark,
        "destroy": _destroy,
        "mount": _mount,
        "unmount": _mount,
        "send": _send,
    },
    Role.REPLICA: {**_BOTH, "receive": _receive},
}
