"""Deployments: which machine plays which host, and what may be restored into which of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zrep.config.keys import ZREP
from zrep.config.schema import Section, suggest
from zrep.config.values import (
    Parse,
    Wrong,
    absolute_path,
    address,
    boolean,
    duration,
    list_of,
    shown,
    text,
    word,
)
from zrep.frozen import dataclass
from zrep.model.source import SCRUB_SECONDS, Address, Deployment, Target

_LONGEST_SCRUB = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployments:
    """The one that is backed up, its hosts, and the others by name."""

    chosen: str
    hosts: Mapping[str, Address]
    elsewhere: Mapping[str, Deployment]


def read_deployments(root: Section) -> Deployments:
    sections = root.tables("deployment", ZREP["deployment.*"])
    found = {name: _read(section, name, sections) for name, section in sections.items()}
    marked = [n for n, s in sections.items() if s.get_or("default", boolean, default=False)]
    if len(marked) > 1:
        sections[marked[1]].note(f"{marked[0]} is the default deployment already", "default")
    if len(sections) > 1 and not marked:
        root.note("several deployments: say default = true in the one to back up", "deployment")
    chosen = [*marked, *sections, ""][0]
    return Deployments(
        chosen=chosen,
        hosts=found[chosen].hosts if chosen else {},
        elsewhere={name: one for name, one in found.items() if name != chosen},
    )


def _read(section: Section, name: str, known: Mapping[str, object]) -> Deployment:
    return Deployment(
        name=name,
        hosts=_read_hosts(section),
        accepts=section.get_or("allow_restore_from", list_of(_other(name, known), empty=True), ()),
        scrub=section.get_or("scrub", list_of(absolute_path, empty=True), ()),
        scrub_time=section.get_or("scrub_timeout", duration(1, _LONGEST_SCRUB), SCRUB_SECONDS),
    )


def _other(name: str, known: Mapping[str, object]) -> Parse[str]:
    def other(value: object) -> str:
        found = text(value)
        if found == name:
            raise Wrong("names itself: its own backups always come back to it")
        if found not in known:
            others = [n for n in known if n != name]
            raise Wrong(f"{shown(found)} is no deployment{suggest(found, others)}")
        return found

    return other


def _read_hosts(section: Section) -> dict[str, Address]:
    """Hosts with a wrong address stay in the list, so that their sources are no second error."""
    names = section.table("hosts", ())
    found = {}
    for name in names.values:
        try:
            word(name)
        except Wrong as wrong:
            names.note(f"the name {wrong}", name)
        found[name] = names.get(name, address) or Address(host=name)
    if not found:
        section.note("has no hosts")
    return found


def check_apart(root: Section, read: Deployments, target: Target | None) -> None:
    """Note machines that what is restored elsewhere must never reach, and those with two names."""
    for name, one in read.elsewhere.items():
        for host, problem in _shared(one, read, target):
            root.note(problem, "deployment", name, "hosts", host)


def _shared(one: Deployment, read: Deployments, target: Target | None) -> Iterator[tuple[str, str]]:
    taken = {_machine(a): f"{name} of {read.chosen}" for name, a in read.hosts.items()}
    if target and target.address:
        taken.setdefault(_machine(target.address), "the target")
    for name, place in one.hosts.items():
        if other := taken.get(_machine(place)):
            yield name, f"{place} is {other}: each host needs a machine of its own"
        taken.setdefault(_machine(place), name)


def _machine(place: Address) -> tuple[str, int]:
    return place.host.lower().rstrip("."), place.port
