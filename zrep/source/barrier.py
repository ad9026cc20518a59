"""All hosts' copies of one instant: pause everywhere, capture everywhere, let go everywhere.

Barrier 1: no host captures before all have said that their containers hold still. Barrier 2: none
is let go before all have captured. The order in which answers arrive here decides, never a host's
clock. However it ends, every host is told to let go, and asked until it says that nothing is
paused any more; a host that cannot be reached lets go by its own timer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import field
from functools import partial

from zrep.errors import SourceFailed, StillPaused, ZrepError
from zrep.frozen import dataclass
from zrep.model.backup import Pause
from zrep.model.source import Quiesce
from zrep.source.capsule_json import Quiesced, Thawed
from zrep.source.capsules import Capsules
from zrep.source.together import begin, together_until

# From here on clusters take a paused member for dead.
LONG_PAUSE_MS = 10_000
# After the timer of a host must have let go, how long to go on asking whether it did.
GRACE = 10.0
FIRST_WAIT, LONGEST_WAIT = 1.0, 15.0
THAW_SECONDS = 60.0

Step = Callable[[str], AbstractContextManager[None]]
Capture = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a capture that went through was held together.

    `unconfirmed` are the hosts that were not, or only by their timer, seen to let go, and why.
    """

    pauses: tuple[Pause, ...] = ()
    unconfirmed: Mapping[str, ZrepError] = field(default_factory=dict, hash=False)

    def still_paused(self) -> StillPaused | None:
        if not self.unconfirmed:
            return None
        return StillPaused(
            "the thaw failed: containers were paused until the timer, or still are",
            where=", ".join(self.unconfirmed),
            why="; ".join(str(e) for e in self.unconfirmed.values()),
            next_step="run now: zrep recover",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a host's pause ended: confirmed or not, and what went wrong first."""

    thawed: Thawed | None
    error: ZrepError | None

    @property
    def failed(self) -> ZrepError | None:
        """What must be told: never confirmed, or only the host's timer could end it."""
        return self.error if self.thawed is None or self.thawed.expired else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Barrier:
    """The protocol over one set's hosts; `step` brackets each of its phases for the journal."""

    hosts: Mapping[str, Capsules] = field(hash=False)
    quiesce: Quiesce
    run: str
    set_name: str
    step: Step
    grace: float = GRACE

    def around(self, capture: Capture) -> Outcome:
        """Run `capture` while all is paused; it gets the deadline as time.monotonic tells it.

        Raises what failed, after everything was let go; StillPaused when that was not confirmed.
        """
        deadline = time.monotonic() + self.quiesce.max_pause
        try:
            with self.step("quiesce"):
                held = self._pause_all(deadline)
            capture(deadline)
            self._check_budget(deadline)
            endings = self._thaw_all()
        except BaseException as error:
            self._after_failure(error)
            raise
        return Outcome(
            pauses=tuple(_pause(host, held[host], endings[host]) for host in sorted(held)),
            unconfirmed=_failed(endings),
        )

    def _pause_all(self, deadline: float) -> Mapping[str, Quiesced]:
        held = together_until(
            {h: partial(self._pause_one, c, deadline) for h, c in self.hosts.items()}, deadline
        )
        for host, quiesced in held.items():
            if quiesced.docker and quiesced.timer != self.quiesce.timer:
                raise SourceFailed(
                    f"its timer is {quiesced.timer} s instead of {self.quiesce.timer} s",
                    where=host,
                    next_step="render and install its configuration again: zrep capsule render",
                )
        return held

    def _pause_one(self, capsules: Capsules, deadline: float) -> Quiesced:
        left = max(0.1, deadline - time.monotonic())
        return capsules.quiesce(run=self.run, set_name=self.set_name, timeout=left)

    def _check_budget(self, deadline: float) -> None:
        late = time.monotonic() - deadline
        if late > 0:
            raise SourceFailed(
                f"capturing took {late:.1f} s longer than the {self.quiesce.max_pause} s allowed",
                next_step="look at the load of the hosts, or raise quiesce.max_pause",
            )

    def _after_failure(self, error: BaseException) -> None:
        """Let go at once; what could not be confirmed is worse than what failed."""
        paused = Outcome(unconfirmed=_failed(self._thaw_all())).still_paused()
        if paused is not None:
            raise StillPaused(
                paused.what,
                where=paused.where,
                why=f"{paused.why}; before that: {error}",
                next_step=paused.next_step,
            ) from error

    def _thaw_all(self) -> Mapping[str, Ended]:
        """Every host's last word. A second signal ends our waiting, not the threads' asking."""
        answers = begin({h: partial(self._thaw_one, c) for h, c in self.hosts.items()})
        with self.step("thaw"):
            return answers()

    def _thaw_one(self, capsules: Capsules) -> Ended:
        """Ask until the host confirms, or long after its timer must have let go."""
        stop = time.monotonic() + self.quiesce.timer + self.grace
        wait, first = FIRST_WAIT, None
        while True:
            try:
                answer = capsules.thaw(run=self.run, set_name=self.set_name, timeout=THAW_SECONDS)
                return Ended(thawed=_ours(answer), error=first)
            except ZrepError as error:
                first = first or error
            if time.monotonic() + wait > stop:
                return Ended(thawed=None, error=first)
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)


def _ours(thawed: tuple[Thawed, ...]) -> Thawed:
    if len(thawed) != 1:
        raise SourceFailed(f"the host's answer to thaw has {len(thawed)} runs instead of one")
    return thawed[0]


def _failed(endings: Mapping[str, Ended]) -> Mapping[str, ZrepError]:
    return {host: e.failed for host, e in endings.items() if e.failed is not None}


def _pause(host: str, quiesced: Quiesced, end: Ended) -> Pause:
    """Held means: from its acknowledgement until our thaw, nothing of it ran."""
    thawed = end.thawed
    return Pause(
        host=host,
        containers=quiesced.containers,
        milliseconds=thawed.milliseconds if thawed else None,
        held=bool(thawed and quiesced.docker and not thawed.expired and not thawed.escaped),
    )


def pause_warnings(pauses: Sequence[Pause]) -> Iterator[str]:
    """What the operator should know of pauses that went through."""
    for pause in pauses:
        if not pause.held:
            yield f"{pause.host}: its containers did not stand still all the time"
        if pause.milliseconds is not None and pause.milliseconds > LONG_PAUSE_MS:
            yield f"{pause.host}: its containers were paused for {pause.milliseconds / 1000:.1f} s"
