"""Sets and their sources: [set.NAME] and [set.NAME.source.NAME]."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from zrep.config.capture import Capture, read_capture
from zrep.config.cron import cron
from zrep.config.keys import ZREP
from zrep.config.monitoring import read_watch
from zrep.config.schema import Section, dotted, suggest
from zrep.config.transfer import bandwidth, read_allowance
from zrep.config.values import (
    Parse,
    Wrong,
    absolute_path,
    boolean,
    duration,
    integer,
    list_of,
    one_of,
    shown,
    text,
)
from zrep.frozen import dataclass
from zrep.model.key import SourceKey
from zrep.model.methods import METHODS
from zrep.model.names import MAX_DATASET_NAME, DatasetName, SnapClass
from zrep.model.source import BackupSet, Method, OnPartial, Quiesce, Source

_MAX_PAUSE = 300
_MAX_PARALLEL = 16
_LONGEST_SNAPSHOT = len("@zrep_20220906_082043_" + ".".join(SnapClass))


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One source as a section names it; `source` None when the section has problems."""

    key: SourceKey
    source: Source | None
    section: Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Sets:
    """All sets and what they declare; `doubtful` are names of sources with problems.

    What refers to a doubtful source is not reported as well: one mistake, one problem.
    """

    sets: Mapping[str, BackupSet]
    declared: tuple[Declared, ...]
    doubtful: frozenset[str]


def read_sets(root: Section, hosts: Iterable[str]) -> Sets:
    known = sorted(hosts)
    sets: dict[str, BackupSet] = {}
    declared: list[Declared] = []
    doubtful: set[str] = set()
    for name, section in root.tables("set", ZREP["set.*"]).items():
        found: list[Declared] = []
        for source_name, source in section.tables("source", ZREP["set.*.source.*"]).items():
            before = len(root.problems)
            found += _read_source(source, source_name, known)
            if source.unknown or len(root.problems) > before:
                doubtful.add(source_name)
        _check_shared(found, declared)
        declared += found
        sources = tuple(d.source for d in found if d.source)
        sets[name] = _set(name, section, sources, known)
    return Sets(sets=sets, declared=tuple(declared), doubtful=frozenset(doubtful))


def _set(name: str, section: Section, sources: tuple[Source, ...], known: list[str]) -> BackupSet:
    section.get("schedule", cron)
    quiesce = _quiesce(section.table("quiesce", ZREP["set.*.quiesce"]), known)
    partial = section.get_or("on_partial", one_of(OnPartial), OnPartial.PUBLISH)
    if not section.values.get("source"):
        section.note(f"has no source: add [{dotted(section.path)}.source.NAME]")
    return BackupSet(
        name=name,
        sources=sources,
        on_partial=partial,
        quiesce=quiesce,
        parallel=section.get_or("parallel", integer(1, _MAX_PARALLEL), 1),
        bwlimit=section.get("bwlimit", bandwidth),
        ignore_mounts=section.get_or("ignore_mounts", list_of(absolute_path, empty=True), ()),
        watch=read_watch(section),
    )


def _quiesce(section: Section, known: list[str]) -> Quiesce:
    return Quiesce(
        docker=section.get_or("docker", boolean, default=False),
        max_pause=section.get_or("max_pause", duration(1, _MAX_PAUSE), Quiesce().max_pause),
        hosts=section.get_or("hosts", list_of(_host_in(known)), ()),
    )


def _read_source(section: Section, name: str, known: list[str]) -> list[Declared]:
    """The source once for each of its hosts."""
    before = len(section.problems)
    how = section.need("method", one_of(Method))
    path = section.need("path", absolute_path)
    capture = read_capture(section, how) if how else Capture()
    mounted = section.get_or("mounted", boolean, default=False)
    exclude = section.get("exclude", list_of(text, empty=True)) or ()
    allowance = read_allowance(section)
    keys = [SourceKey(host, name) for host in _hosts_of(section, known)]
    _check_hosts(section, how, keys)
    if how is None or path is None or len(section.problems) > before:
        return [Declared(key=key, source=None, section=section) for key in keys]
    made = [
        Source(
            key=key,
            method=how,
            path=path,
            volume=capture.volume,
            size=capture.size,
            mounted=mounted,
            exclude=exclude,
            pool=capture.pool,
            heals_max=capture.heals_max,
            dump=capture.dump,
            prepare=capture.prepare,
            allowance=allowance,
        )
        for key in keys
    ]
    found = () if section.unknown else (p for s in made for p in METHODS[how].problems(s))
    for problem in sorted(set(found)):
        section.note(f"cannot be captured by {how}: {problem}")
    return [Declared(key=source.key, source=source, section=section) for source in made]


def _check_hosts(section: Section, how: Method | None, keys: Sequence[SourceKey]) -> None:
    """A gluster volume is one for all its hosts, and a snapshot of it too."""
    if how is Method.GLUSTER and len(keys) > 1:
        section.note("names several hosts, but one drives a gluster volume", "hosts")


def _hosts_of(section: Section, known: list[str]) -> tuple[str, ...]:
    """The logical hosts that the source names, all of which the deployment must have."""
    if ("host" in section.values) == ("hosts" in section.values):
        if not section.misspelt("host") and not section.misspelt("hosts"):
            section.note("must have either host or hosts")
        return ()
    host = _host_in(known)
    if "hosts" in section.values:
        return section.get("hosts", list_of(host)) or ()
    one = section.get("host", host)
    return (one,) if one else ()


def _host_in(known: list[str]) -> Parse[str]:
    """A logical host that the deployment has."""

    def host(value: object) -> str:
        found = text(value)
        if found not in known:
            raise Wrong(f"{shown(found)} is not in the deployment's hosts{suggest(found, known)}")
        return found

    return host


def _check_shared(found: Sequence[Declared], before: Sequence[Declared]) -> None:
    """Two sets may capture one source, but only in one and the same way."""
    first = {d.key: d for d in before}
    for one in found:
        other = first.get(one.key)
        if other and one.source and other.source and one.source != other.source:
            where = other.section
            one.section.note(
                f"{one.key} is defined otherwise by {dotted(where.path)} in line {where.line}; "
                "both would write the same dataset"
            )


def check_lengths(declared: Sequence[Declared], target: DatasetName) -> None:
    """Note sources whose snapshots would have names longer than ZFS allows."""
    for one in declared:
        length = len(f"{target}/{one.key}") + _LONGEST_SNAPSHOT
        if length > MAX_DATASET_NAME:
            one.section.note(
                f"makes snapshot names of {length} characters for {one.key}; ZFS allows 255"
            )
