"""The hosts of one run: probed, cleared of what crashed runs left, captured together, released.

Each is asked at the same time as the others, and each step is journalled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Protocol, TypeVar

from zrep.engine.journal import Journal
from zrep.engine.progress import Progress
from zrep.engine.site import Site
from zrep.errors import SourceFailed, ZrepError
from zrep.model.key import SourceKey
from zrep.model.methods import before_seconds
from zrep.model.source import BackupSet, Method
from zrep.source.barrier import Barrier, Outcome, pause_warnings
from zrep.source.capsule_json import ProbeReport
from zrep.source.capsules import SECONDS, Capsules
from zrep.source.leftovers import clear, has_leftovers
from zrep.source.releases import Releases
from zrep.source.together import begin, together, together_until

T = TypeVar("T")
Probing = Callable[[], Mapping[str, ProbeReport]]


class Teller(Protocol):
    """Where warnings go that end up in the run's report."""

    def warn(self, text: str) -> None: ...


def begin_probes(site: Site, backup_set: BackupSet) -> Probing:
    """Asks every host of the set how it is; calling what this returns waits for their answers.

    Nothing is changed there, so it may begin before anything else is known of the run.
    """
    return _probing(_capsules(site, backup_set), backup_set)


def _probing(capsules: Mapping[str, Capsules], backup_set: BackupSet) -> Probing:
    name = backup_set.name
    return begin({h: partial(c.probe, set_name=name) for h, c in capsules.items()})


def _capsules(site: Site, backup_set: BackupSet) -> Mapping[str, Capsules]:
    names = sorted({*backup_set.hosts, *backup_set.paused_hosts})
    return {name: Capsules(site.source_host(name)) for name in names}


class SourceHosts:
    """The source hosts of `backup_set`, and those that are only paused for it.

    `absent` are the sources that could not be prepared and are left out, and why. Whoever has
    read a source tells `releases`, so that no host keeps its snapshots longer than it must.
    `probing` are the answers to `begin_probes`, when that was called before.
    """

    def __init__(
        self,
        site: Site,
        backup_set: BackupSet,
        run: str,
        journal: Journal,
        progress: Progress,
        *,
        probing: Probing | None = None,
    ) -> None:
        self.set = backup_set
        self.run = run
        self.journal = journal
        self.progress = progress
        self.absent: dict[SourceKey, SourceFailed] = {}
        self.capsules = _capsules(site, backup_set)
        self._begun = probing
        self.releases = Releases((s.key for s in backup_set.sources), self._release)
        self._unreleased: dict[str, ZrepError] = {}

    def probe(self) -> Mapping[str, ProbeReport]:
        """All hosts as they are, after leftovers of crashed runs were removed."""
        reports = self._probe(self._begun)
        left = {h: r for h, r in reports.items() if has_leftovers(r, self.set.name)}
        if not left:
            return reports
        with self._step("recover", left):
            together({h: partial(self._clear, h, report) for h, report in left.items()})
        return self._probe()

    def _probe(self, begun: Probing | None = None) -> Mapping[str, ProbeReport]:
        with self._step("probe", self.capsules):
            probing = begun or _probing(self.capsules, self.set)
            return probing()

    def _clear(self, host: str, report: ProbeReport) -> None:
        clear(self.capsules[host], report, set_name=self.set.name, run=self.run)

    def _before(self, teller: Teller) -> None:
        """While all services run: dumps and flushes on the hosts that have any, and then, on those
        that are to be paused, the look whether snapshots can be taken."""
        slow = before_seconds(self.set)
        self._ask_before("before", slow, teller)
        quick = (h for h in self.set.hosts if h in self.set.paused_hosts and h not in slow)
        self._ask_before("look", dict.fromkeys(quick, SECONDS["probe"]), teller)

    def _ask_before(self, step: str, seconds: Mapping[str, float], teller: Teller) -> None:
        if not seconds:
            return
        with self._step(step, seconds):
            failed = together({h: partial(self._before_one, h, s) for h, s in seconds.items()})
        for host, errors in failed.items():
            for name, error in errors.items():
                self._leave_out(SourceKey(host, name), error, teller)

    def _before_one(self, host: str, seconds: float) -> Mapping[str, SourceFailed]:
        return self.capsules[host].before(run=self.run, set_name=self.set.name, timeout=seconds)

    def _leave_out(self, key: SourceKey, error: SourceFailed, teller: Teller) -> None:
        """A dump that failed is one source less. What could not be flushed ends the run."""
        if key not in {s.key for s in self.set.sources if s.method is Method.DUMP}:
            raise error
        self.absent[key] = error
        teller.warn(str(error))

    @contextmanager
    def captured(self, teller: Teller) -> Iterator[Outcome]:
        """Every source's snapshot, prepared for reading; released however the body ends."""
        try:
            self._before(teller)
            yield self._capture(teller)
        finally:
            self.releases.finish()
            self._tell_unreleased(teller)

    def _capture(self, teller: Teller) -> Outcome:
        if not self.set.paused_hosts:
            self._snapshot({})
            return Outcome()
        captured: dict[str, Mapping[str, int]] = {}
        barrier = Barrier(
            hosts={h: self.capsules[h] for h in self.set.paused_hosts},
            quiesce=self.set.quiesce,
            run=self.run,
            set_name=self.set.name,
            step=lambda name: self._step(name, self.set.paused_hosts),
        )
        outcome = barrier.around(lambda deadline: captured.update(self._in_pause(deadline)))
        self._tell(outcome, teller)
        self._snapshot(captured)
        return outcome

    def _tell(self, outcome: Outcome, teller: Teller) -> None:
        """At once: whatever comes next may fail, or take hours."""
        for warning in pause_warnings(outcome.pauses):
            teller.warn(warning)
        paused = outcome.still_paused()
        if paused is not None:
            teller.warn(str(paused))

    def _in_pause(self, deadline: float) -> Mapping[str, Mapping[str, int]]:
        left = max(0.1, deadline - time.monotonic())
        actions = {
            h: partial(c.capture, run=self.run, set_name=self.set.name, timeout=left)
            for h, c in self._sources()
        }
        with self._step("snapshot", self.set.hosts):
            return together_until(actions, deadline)

    def _snapshot(self, captured: Mapping[str, Mapping[str, int]]) -> None:
        """Snapshots that can be read: new ones, or those that were `captured` in the pause."""
        step = "open" if captured else "snapshot"
        with self._step(step, self.set.hosts):
            together(
                {
                    h: partial(
                        c.snapshot,
                        run=self.run,
                        set_name=self.set.name,
                        captured=captured.get(h),
                    )
                    for h, c in self._sources()
                }
            )

    def _sources(self) -> Iterable[tuple[str, Capsules]]:
        return ((h, self.capsules[h]) for h in self.set.hosts)

    def check(self, key: SourceKey) -> None:
        """Whether the source's snapshot still holds what was captured; SourceFailed if not."""
        self.capsules[key.host].check(run=self.run, set_name=self.set.name, source=key.name)

    def _release(self, host: str) -> None:
        """A host that cannot release keeps a tagged leftover, which the next run removes."""
        with self.journal.step("release", hosts=[host]):
            try:
                self.capsules[host].release(run=self.run, set_name=self.set.name)
            except ZrepError as error:
                self._unreleased[host] = error

    def _tell_unreleased(self, teller: Teller) -> None:
        for host, error in sorted(self._unreleased.items()):
            teller.warn(f"{host}: could not release its snapshots: {error}")

    @contextmanager
    def _step(self, name: str, hosts: Iterable[str]) -> Iterator[None]:
        names = list(hosts)
        with self.journal.step(name, hosts=names):
            self.progress.step(f"{name}: {', '.join(names)}")
            yield
