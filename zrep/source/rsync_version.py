"""Which rsync is new enough on either side of a pull, and why. Pure."""

from __future__ import annotations

import re

from zrep.frozen import dataclass

_FIRST_LINE = re.compile(r"rsync +version +v?(\d+(?:\.\d+)*)")
_NUMBERS = re.compile(r"\d+(?:\.\d+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """The oldest version that will do, and what goes wrong with an older one."""

    oldest: str
    why: str


# Negated names in `refuse options` came with 3.2.0 (rsync's NEWS). Security fixes do not show in
# the version: distributions put them into older ones.
SENDER = Needed(oldest="3.2.0", why="an older one cannot be told to refuse all options but a few")
RECEIVER = Needed(oldest="3.2.0", why="older ones were never tried")


def parse_version(text: str) -> str:
    """`rsync  version 3.4.1  protocol version 32...` -> `3.4.1`; empty when it says none."""
    match = _FIRST_LINE.match(text)
    return match[1] if match else ""


def version_problem(version: str, needed: Needed) -> str | None:
    """Why this version will not do; an empty one is an rsync that is missing."""
    if not _NUMBERS.fullmatch(version):
        return (
            f"rsync is missing, or does not tell its version: it must be {needed.oldest} or newer"
        )
    if _key(version) < _key(needed.oldest):
        return f"rsync {version} is too old, it must be {needed.oldest} or newer: {needed.why}"
    return None


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))
