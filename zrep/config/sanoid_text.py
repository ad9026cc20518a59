"""How the text behind a key of sanoid.conf is read, and which text is refused.

Sanoid takes any text for a number, a switch or an age: what it cannot read is 0, on, or one second.
A count read as 0 destroys the whole class, so what does not mean what it seems to is refused, with
the value that is nearest to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from zrep.config import keys
from zrep.config.sanoid_values import MAX_COUNT
from zrep.config.schema import nearest
from zrep.config.values import Wrong, shown
from zrep.model.ages import age_seconds
from zrep.model.policy import DAY, SCHEDULE_RANGES
from zrep.model.sanoid import DEFAULTS, FALSE_WORDS, TOGGLES, TRUE_WORDS

_WHOLE = re.compile(r"(\d+)", re.ASCII)
_COMMENTED = re.compile(r"([^#;]*?)\s*[#;].*")
_UNIT = re.compile(r":?(\d+)(?::00|\s*(?:[a-z%,]|days?|hours?|min|minutes?))?", re.ASCII)
_NAMES = {
    "weekly_wday": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
    "yearly_mon": (
        *("", "jan", "feb", "mar", "apr", "may", "jun"),
        *("jul", "aug", "sep", "oct", "nov", "dec"),
    ),
}


class Said(NamedTuple):
    """The value as sanoid would read it, written in the plainest way, and what to say about it."""

    value: str
    remark: str = ""


Read = Callable[[str], Said]


def whole(key: str, low: int, high: int) -> Read:
    """A whole number; of `30 # keep` the 30, with a remark."""

    def read(text: str) -> Said:
        commented = _COMMENTED.fullmatch(text)
        found = _WHOLE.fullmatch(commented[1] if commented else text)
        if found is None:
            raise Wrong(f"must be a whole number, not {shown(text)}{_instead(key, text)}")
        value = int(found[1])
        if not low <= value <= high:
            nearest_value = min(max(value, low), high)
            raise Wrong(f"must be {low} to {high}, not {value}; the nearest is {nearest_value}")
        if commented:
            return Said(str(value), f"is read as {value}; a comment needs a line of its own")
        return Said(str(value))

    return read


def _instead(key: str, text: str) -> str:
    """The number that must be meant, if any can be told; never a 0, which would destroy."""
    inner = text.strip("\"' ")
    if inner != text and _WHOLE.fullmatch(inner):
        return f": quotes have no meaning here, write {inner}"
    names = _NAMES.get(key, ())
    unit = _UNIT.fullmatch(text)
    if text[:3].lower() in names:
        meant = names.index(text[:3].lower())
    elif unit and int(unit[1]):
        meant = int(unit[1])
    else:
        return f"; the default is {DEFAULTS[key]}"
    return f"; did you mean {meant}?"


def switch(text: str) -> Said:
    """yes or no, in any of sanoid's spellings."""
    if text in TRUE_WORDS or text in FALSE_WORDS:
        return Said(text)
    raise Wrong(_no_word(text, ("yes", "no"), "yes or no"))


def recursive(text: str) -> Said:
    if text in TRUE_WORDS or text in FALSE_WORDS:
        return Said(text)
    if text.lower() == "zfs":
        return Said("zfs")
    raise Wrong(_no_word(text, ("yes", "no", "zfs"), "yes, no or zfs"))


_CLEAR = {"y": "yes", "t": "yes", "n": "no", "f": "no", "z": "zfs", "e": "yes", "d": "no"}


def _no_word(text: str, words: tuple[str, ...], named: str) -> str:
    commented = _COMMENTED.fullmatch(text)
    if commented and commented[1]:
        return f"must be {named}, not {shown(text)}: a comment needs a line of its own"
    near = nearest(text.strip("\"' "), words) or _CLEAR.get(text.strip("\"' ")[:1].lower(), "")
    hint = f"; did you mean {near}?" if near in words else ""
    return f"must be {named}, not {shown(text)}{hint}"


def age(key: str) -> Read:
    def read(text: str) -> Said:
        if found := _WHOLE.fullmatch(text):
            return Said(str(int(found[1])))
        if age_seconds(key, text) is None:
            near = text.replace(" ", "").strip("\"'")
            usual = "28h" if DEFAULTS[key] == "0" else DEFAULTS[key]
            hint = f"did you mean {near}?" if age_seconds(key, near) else f"write it like {usual}"
            raise Wrong(f"must be an age with one unit (y w d h m s), not {shown(text)}; {hint}")
        if text[-1] in "yY":
            return Said(text, f"is {text[:-1]} times 365 days; sanoid takes it for 31 times that")
        return Said(text)

    return read


def timeout(text: str) -> Said:
    """Seconds; empty and below zero are no limit, and so the same as 0."""
    if not text or re.fullmatch(r"-\d+", text, re.ASCII):
        return Said("0")
    return whole("script_timeout", 0, DAY)(text)


def anything(text: str) -> Said:
    return Said(text)


READERS: Mapping[str, Read] = {
    **{key: whole(key, 0, MAX_COUNT) for key in keys.COUNTS},
    **{key: whole(key, low, high) for key, (low, high) in SCHEDULE_RANGES.items()},
    **{key: whole(key, 0, 100) for key in ("prune_defer", *keys.CAPACITY)},
    **dict.fromkeys(TOGGLES, switch),
    **{key: age(key) for key in keys.AGES},
    **dict.fromkeys((*keys.SCRIPTS, "path", "use_template"), anything),
    "script_timeout": timeout,
    "recursive": recursive,
}
