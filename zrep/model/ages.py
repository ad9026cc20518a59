"""Ages as sanoid writes them, for the keys that warn of what is old."""

from __future__ import annotations

AGE_UNITS = {"y": 365 * 86_400, "w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
# What a bare number counts in; a month of the yearly keys has 31 days.
BARE_AGE_UNITS = {
    "frequently": 1,
    "hourly": 60,
    "daily": 3_600,
    "weekly": 86_400,
    "monthly": 604_800,
    "yearly": 31 * 86_400,
}


def age_seconds(key: str, text: str) -> int | None:
    """The age behind a `*_warn` or `*_crit` key; None when it is none.

    hourly_warn, "90" -> 5400; daily_crit, "32h" -> 115200; "10x" -> None
    """
    if text.isascii() and text.isdigit():
        return int(text) * BARE_AGE_UNITS[key.rpartition("_")[0]]
    count, unit = text[:-1], text[-1:].lower()
    known = count.isascii() and count.isdigit() and unit in AGE_UNITS
    return int(count) * AGE_UNITS[unit] if known else None
