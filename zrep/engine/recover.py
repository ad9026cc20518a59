"""Cleaning up after crashed runs, on all hosts at once: thaw first, then release."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from zrep.engine.journal import Journal
from zrep.engine.lock import exclusive
from zrep.engine.progress import Progress
from zrep.engine.site import Site
from zrep.errors import Exit, ZrepError
from zrep.frozen import dataclass
from zrep.model.names import BackupId
from zrep.source.capsule_json import Hold, Leftover, Thawed
from zrep.source.capsules import Capsules
from zrep.source.together import together

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRecovery:
    """What was found on one host and taken away; `removed` in words."""

    host: str
    thawed: tuple[Thawed, ...] = ()
    removed: tuple[str, ...] = ()
    thaw_error: ZrepError | None = None
    release_error: ZrepError | None = None

    @property
    def error(self) -> ZrepError | None:
        return self.thaw_error or self.release_error


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLeftovers:
    """What is on one host now; also what runs that are alive hold."""

    host: str
    holds: tuple[Hold, ...]
    leftovers: tuple[Leftover, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverReport:
    """One entry per host, by name."""

    hosts: tuple[HostRecovery, ...]

    @property
    def status(self) -> Exit:
        """A failed thaw is the worst; otherwise PARTIAL when some hosts are clean."""
        errors = [h.error for h in self.hosts if h.error is not None]
        if any(h.thaw_error for h in self.hosts):
            return Exit.SOURCE
        if not errors:
            return Exit.DONE
        return Exit.PARTIAL if len(errors) < len(self.hosts) else errors[0].exit


def observe_leftovers(site: Site) -> tuple[HostLeftovers, ...]:
    """One entry per host, by name; changes nothing."""
    reports = together({name: partial(c.probe) for name, c in _capsules(site).items()})
    return tuple(
        HostLeftovers(host=name, holds=r.holds, leftovers=r.leftovers)
        for name, r in sorted(reports.items())
    )


def recover(site: Site, progress: Progress) -> RecoverReport:
    """Raises Busy while a run of any set is alive: what it holds is no leftover."""
    now = BackupId.at(datetime.now(UTC))
    hosts = _capsules(site)
    with (
        _no_run_alive(site),
        Journal(site.state_dir, "recover", str(now)) as journal,
        journal.step("recover", hosts=list(hosts)),
    ):
        progress.step(f"recover: {', '.join(hosts)}")
        done = together({name: partial(_recover_one, name, c) for name, c in hosts.items()})
    return RecoverReport(hosts=tuple(done[name] for name in sorted(done)))


def _capsules(site: Site) -> Mapping[str, Capsules]:
    sets = site.config.sets.values()
    names = sorted({host for s in sets for host in (*s.hosts, *s.paused_hosts)})
    return {name: Capsules(site.source_host(name)) for name in names}


@contextmanager
def _no_run_alive(site: Site) -> Iterator[None]:
    with ExitStack() as locks:
        for name in sorted(site.config.sets):
            locks.enter_context(exclusive(site.run_dir, f"set-{name}"))
        yield


def _recover_one(name: str, capsules: Capsules) -> HostRecovery:
    thawed, thaw_error = _attempt(capsules.thaw)
    removed, release_error = _attempt(capsules.release)
    return HostRecovery(
        host=name,
        thawed=thawed or (),
        removed=removed or (),
        thaw_error=thaw_error,
        release_error=release_error,
    )


def _attempt(action: Callable[[], T]) -> tuple[T | None, ZrepError | None]:
    try:
        return action(), None
    except ZrepError as error:
        return None, error
