"""What single values must look like: raw TOML value in, typed value out, or Wrong with the reason.

The reason completes a sentence that begins with the key: "must be a whole number, not 'x'".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from zrep.model.key import is_word
from zrep.model.names import DatasetName, plain_dataset
from zrep.model.source import Address

if TYPE_CHECKING:
    from zrep.config.positions import Path

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Parse = Callable[[object], T]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DURATION = r"(?:\d+[smhdw])+"
_AMOUNT = r"(\d+)([smhdw])"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SIZE = r"(?i:[1-9]\d*[kmgt]|([1-9]\d?|100)%(ORIGIN|VG|FREE))"
_USER = r"[a-z_][a-z0-9_\-]{0,31}"
_COMPRESSION = r"on|off|lz4|lzjb|zle|gzip(-[1-9])?|zstd(-\d{1,2}|-fast(-\d{1,4})?)?"
_ADDRESS = (
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%[\w.\-]+)?)\]|(?P<host>[^\[\]:]+))(?::(?P<port>\d{1,5}))?"
)
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9._\-]{0,251}[A-Za-z0-9])?"


class Wrong(ValueError):
    """The value cannot stand; `at` leads to the element of it that is to blame."""

    def __init__(self, reason: str, at: Path = ()) -> None:
        super().__init__(reason)
        self.at = at


def shown(value: object) -> str:
    """The value as TOML writes it, shortened to fit a message."""
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def text(value: object) -> str:
    if not isinstance(value, str):
        raise Wrong(f"must be text in quotes, not {shown(value)}")
    if not value.strip():
        raise Wrong("must not be empty")
    if _CONTROL.search(value):
        raise Wrong(f"must not contain control characters: {shown(value)}")
    return value


def boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise Wrong(f"must be true or false (without quotes), not {shown(value)}")
    return value


def integer(low: int, high: int) -> Parse[int]:
    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Wrong(f"must be a whole number, not {shown(value)}")
        if not low <= value <= high:
            raise Wrong(f"must be {low} to {high}, not {value}")
        return value

    return parse


def matching(pattern: str, what: str) -> Parse[str]:
    def parse(value: object) -> str:
        found = text(value)
        if not re.fullmatch(pattern, found):
            raise Wrong(f"must be {what}, not {shown(found)}")
        return found

    return parse


size = matching(_SIZE, "a size like 5g or a share like 20%ORIGIN")
user = matching(_USER, "a user name")
compression = matching(_COMPRESSION, "a ZFS compression like gzip-7, zstd-3 or lz4")


def word(value: object) -> str:
    found = text(value)
    if not is_word(found):
        raise Wrong(
            "must be a name of lower-case letters, digits, '.', '-' and '_' "
            f"that begins with a letter or digit, not {shown(found)}"
        )
    return found


def one_of(kind: type[E]) -> Parse[E]:
    def parse(value: object) -> E:
        found = text(value)
        if found not in [c.value for c in kind]:
            raise Wrong(f"must be {' or '.join(kind)}, not {shown(found)}")
        return kind(found)

    return parse


def list_of(parse: Parse[T], *, empty: bool = False, unique: bool = True) -> Parse[tuple[T, ...]]:
    """A list of what `parse` takes, without repetitions unless they have a meaning."""

    def parse_all(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise Wrong(f"must be a list like [{shown(value)}]")
        if not value and not empty:
            raise Wrong("must not be empty")
        found: list[T] = []
        for index, item in enumerate(value):
            parsed = _element(parse, item, index)
            if unique and parsed in found:
                raise Wrong(f"names {shown(item)} twice", (index,))
            found.append(parsed)
        return tuple(found)

    return parse_all


def _element(parse: Parse[T], item: object, index: int) -> T:
    try:
        return parse(item)
    except Wrong as wrong:
        raise Wrong(str(wrong), (index, *wrong.at)) from None


def absolute_path(value: object) -> str:
    """`/a/b`: normalised, and free of white space, for it travels through other programs' files."""
    found = text(value)
    if not found.startswith("/"):
        raise Wrong(f"must be an absolute path, not {shown(found)}")
    if any(map(str.isspace, found)):
        raise Wrong(f"must not contain white space: {shown(found)}")
    return _normal(found)


def relative_path(value: object) -> str:
    """`a/b`, below something; `.` is all of it, and empty."""
    found = text(value)
    if found == ".":
        return ""
    if found.startswith("/"):
        raise Wrong(f"must be relative to the source, without the leading /: {shown(found)}")
    return _normal(found)


def _normal(path: str) -> str:
    parts = path.split("/")
    if ".." in parts:
        raise Wrong(f"must not contain '..': {shown(path)}")
    lead = "/" if path.startswith("/") else ""
    normal = lead + "/".join(p for p in parts if p not in ("", "."))
    if normal != path:
        raise Wrong(f"must be written {shown(normal)}, not {shown(path)}")
    return path


def dataset(value: object) -> DatasetName:
    found = text(value)
    try:
        return plain_dataset(found)
    except ValueError:
        raise Wrong(f"must be a dataset name like tank/backup, not {shown(found)}") from None


def duration(low: int, high: int) -> Parse[int]:
    """Seconds: "30s" -> 30, "1h30m" -> 5400; the bounds in seconds."""

    def parse(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            raise Wrong(f'must have a unit (s, m, h, d, w), as in "{value}s"')
        seconds = parse_duration(text(value))
        if not low <= seconds <= high:
            raise Wrong(f"must be {low}s to {high}s, not {shown(value)}")
        return seconds

    return parse


def parse_duration(words: str) -> int:
    if not re.fullmatch(_DURATION, words):
        raise Wrong(f"must be a duration like 30s, 90m, 28h or 7d, not {shown(words)}")
    return sum(int(number) * _SECONDS[unit] for number, unit in re.findall(_AMOUNT, words))


def address(value: object) -> Address:
    """`host`, `host:port`, `10.0.0.1`, `[fd00::1]`, `[fd00::1]:2222`."""
    found = text(value)
    if "@" in found:
        raise Wrong(f"must not name a user, that is ssh.user: {shown(found)}")
    match = re.fullmatch(_ADDRESS, found)
    if match is None and found.count(":") > 1 and "[" not in found:
        raise Wrong(f"must have an IPv6 address in brackets, as in '[{found}]'")
    if match is None or (match["host"] and not re.fullmatch(_HOST, match["host"])):
        raise Wrong(f"must be a host name or address, with :port if need be, not {shown(found)}")
    port = int(match["port"] or 22)
    if not 1 <= port <= 65_535:
        raise Wrong(f"must have a port from 1 to 65535, not {port}")
    return Address(host=_numeric(match["v6"] or match["host"]), port=port)


def _numeric(host: str) -> str:
    """An IP address must be one; names pass."""
    if ":" not in host and host.strip("0123456789."):
        return host
    from ipaddress import ip_address

    try:
        ip_address(host)
    except ValueError:
        raise Wrong(f"must be a valid IP address, not {shown(host)}") from None
    return host
