"""The gate's judgement: is this argv one of the role's templates, inside its dataset? Pure.

The templates are those of the zfs adapter and of the rsync pull, written down a second time and
apart from them, so that a mistake there is caught here. What no template accepts is refused.
Those of the operators are in zrep.capsule.gate_operator.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from zrep.capsule.gate_policy import Allowed, Facts, GatePolicy, Refusal, Role
from zrep.capsule.gate_reads import read_all_properties, read_list
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
from zrep.frozen import dataclass
from zrep.model.names import DatasetName, SnapshotName, parse_label

if TYPE_CHECKING:
    from zrep.capsule.gate_pull import PullArgv

# Patterns are compiled when a request first needs them, most of which need few.
_TAG = r"zrep:(replica|session):[A-Za-z0-9][A-Za-z0-9_.\-]*"
_MARK = r"zrep_\d{8}_\d{6}_[a-z0-9][a-z0-9_.\-]*"
_RESUME = r"[0-9a-f][0-9a-f\-]{10,8191}"
_BASE = r"[@#][A-Za-z0-9_.:\-]+"
_COMPRESSION = r"[a-z0-9][a-z0-9\-]*"

_CREATE = {
    "canmount": {"off"},
    "readonly": {"on"},
    "exec": {"off"},
    "setuid": {"off"},
    "devices": {"off"},
    "atime": {"off"},
    "xattr": {"sa"},
    "acltype": {"posix"},
}
_LOCKED = {"exec": {"off"}, "setuid": {"off"}, "devices": {"off"}}
_CLONE = {"readonly": {"on", "off"}, **_LOCKED}
# On a replica a clone must say all of these: nothing may depend on what it would inherit.
_REPLICA_CLONE = {"readonly": {"on"}, **_LOCKED}


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
            if program in {"rsync", "dd"} and self.policy.role is Role.TARGET:
                return self._writes(words, tuple(argv))
            if program != "zfs":
                refuse(f"not a program of this gate: {program!r}")
            verb = words.take("a verb")
            known = _forms(self.policy.role)
            form = known.get(verb) or refuse(f"zfs {verb} is not for this role")
            form(self, words)
            words.end()
        except NotAllowedError as no:
            return Refusal(reason=str(no))
        return Allowed(argv=tuple(argv))

    def _writes(self, words: Words, argv: tuple[str, ...]) -> Allowed:
        """What a target takes besides zfs, and few requests are: judged where nothing else is."""
        from zrep.capsule.gate_pull import judge_pull
        from zrep.capsule.gate_sheet import judge_sheet

        if argv[0] == "dd":
            return judge_sheet(self.policy, self.facts, argv)
        if words.skip("--version"):
            words.end()
            return Allowed(argv=argv)
        return judge_pull(self.policy, self.facts, self.pull_argv, argv)

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


def _get(gate: Gate, words: Words) -> None:
    if read_all_properties(gate, words):
        return
    words.expect("-o", "name,property,value")
    properties(words.take("properties"))
    for name in words.rest(anything):
        gate.inside(name)


def _holds(gate: Gate, words: Words) -> None:
    words.expect("-H")
    for name in words.rest(snapshot):
        gate.inside(name.dataset)


def _assignments(words: Words, known: Mapping[str, set[str]]) -> set[str]:
    """The properties that were set; each to one of the known values."""
    keys: set[str] = set()
    while words.skip("-o"):
        key, value = assignment(words.take("a property"))
        keys.add(key)
        if is_ours(key) or value in known.get(key, ()):
            continue
        if key == "compression" and known is _CREATE and re.fullmatch(_COMPRESSION, value):
            continue
        refuse(f"{key}={value} may not be set here")
    return keys


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


def _clone_locked(gate: Gate, words: Words) -> None:
    missing = _REPLICA_CLONE.keys() - _assignments(words, _REPLICA_CLONE)
    if missing:
        refuse(f"a clone here must say {', '.join(sorted(missing))}")
    gate.backup_snapshot(words.take("a snapshot"))
    gate.clone_place(words.last(dataset))


def _bookmark(gate: Gate, words: Words) -> None:
    origin = gate.backup_snapshot(words.take("a snapshot"))
    mark = words.last(bookmark)
    if mark.dataset != origin.dataset or not re.fullmatch(_MARK, mark.snap):
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
        if not re.fullmatch(_MARK, mark.snap):
            refuse(f"{word} is not zrep's")
    else:
        gate.clone_place(dataset(word))


def _clone_only(gate: Gate, words: Words) -> None:
    gate.clone_place(words.last(dataset))


def _hold(gate: Gate, words: Words) -> None:
    tag = words.take("a tag")
    if not re.fullmatch(_TAG, tag):
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
        found = gate.facts.token_snapshot(token) if re.fullmatch(_RESUME, token) else None
        gate.backup_snapshot(found or refuse("the resume token cannot be read"))
        return
    words.expect("-L", "-e", "-c")
    words.skip("-w")
    if words.next_starts("-i", "-I"):
        kind = words.one_of("-i", "-I")
        base = words.take("a base")
        if not re.fullmatch(_BASE, base) or (kind == "-I" and base.startswith("#")):
            refuse(f"not a base: {base!r}")
    words.last(gate.backup_snapshot)


def _send_back(gate: Gate, words: Words) -> None:
    if not gate.policy.send_back:
        refuse("nothing goes out of here: [replica] send_back is not true")
    _send(gate, words)


def _receive(gate: Gate, words: Words) -> None:
    if not words.skip("-A"):
        words.expect("-s", "-u")
    gate.backup(words.last(dataset))


def _version(_gate: Gate, _words: Words) -> None:
    """No further words."""


Form = Callable[[Gate, Words], None]
_BOTH: Mapping[str, Form] = {
    "list": read_list,
    "get": _get,
    "holds": _holds,
    "create": _create,
    "hold": _hold,
    "release": _hold,
    "set": _set,
    "version": _version,
}
_TARGET: Mapping[str, Form] = {
    **_BOTH,
    "snapshot": _snapshot,
    "clone": _clone,
    "bookmark": _bookmark,
    "destroy": _destroy,
    "mount": _mount,
    "unmount": _mount,
    "send": _send,
}
_REPLICA: Mapping[str, Form] = {
    **_BOTH,
    "receive": _receive,
    "send": _send_back,
    "clone": _clone_locked,
    "mount": _clone_only,
    "unmount": _clone_only,
    "destroy": _clone_only,
}


def _forms(role: Role) -> Mapping[str, Form]:
    match role:
        case Role.TARGET:
            return _TARGET
        case Role.REPLICA:
            return _REPLICA
        case Role.OPERATOR:
            from zrep.capsule.gate_operator import FORMS

            return FORMS
