"""Which source a path belongs to, and where in it. Pure.

A path is `host/source/path...`, or one of the source host (`/docker/etc/nginx`), or with a source
named beside it, one within that source.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from zrep.errors import Refused, UnknownName, UsageError
from zrep.frozen import dataclass
from zrep.model.key import SourceKey
from zrep.model.source import Source

Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """`parts` are the names on the way from the source's top; none for the top itself."""

    key: SourceKey
    parts: Parts

    def __str__(self) -> str:
        return "/".join((str(self.key), *self.parts))


def split_path(text: str) -> Parts:
    """a//b/./c/ -> a, b, c. Refused for what leads out of the backup."""
    parts = tuple(part for part in text.split("/") if part not in {"", "."})
    if ".." in parts:
        raise Refused(f"{text!r} leads out of the backup", next_step="write the path without '..'")
    if "\0" in text:
        raise UsageError("a path has no NUL in it")
    return parts


def locate(
    text: str,
    keys: Iterable[SourceKey],
    sources: Sequence[Source],
    *,
    only: SourceKey | None = None,
) -> Location:
    """`keys` are the sources that backups hold, `sources` the configured ones, which have a path.

    UsageError with the candidates when several sources could be meant; UnknownName when none is.
    """
    known = sorted(set(keys))
    parts = split_path(text)
    if text.startswith("/"):
        return _of_host(text, parts, [s for s in sources if only in {None, s.key}], only)
    if parts[:2] in {(k.host, k.name) for k in known} and only in {None, SourceKey(*parts[:2])}:
        return Location(key=SourceKey(*parts[:2]), parts=parts[2:])
    if only is not None:
        return Location(key=only, parts=parts)
    raise UnknownName(
        f"no backup holds a source {'/'.join(parts[:2]) or text!r}",
        why=f"there are {', '.join(map(str, known))}" if known else "there are no backups yet",
        next_step="write it like manager-1/docker/etc/nginx, or like /docker/etc/nginx",
    )


def _of_host(
    text: str, parts: Parts, sources: Sequence[Source], only: SourceKey | None
) -> Location:
    found = list(_candidates(parts, sources))
    if len(found) == 1:
        return found[0]
    if not found:
        where = f"{only} does not hold it" if only else "no source's path holds it"
        paths = ", ".join(f"{s.key} has {s.path}" for s in sources) or "none is configured"
        raise UnknownName(f"{text}: {where}", why=paths, next_step="write it like HOST/SOURCE/PATH")
    raise UsageError(
        f"{text} is on several hosts",
        why=f"it could be {', '.join(map(str, found))}",
        next_step="write one of these, or say --source HOST/SOURCE",
    )


def _candidates(parts: Parts, sources: Sequence[Source]) -> Iterator[Location]:
    """On each host the sources whose path is the longest beginning of this one."""
    tops = {s.key: split_path(s.path) for s in sources}
    holding = {key: len(top) for key, top in tops.items() if parts[: len(top)] == top}
    for key, depth in sorted(holding.items()):
        if depth == max(d for k, d in holding.items() if k.host == key.host):
            yield Location(key=key, parts=parts[depth:])
