"""The capsules of one source host as methods; their failures as SourceFailed with a next step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from zrep.errors import AccessRefused, Busy, CommandFailed, CommandTimeout, SourceFailed
from zrep.frozen import dataclass
from zrep.host.port import Completed, Host
from zrep.source.capsule_json import (
    BadReply,
    Checked,
    Fields,
    Prepared,
    ProbeReport,
    Problem,
    Quiesced,
    Thawed,
    is_finished,
    parse_captured,
    parse_checked,
    parse_events,
    parse_prepared,
    parse_probe,
    parse_problems,
    parse_quiesced,
    parse_released,
    parse_thawed,
)

S = TypeVar("S")
T = TypeVar("T")

DONE, FAILED, BAD_REQUEST, BUSY, GATE_REFUSED = 0, 1, 2, 75, 126
# Longer than the capsules' own limits together: they give up before we do.
SECONDS = {
    "probe": 120.0,
    "check": 120.0,
    "before": 86_400.0,
    "quiesce": 300.0,
    "snapshot": 600.0,
    "thaw": 180.0,
    "release": 600.0,
    "docker-status": 120.0,
    "docker-stop": 300.0,
    "docker-start": 300.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    completed: Completed
    events: tuple[Fields, ...]
    problems: tuple[Problem, ...]


class Capsules:
    """What the control key of one source host may ask for."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def probe(self, *, set_name: str | None = None) -> ProbeReport:
        """Look, change nothing. SourceFailed when a source of the set cannot be captured now.

        Unless there are leftovers, which may be what takes the room: then `snapshot`, which
        removes them first, is the judge.
        """
        report = self._read(parse_probe, self._ask("probe"))
        bad = [s.problem for s in report.sources if s.set_name == set_name and s.problem]
        if bad and not report.leftovers:
            raise self._failed("cannot be captured", bad)
        problem = report.quiesce.get(set_name) if set_name else None
        if problem:
            raise self._failed("cannot be paused", [problem])
        return report

    def before(
        self, *, run: str, set_name: str, timeout: float | None = None
    ) -> Mapping[str, SourceFailed]:
        """Dumps and flushes, while the services still run; asked again it does only what is left.

        Returns the sources for which it failed: the last good dumps of those are still there.
        """
        seconds = min(timeout or SECONDS["before"], SECONDS["before"])
        answer = self._answer("before", (f"run={run}", f"set={set_name}"), seconds)
        if answer.problems and all(p.source for p in answer.problems):
            return {p.source: self._failed("not prepared", [p]) for p in answer.problems}
        self._judge("before", answer)
        return {}

    def quiesce(self, *, run: str, set_name: str, timeout: float | None = None) -> Quiesced:
        """Arm the host's timer, then pause its containers; all that may be, or none."""
        events = self._ask("quiesce", run=run, set_name=set_name, timeout=timeout)
        return self._read(parse_quiesced, events)

    def thaw(
        self, *, run: str | None = None, set_name: str | None = None, timeout: float | None = None
    ) -> tuple[Thawed, ...]:
        """Let go of what the run holds paused, of what any run holds without them.

        Returns once none of it is paused any more, SourceFailed naming the containers otherwise.
        A run that holds nothing is called off: its `quiesce` will be refused.
        """
        return self._read(
            parse_thawed, self._ask("thaw", run=run, set_name=set_name, timeout=timeout)
        )

    def capture(self, *, run: str, set_name: str, timeout: float) -> Mapping[str, int]:
        """Snapshot all sources of the set on this host, or none; when each was (epoch seconds).

        While the run holds the host's containers, mounting is left to `snapshot`.
        """
        events = self._ask("snapshot", run=run, set_name=set_name, timeout=timeout)
        return self._read(parse_captured, events)

    def snapshot(
        self, *, run: str, set_name: str, captured: Mapping[str, int] | None = None
    ) -> tuple[Prepared, ...]:
        """Snapshot and mount all sources of the set on this host, or none.

        SourceFailed when they are not those that were `captured` before.
        """
        prepared = self._read(parse_prepared, self._ask("snapshot", run=run, set_name=set_name))
        if captured is not None and captured != {p.source: p.created for p in prepared}:
            raise SourceFailed(
                "the snapshots that were taken in the pause are gone",
                where=self.host.name,
                why="the host has made others since",
                next_step="look whether it was restarted; then run the backup again",
            )
        return prepared

    def check(self, *, run: str, set_name: str, source: str | None = None) -> tuple[Checked, ...]:
        """Whether what was prepared still is what was captured; SourceFailed when it is not.

        With `source` only that one's state counts.
        """
        found = self._read(parse_checked, self._ask("check", run=run, set_name=set_name))
        mine = [c for c in found if source is None or c.source == source]
        bad = [c.problem for c in mine if c.problem]
        if bad:
            raise self._failed("the snapshot was lost during the transfer", bad)
        if not mine:
            raise SourceFailed("the host does not know this source", where=self._place(source))
        return tuple(mine)

    def release(self, *, run: str | None = None, set_name: str | None = None) -> tuple[str, ...]:
        """Take back what was prepared for the run and set; everything there is without them.

        Returns what was taken back, in words.
        """
        return self._read(parse_released, self._ask("release", run=run, set_name=set_name))

    def _ask(
        self,
        verb: str,
        *,
        run: str | None = None,
        set_name: str | None = None,
        timeout: float | None = None,
    ) -> tuple[Fields, ...]:
        words = (f"run={run}", f"set={set_name}") if run and set_name else ()
        seconds = SECONDS[verb] if timeout is None else min(timeout, SECONDS[verb])
        return self._order(verb, words, seconds)

    def _order(self, verb: str, words: tuple[str, ...], seconds: float) -> tuple[Fields, ...]:
        return self._judge(verb, self._answer(verb, words, seconds))

    def _answer(self, verb: str, words: tuple[str, ...], seconds: float) -> _Answer:
        completed = self._say(verb, (verb, *words), seconds)
        events = self._read(parse_events, completed.stdout)
        problems = self._read(parse_problems, events)
        return _Answer(completed=completed, events=events, problems=problems)

    def _judge(self, verb: str, answer: _Answer) -> tuple[Fields, ...]:
        """The events of a capsule that did all it was asked for."""
        status, problems = answer.completed.returncode, answer.problems
        if status == BUSY:
            raise Busy(f"capsule {verb}", where=self.host.name, why=_words(problems))
        if problems:
            raise self._failed(f"capsule {verb} failed", problems)
        if status != DONE or not self._read(lambda e: is_finished(e, verb), answer.events):
            raise self._silent(verb, answer.completed)
        return answer.events

    def _say(self, verb: str, argv: tuple[str, ...], seconds: float) -> Completed:
        try:
            return self.host.run(argv, timeout=seconds, ok=(DONE, FAILED, BAD_REQUEST, BUSY))
        except CommandFailed as error:
            if error.returncode == GATE_REFUSED:
                raise self._refused(verb, error) from error
            raise SourceFailed(
                f"capsule {verb} ended with status {error.returncode}",
                where=self.host.name,
                why=error.why,
                next_step="look into the system log of the host: journalctl -t zrep-capsule",
            ) from error
        except CommandTimeout as error:
            raise SourceFailed(
                f"capsule {verb} did not answer within {seconds:.3g} s",
                where=self.host.name,
                next_step="look for hanging processes on the host; then: zrep recover",
            ) from error

    def _refused(self, verb: str, error: CommandFailed) -> AccessRefused:
        return AccessRefused(
            f"the gate refused {verb}",
            where=self.host.name,
            why=error.why,
            next_step="install capsules of this version there: zrep capsule render",
        )

    def _silent(self, verb: str, completed: Completed) -> SourceFailed:
        """No JSON from the capsule: sudo, or the shell, spoke instead."""
        tail = completed.stderr.strip().splitlines()[-1:] or ["it printed nothing"]
        return SourceFailed(
            f"capsule {verb} did not finish (status {completed.returncode})",
            where=self.host.name,
            why=tail[0],
            next_step="check on the host that /etc/sudoers.d/zrep and the capsules are installed",
        )

    def _read(self, parse: Callable[[S], T], text: S) -> T:
        try:
            return parse(text)
        except BadReply as error:
            raise SourceFailed(
                "the host's answer makes no sense",
                where=self.host.name,
                why=str(error),
                next_step="compare the installed capsules with this version: zrep capsule render",
            ) from error

    def _failed(self, what: str, problems: Sequence[Problem]) -> SourceFailed:
        names = {p.source for p in problems if p.source}
        return SourceFailed(
            what,
            where=self._place(", ".join(sorted(names))),
            why=_words(problems),
            next_step=next((p.next_step for p in problems if p.next_step), ""),
        )

    def _place(self, source: str | None) -> str:
        return f"{self.host.name}/{source}" if source else self.host.name


def _words(problems: Sequence[Problem]) -> str:
    """What clean-up runs into again is said once."""
    if len({p.why for p in problems}) == 1:
        return problems[0].why
    return "; ".join(dict.fromkeys(f"{p.source}: {p.why}" if p.source else p.why for p in problems))
