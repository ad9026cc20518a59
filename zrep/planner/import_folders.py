"""Which source each folder of the old layout is: as said, as configured, or by its name. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from zrep.errors import Refused, UnknownName, UsageError
from zrep.frozen import dataclass
from zrep.model.key import SourceKey, is_word
from zrep.model.layout import parse_folder, spell_folder
from zrep.model.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """Which source a folder is; one that is not configured has the folder's own name."""

    folder: str
    key: SourceKey
    configured: bool


def parse_map(text: str) -> tuple[str, SourceKey]:
    """manager-1@+docker=manager-1/docker; UsageError for anything else."""
    folder, _, source = text.rpartition("=")
    host, slash, name = source.partition("/")
    if not folder or not slash or not is_word(host) or not is_word(name):
        raise UsageError(
            f"--map: {text!r} does not say which source a folder is",
            next_step="write it like 'manager-1@+docker=manager-1/docker'",
        )
    return folder, SourceKey(host, name)


def check_maps(maps: Mapping[str, SourceKey], known: set[str]) -> None:
    """UnknownName for a folder that is in no snapshot, which is a slip of the pen."""
    for folder in maps:
        if folder not in known:
            there = ", ".join(sorted(filter(None, known))) or "none"
            raise UnknownName(
                f"--map: no snapshot has a folder {folder!r}",
                why=f"there are: {there}",
                next_step="write the folder as it is called there",
            )


def map_folders(
    names: Iterable[str], sources: Sequence[Source], maps: Mapping[str, SourceKey]
) -> dict[str, Mapped]:
    """By name, without the folders of which it cannot be known. Refused for what is ambiguous."""
    found = (_map(name, sources, maps) for name in sorted(set(names)))
    mapped = {one.folder: one for one in found if one is not None}
    _check_distinct(mapped.values())
    return mapped


def _map(name: str, sources: Sequence[Source], maps: Mapping[str, SourceKey]) -> Mapped | None:
    configured = {s.key: s for s in reversed(sources)}
    if name in maps:
        key = maps[name]
        return Mapped(folder=name, key=key, configured=key in configured)
    for source in sources:
        if spell_folder(source.key.host, source.path) == name:
            return Mapped(folder=name, key=source.key, configured=True)
    own = parse_folder(name)
    if own is None or not all(map(is_word, own)):
        return None
    key = SourceKey(*own)
    if key in configured:
        raise Refused(
            f"{name} would be taken for the source {key}",
            why=f"that is {configured[key].path} on {key.host}, which is another folder",
            next_step=f"say what it is: --map '{name}={key.host}/OTHER-NAME'",
        )
    return Mapped(folder=name, key=key, configured=False)


def _check_distinct(mapped: Iterable[Mapped]) -> None:
    folders: dict[SourceKey, list[str]] = defaultdict(list)
    for one in mapped:
        folders[one.key].append(one.folder)
    for key, names in folders.items():
        if len(names) > 1:
            raise Refused(
                f"two folders would be the same source {key}",
                why=" and ".join(names),
                next_step=f"name another source for one of them: --map '{names[-1]}=HOST/SOURCE'",
            )
