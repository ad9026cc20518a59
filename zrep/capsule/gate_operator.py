"""What the operators' gate lets through: looking at backups, and sessions of them. Pure.

The smallest set that `zrep list`, `show`, `explain`, `mount`, `umount` and `sessions` ask for. No
backup is changed by it: datasets come and go below the sessions' root alone, snapshots never.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from zrep.capsule.gate_reads import Bounds, read_all_properties, read_list
from zrep.capsule.gate_words import (
    Words,
    assignment,
    dataset,
    is_ours,
    refuse,
)
from zrep.model.layout import layout_id
from zrep.model.names import SnapshotName, parse_label
from zrep.model.recovery import RECOVERY

_TAG = r"zrep:session:[A-Za-z0-9][A-Za-z0-9_.\-]*"

Values = Mapping[str, frozenset[str]]
_OFF = frozenset({"off"})
_LOCKED: Values = {"exec": _OFF, "setuid": _OFF, "devices": _OFF}
# The root of all sessions says each of these: what lies in clones is seen as clones inherit it.
_ROOT: Values = {
    "canmount": _OFF,
    **_LOCKED,
    "atime": _OFF,
    "xattr": frozenset({"sa"}),
    "acltype": frozenset({"posix"}),
}
# A host's dataset within a session; the session itself says nothing but what it is.
_HOST: Values = {"canmount": _OFF}
# A clone says all of these itself, whatever it would inherit.
_CLONE: Values = {"readonly": frozenset({"on", "off"}), **_LOCKED}


Form = Callable[[Bounds, Words], None]

# SESSIONS/SESSION/HOST/SOURCE. Nothing is below a clone: who may write into one could lay a link
# there, and what is mounted next would be mounted where the link points.
_SESSIONS, _HOSTS, _CLONES, _ALL = range(1, 2), range(2, 3), range(3, 4), range(1, 4)


def _place(gate: Bounds, words: Words, depths: range) -> None:
    name = gate.clone_place(words.last(dataset))
    if str(name).count("/") - str(gate.policy.sessions).count("/") not in depths:
        refuse(f"{name} is not where zrep has such a dataset")


def _get(gate: Bounds, words: Words) -> None:
    if not read_all_properties(gate, words):
        refuse("properties are read all at once")


def _holds(gate: Bounds, words: Words) -> None:
    words.expect("-H")
    words.rest(gate.backup_snapshot)


def _of_a_source(gate: Bounds, word: str) -> SnapshotName:
    """A backup's snapshot of data: the recovery sheets are for root alone."""
    name = gate.backup_snapshot(word)
    if name.dataset.is_below(gate.policy.dataset / RECOVERY):
        refuse(f"{name} is no data of a source")
    if parse_label(name.snap) is None and layout_id(name.snap) is None:
        refuse(f"{name} is no backup")
    return name


def _assignments(words: Words) -> Mapping[str, str]:
    said: dict[str, str] = {}
    while words.skip("-o"):
        key, value = assignment(words.take("a property"))
        if key in said:
            refuse(f"{key} is said twice")
        said[key] = value
    return said


def _check(said: Mapping[str, str], known: Values, *, ours: bool) -> None:
    """Only these values, and with `ours` any of ours that a terminal can show."""
    for key, value in said.items():
        free = ours and is_ours(key) and value.isprintable()
        if not free and value not in known.get(key, ()):
            refuse(f"{key}={value} may not be set here")


def _say_all(said: Mapping[str, str], wanted: Values) -> None:
    missing = wanted.keys() - said.keys()
    if missing:
        refuse(f"it must say {', '.join(sorted(missing))}")


def _create(gate: Bounds, words: Words) -> None:
    """A session, which is mounted; a host below it, or the root of all sessions, which are not."""
    quiet = words.skip("-u")
    said = _assignments(words)
    if not quiet:
        _check(said, {}, ours=True)
        _place(gate, words, _SESSIONS)
        return
    is_root = words.skip(str(gate.policy.sessions))
    wanted = _ROOT if is_root else _HOST
    _check(said, wanted, ours=not is_root)
    _say_all(said, wanted)
    if not is_root:
        _place(gate, words, _HOSTS)


def _clone(gate: Bounds, words: Words) -> None:
    said = _assignments(words)
    _check(said, _CLONE, ours=True)
    _say_all(said, _CLONE)
    _of_a_source(gate, words.take("a snapshot"))
    _place(gate, words, _CLONES)


def _hold(gate: Bounds, words: Words) -> None:
    tag = words.take("a tag")
    if not re.fullmatch(_TAG, tag):
        refuse(f"{tag!r} is not a session's tag")
    words.rest(lambda word: _of_a_source(gate, word))


def _of_a_session(gate: Bounds, words: Words) -> None:
    _place(gate, words, _ALL)


FORMS: Mapping[str, Form] = {
    "list": read_list,
    "get": _get,
    "holds": _holds,
    "create": _create,
    "clone": _clone,
    "hold": _hold,
    "release": _hold,
    "mount": _of_a_session,
    "unmount": _of_a_session,
    "destroy": _of_a_session,
}
