"""The two-barrier protocol, with the real Capsules over hosts that answer as their capsules would:
what may come before what, and what happens when any part fails, is late or is interrupted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

import pytest

from zrep.errors import CommandTimeout, SourceFailed, StillPaused, Unreachable, ZrepError
from zrep.host.port import Completed
from zrep.model.backup import Pause
from zrep.model.source import Quiesce
from zrep.source import barrier as protocol
from zrep.source.barrier import Barrier, Outcome, pause_warnings
from zrep.source.capsules import Capsules
from zrep.source.together import together_until

RUN, SET = "20260102_030405", "platform"
NAMES = ("cassandra-1", "manager-1", "solr-1")


@dataclass
class Log:
    """What happened on all hosts, in order: `manager-1 quiesce`, `manager-1 quiesce done`."""

    lines: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def add(self, text: str) -> None:
        with self.lock:
            self.lines.append(text)

    def at(self, text: str) -> int:
        return self.lines.index(text)

    def count(self, text: str) -> int:
        return self.lines.count(text)


@dataclass
class PausableHost:
    """The Host port onto one host with `containers`, of which the run pauses all.

    `faults` maps a verb to what happens instead, each once, in turn.
    """

    name: str
    log: Log
    containers: int = 2
    docker: bool = True
    timer: int = 0
    expired: bool = False
    escaped: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    faults: dict[str, list[Callable[[], Completed]]] = field(default_factory=dict)

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,  # noqa: ARG002 - the port's
        timeout: float = 60.0,
        ok: Sequence[int] = (0,),  # noqa: ARG002 - the port's
    ) -> Completed:
        verb = argv[0]
        assert argv[1:] == (f"run={RUN}", f"set={SET}")
        self.log.add(f"{self.name} {verb}")
        duration = self.seconds.get(verb, 0.0)
        time.sleep(min(duration, timeout))
        if duration > timeout:
            raise CommandTimeout(f"{verb} did not end", where=self.name)
        if self.faults.get(verb):
            return self.faults[verb].pop(0)()
        self.log.add(f"{self.name} {verb} done")
        return answer(*getattr(self, f"_{verb}")(), {"event": "done", "verb": verb})

    def _quiesce(self) -> list[dict[str, object]]:
        instants = {"began": 1, "held": 2, "began_at": 3, "held_at": 4}
        counts = {"containers": self.containers, "exempt": 0, "pause": 30, "timer": self.timer}
        return [{"event": "quiesced", "docker": self.docker, **counts, **instants}]

    def _snapshot(self) -> list[dict[str, object]]:
        place = {"source": "data", "kind": "thin", "module": "m", "device": "1:2", "created": 5}
        return [{"event": "prepared", **place}]

    def _thaw(self) -> list[dict[str, object]]:
        words = {"set": SET, "run": RUN, "containers": self.containers, "paused_ms": 1234}
        end = {"escaped": self.escaped, "expired": self.expired}
        return [{"event": "thawed", **words, **end}]

    def bulk_argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        return tuple(argv)

    def close(self) -> None:
        """Nothing to drop."""


def answer(*events: dict[str, object], status: int = 0) -> Completed:
    text = "".join(json.dumps(e) + "\n" for e in events)
    return Completed(argv=("x",), returncode=status, stdout=text, stderr="")


def refused(why: str) -> Completed:
    return answer(
        {"event": "error", "source": "", "code": "x", "why": why, "next": "mend"}, status=1
    )


def unreachable() -> Completed:
    raise Unreachable("does not answer", where="host")


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def hosts(log: Log) -> dict[str, PausableHost]:
    return {name: PausableHost(name=name, log=log) for name in NAMES}


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(protocol, "LONGEST_WAIT", 0.02)


def run_barrier(
    hosts: dict[str, PausableHost],
    *,
    max_pause: int = 30,
    capture: Callable[[float], None] | None = None,
) -> Outcome:
    capsules = {name: Capsules(host) for name, host in hosts.items()}
    log = next(iter(hosts.values())).log
    for host in hosts.values():
        host.timer = host.timer or max_pause + 15

    @contextmanager
    def step(name: str) -> Iterator[None]:
        log.add(name)
        yield

    def snapshot_all(deadline: float) -> None:
        together_until(
            {h: partial(c.snapshot, run=RUN, set_name=SET) for h, c in capsules.items()}, deadline
        )

    made = Barrier(
        hosts=capsules,
        quiesce=Quiesce(docker=True, max_pause=max_pause),
        run=RUN,
        set_name=SET,
        step=step,
        grace=0.1 - (max_pause + 15),
    )
    return made.around(capture or snapshot_all)


def test_no_snapshot_before_all_hold_still_and_no_thaw_before_all_have_captured(
    hosts: dict[str, PausableHost], log: Log
) -> None:
    hosts["manager-1"].seconds = {"quiesce": 0.1, "snapshot": 0.05}
    hosts["solr-1"].seconds = {"snapshot": 0.1}
    outcome = run_barrier(hosts)
    last_held = max(log.at(f"{n} quiesce done") for n in NAMES)
    last_captured = max(log.at(f"{n} snapshot done") for n in NAMES)
    assert last_held < min(log.at(f"{n} snapshot") for n in NAMES)
    assert last_captured < min(log.at(f"{n} thaw") for n in NAMES)
    assert [(p.host, p.containers, p.milliseconds, p.held) for p in outcome.pauses] == [
        (name, 2, 1234, True) for name in NAMES
    ]
    assert outcome.still_paused() is None


def test_each_phase_works_on_all_hosts_at_once(hosts: dict[str, PausableHost]) -> None:
    for host in hosts.values():
        host.seconds = {"quiesce": 0.15, "snapshot": 0.15, "thaw": 0.15}
    begun = time.monotonic()
    run_barrier(hosts)
    assert time.monotonic() - begun < 0.8, "one after the other it would be 1.35 s"


def test_one_host_that_cannot_pause_lets_all_go_and_nothing_is_captured(
    hosts: dict[str, PausableHost], log: Log
) -> None:
    hosts["solr-1"].faults["quiesce"] = [lambda: refused("container db cannot be paused")]
    hosts["manager-1"].seconds = {"quiesce": 0.5}
    with pytest.raises(SourceFailed, match="container db cannot be paused") as caught:
        run_barrier(hosts)
    assert caught.value.where == "solr-1"
    assert not [line for line in log.lines if "snapshot" in line]
    assert all(log.count(f"{n} thaw") >= 1 for n in NAMES)
    wait_for(lambda: "manager-1 quiesce done" in log.lines)
    assert log.at("cassandra-1 thaw") < log.at("manager-1 quiesce done"), "did not wait for it"


def test_one_host_that_cannot_capture_lets_all_go_at_once(
    hosts: dict[str, PausableHost], log: Log
) -> None:
    hosts["solr-1"].faults["snapshot"] = [lambda: refused("lvcreate failed")]
    hosts["manager-1"].seconds = {"snapshot": 0.5}
    with pytest.raises(SourceFailed, match="lvcreate failed"):
        run_barrier(hosts)
    wait_for(lambda: "manager-1 snapshot done" in log.lines)
    assert log.at("manager-1 thaw") < log.at("manager-1 snapshot done"), "did not wait for it"
    assert all(log.count(f"{n} thaw done") == 1 for n in NAMES)


@pytest.mark.parametrize("verb", ["quiesce", "snapshot"])
def test_a_host_that_is_too_slow_ends_the_pause_of_all(
    hosts: dict[str, PausableHost], log: Log, verb: str
) -> None:
    hosts["solr-1"].seconds = {verb: 1.5}
    begun = time.monotonic()
    with pytest.raises(SourceFailed) as caught:
        run_barrier(hosts, max_pause=1)
    assert "solr-1" in caught.value.where
    assert time.monotonic() - begun < 1.4
    assert all(log.count(f"{n} thaw done") == 1 for n in NAMES)


def test_a_capture_that_ends_after_the_budget_is_not_believed(
    hosts: dict[str, PausableHost], log: Log
) -> None:
    with pytest.raises(SourceFailed, match="longer than the 1 s allowed"):
        run_barrier(hosts, max_pause=1, capture=lambda _deadline: time.sleep(1.1))
    assert all(log.count(f"{n} thaw done") == 1 for n in NAMES)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_whatever_interrupts_the_capture_all_are_let_go(
    hosts: dict[str, PausableHost], log: Log, kind: type[BaseException]
) -> None:
    def interrupted(_deadline: float) -> None:
        raise kind("now")

    with pytest.raises(kind, match="now"):
        run_barrier(hosts, capture=interrupted)
    assert all(log.count(f"{n} thaw done") == 1 for n in NAMES)


def test_a_journal_that_cannot_be_written_keeps_nobody_paused(
    hosts: dict[str, PausableHost], log: Log
) -> None:
    @contextmanager
    def full(name: str) -> Iterator[None]:
        if name == "thaw":
            raise OSError("no space left on device")
        yield

    made = Barrier(
        hosts={name: Capsules(host) for name, host in hosts.items()},
        quiesce=Quiesce(docker=True),
        run=RUN,
        set_name=SET,
        step=full,
    )
    for host in hosts.values():
        host.timer = made.quiesce.timer
    with pytest.raises(OSError, match="no space"):
        made.around(lambda _deadline: None)
    wait_for(lambda: all(log.count(f"{n} thaw done") for n in NAMES))


def wait_for(condition: Callable[[], bool]) -> None:
    stop = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < stop, "it never happened"
        time.sleep(0.01)


def test_a_thaw_that_fails_is_asked_for_again(hosts: dict[str, PausableHost]) -> None:
    hosts["manager-1"].faults["thaw"] = [unreachable, lambda: refused("web is still paused")]
    outcome = run_barrier(hosts)
    assert outcome.still_paused() is None
    assert all(p.held for p in outcome.pauses)


def test_a_thaw_that_is_never_confirmed_names_host_and_container(
    hosts: dict[str, PausableHost], log: Log
) -> None:
    hosts["manager-1"].faults["thaw"] = [lambda: refused("container web is still paused")] * 100
    outcome = run_barrier(hosts)
    error = outcome.still_paused()
    assert error is not None
    assert error.where == "manager-1"
    assert "container web is still paused" in error.why
    assert "zrep recover" in error.next_step
    assert log.count("manager-1 thaw") > 2
    assert {p.host: (p.held, p.milliseconds) for p in outcome.pauses}["manager-1"] == (False, None)


def test_a_host_whose_timer_had_to_end_the_pause_is_told_of(
    hosts: dict[str, PausableHost],
) -> None:
    hosts["manager-1"].faults["thaw"] = [unreachable]
    hosts["manager-1"].expired = True
    outcome = run_barrier(hosts)
    assert outcome.still_paused() is not None
    assert [p.host for p in outcome.pauses if not p.held] == ["manager-1"]


def test_when_the_run_fails_and_the_thaw_too_both_are_told(
    hosts: dict[str, PausableHost],
) -> None:
    hosts["solr-1"].faults["snapshot"] = [lambda: refused("lvcreate failed")]
    hosts["manager-1"].faults["thaw"] = [unreachable] * 100
    with pytest.raises(StillPaused, match=r"does not answer.*before that: .*lvcreate failed"):
        run_barrier(hosts)


@pytest.mark.parametrize(
    "change", [{"expired": True}, {"escaped": 1}, {"docker": False}], ids=lambda c: str(*c)
)
def test_a_host_that_did_not_stand_still_is_not_held(
    hosts: dict[str, PausableHost], change: dict[str, object]
) -> None:
    for key, value in change.items():
        setattr(hosts["manager-1"], key, value)
    outcome = run_barrier(hosts)
    assert [p.host for p in outcome.pauses if not p.held] == ["manager-1"]
    assert outcome.still_paused() is None


def test_a_long_pause_and_one_that_was_not_held_are_warned_of() -> None:
    pauses = (
        Pause(host="a", containers=1, milliseconds=10_000, held=True),
        Pause(host="b", containers=1, milliseconds=10_010, held=True),
        Pause(host="c", containers=1, milliseconds=None, held=False),
    )
    assert list(pause_warnings(pauses)) == [
        "b: its containers were paused for 10.0 s",
        "c: its containers did not stand still all the time",
    ]


def test_a_timer_other_than_agreed_is_refused_before_anything_is_captured(
    hosts: dict[str, PausableHost], log: Log
) -> None:
    hosts["manager-1"].timer = 600
    with pytest.raises(SourceFailed, match="its timer is 600 s instead of 45 s"):
        run_barrier(hosts)
    assert not [line for line in log.lines if "snapshot" in line]
    assert all(log.count(f"{n} thaw done") == 1 for n in NAMES)


def test_every_failing_host_is_named(hosts: dict[str, PausableHost]) -> None:
    for name in ("solr-1", "manager-1"):
        hosts[name].faults["quiesce"] = [lambda: refused("no timer")]
    with pytest.raises(ZrepError, match="no timer") as caught:
        run_barrier(hosts)
    assert set(caught.value.where.split(", ")) <= {"solr-1", "manager-1"}
