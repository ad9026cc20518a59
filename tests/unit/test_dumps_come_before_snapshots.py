"""Dumps and flushes are asked for first, of the hosts that have any. A dump that failed is one
source less; what could not be flushed ends the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from zrep.engine.journal import Journal
from zrep.engine.progress import Silent
from zrep.engine.site import Site
from zrep.engine.source_hosts import SourceHosts
from zrep.errors import SourceFailed
from zrep.host.port import Completed, Host
from zrep.model.key import SourceKey
from zrep.model.names import DatasetName
from zrep.model.policy import Policy
from zrep.model.source import (
    Address,
    BackupSet,
    Config,
    Database,
    Dump,
    Method,
    Preparation,
    Prepare,
    Quiesce,
    Source,
    Target,
)

RUN = "20260102_030405"
FAILURE = '{"event":"error","source":"db","code":"cut-off","why":"cut off","next":"look"}\n'


class Listener:
    """A source host that does as it is told; `failing` is the verb it cannot do."""

    def __init__(self, name: str, heard: list[str], failing: str) -> None:
        self.name = name
        self.heard = heard
        self.failing = failing

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,  # noqa: ARG002 - the port's
        timeout: float = 60.0,
        ok: Sequence[int] = (0,),  # noqa: ARG002 - the port's
    ) -> Completed:
        self.heard.append(f"{self.name} {argv[0]} {timeout:g}")
        failed = argv[0] == self.failing
        text = FAILURE if failed else f'{{"event":"done","verb":"{argv[0]}"}}\n'
        return Completed(argv=tuple(argv), returncode=int(failed), stdout=text, stderr="")

    def bulk_argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        return tuple(argv)

    def close(self) -> None:
        """Nothing to drop."""


class ListeningSite(Site):
    def __init__(self, config: Config, failing: str) -> None:
        super().__init__(config)
        self.heard: list[str] = []
        self.failing = failing

    def source_host(self, name: str) -> Host:
        return Listener(name, self.heard, self.failing)


DUMP = Dump(database=Database.POSTGRESQL, service="shop_db", max_time=600)
PLATFORM = BackupSet(
    name="platform",
    sources=(
        Source(key=SourceKey("a", "db"), method=Method.DUMP, path="/var/lib/dumps/db", dump=DUMP),
        Source(key=SourceKey("b", "etc"), method=Method.DIR, path="/etc"),
    ),
)
FLUSHED = Source(
    key=SourceKey("a", "db"),
    method=Method.DIR,
    path="/srv/db",
    prepare=Preparation(kind=Prepare.CASSANDRA, service="shop_db"),
)
CONFIG = Config(
    target=Target(dataset=DatasetName("backup/current"), policy=Policy(name="p", keep={})),
    hosts={name: Address(host=name) for name in ("a", "b")},
    sets={"platform": PLATFORM},
    replicas={},
    services={},
)


@dataclass(frozen=True)
class Seen:
    """What a run asked of whom, and whom it left out."""

    site: ListeningSite
    hosts: SourceHosts


@contextmanager
def captured(tmp_path: Path, backup_set: BackupSet, failing: str) -> Iterator[Seen]:
    site = ListeningSite(CONFIG, failing)
    with Journal(tmp_path, "sync", RUN) as journal:
        hosts = SourceHosts(site, backup_set, RUN, journal, Silent())
        with hosts.captured(Silent()):
            site.heard.append("pulling")
            yield Seen(site=site, hosts=hosts)


@dataclass
class Told:
    lines: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        self.lines.append(text)


def until(holds: Callable[[], bool]) -> None:
    """What a thread does, at once but not at this instant."""
    for _ in range(500):
        if holds():
            return
        time.sleep(0.01)
    pytest.fail("it never came")


def released(heard: Sequence[str]) -> list[str]:
    return [line for line in verbs(heard) if line.endswith(" release")]


def verbs(heard: Sequence[str]) -> list[str]:
    return [line.rpartition(" ")[0] for line in heard]


def test_dumps_are_made_before_any_snapshot_and_given_their_time(tmp_path: Path) -> None:
    with captured(tmp_path, PLATFORM, "") as seen:
        assert seen.hosts.absent == {}
    heard = seen.site.heard
    assert heard[0] == "a before 660"
    assert sorted(heard[1:3]) == ["a snapshot 600", "b snapshot 600"]
    assert heard[3] == "pulling"
    assert sorted(verbs(heard[4:])) == ["a release", "b release"]


def test_a_host_lets_go_while_others_are_still_read(tmp_path: Path) -> None:
    """Not before its last source is read, and once."""
    more = (*PLATFORM.sources, replace(FLUSHED, key=SourceKey("a", "more"), prepare=None))
    with captured(tmp_path, replace(PLATFORM, sources=more), "") as seen:
        for key in (SourceKey("a", "more"), SourceKey("a", "db")):
            assert released(seen.site.heard) == []
            seen.hosts.releases.read(key)
        until(lambda: released(seen.site.heard) == ["a release"])
    assert released(seen.site.heard) == ["a release", "b release"]


def test_a_host_that_cannot_let_go_is_told_of_at_the_end(tmp_path: Path) -> None:
    told = Told()
    site = ListeningSite(CONFIG, "release")
    with Journal(tmp_path, "sync", RUN) as journal:
        hosts = SourceHosts(site, PLATFORM, RUN, journal, Silent())
        with hosts.captured(told):
            hosts.releases.read(SourceKey("b", "etc"))
            until(lambda: released(site.heard) == ["b release"])
            assert told.lines == []
    assert [line.partition(":")[0] for line in told.lines] == ["a", "b"]
    assert all("could not release" in line for line in told.lines)


def test_a_failed_dump_is_one_source_less(tmp_path: Path) -> None:
    with captured(tmp_path, PLATFORM, "before") as seen:
        assert {str(k): e.why for k, e in seen.hosts.absent.items()} == {"a/db": "cut off"}
    assert sorted(verbs(seen.site.heard[1:3])) == ["a snapshot", "b snapshot"]


def test_a_failed_flush_ends_the_run_before_a_snapshot_and_releases(tmp_path: Path) -> None:
    flushed = replace(PLATFORM, sources=(FLUSHED, *PLATFORM.sources[1:]))
    with (
        pytest.raises(SourceFailed, match="cut off"),
        captured(tmp_path, flushed, "before") as seen,
    ):
        pytest.fail(f"nothing was captured: {seen.site.heard}")


def test_hosts_without_dumps_look_ahead_after_all_dumps_and_before_any_pause(
    tmp_path: Path,
) -> None:
    """The dump that fails is left out; what cannot be captured ends the run, and nothing paused."""
    paused = replace(PLATFORM, quiesce=Quiesce(docker=True, hosts=("a",)))
    site = ListeningSite(CONFIG, "before")
    with Journal(tmp_path, "sync", RUN) as journal:
        hosts = SourceHosts(site, paused, RUN, journal, Silent())
        with pytest.raises(SourceFailed, match="cut off"), hosts.captured(Silent()):
            pytest.fail("nothing was captured")
    assert [str(key) for key in hosts.absent] == ["a/db"]
    assert site.heard[:2] == ["a before 660", "b before 120"]
    assert sorted(verbs(site.heard[2:])) == ["a release", "b release"]
