"""Programs connected by pipes, and which of them is to blame when one fails.

Each is started as `zrep.host.process` says; all are waited for in the calling thread.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from signal import SIGPIPE, SIGTERM

from zrep.errors import CommandFailed, CommandTimeout
from zrep.frozen import dataclass
from zrep.host.child import Child, Tail
from zrep.host.mux import Deadline, Mux, Pump, Stop
from zrep.host.process import HERE, started

_BROKEN_PIPE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """One program of a pipeline: -n as returncode when signal n ended it.

    `lost_reader`: the next stage was seen to stop reading before this one had ended.
    """

    argv: tuple[str, ...]
    returncode: int
    stderr: str
    lost_reader: bool = False

    @property
    def is_victim(self) -> bool:
        """Failed because nobody read on: by SIGPIPE (141 through a shell) or saying so."""
        by_signal = self.returncode in (-SIGPIPE, 128 + SIGPIPE)
        return self.lost_reader or by_signal or "broken pipe" in self.stderr.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineResult:
    """A pipeline whose stages all ended with 0; `moved` bytes went from the first to the second.

    `stdout` is the tail of what the last stage printed.
    """

    stages: tuple[StageResult, ...]
    moved: int
    stdout: str


def run_pipeline(
    stages: Sequence[Sequence[str]],
    *,
    on_bytes: Callable[[int], None] | None = None,
    timeout_idle: float | None = None,
    lock_fds: Sequence[int] = (),
    stop: Stop | None = None,
) -> PipelineResult:
    """Connect the stages by pipes and wait for all; `on_bytes` counts what leaves the first.

    Raises CommandFailed for the stage that is the cause: the first that failed for a reason of
    its own rather than because the next one stopped reading. Raises CommandTimeout after
    `timeout_idle` seconds in which nothing moved, nothing was printed and no stage ended. Any
    exception, Ctrl-C included, ends all stages.
    """
    mux, counter, out = Mux(stop), _Counter(on_bytes), Tail()
    tails = tuple(Tail() for _ in stages)
    with ExitStack() as running:
        children = _start_chain(stages, running, lock_fds)
        running.callback(_end_all, children)
        pump = Pump(mux, children[0].stdout, children[1].stdin, counter) if children[1:] else None
        mux.read(children[-1].stdout, out.feed)
        for child, tail in zip(children, tails, strict=True):
            mux.read(child.stderr, tail.feed)
            mux.exit_of(child)
        _finish_pipeline(mux, pump, children, timeout_idle)
        results = tuple(
            StageResult(
                argv=child.argv,
                returncode=child.reap(),
                stderr=str(tail),
                lost_reader=pump is not None and pump.broken and child is children[0],
            )
            for child, tail in zip(children, tails, strict=True)
        )
    _raise_cause(results)
    return PipelineResult(stages=results, moved=counter.total, stdout=str(out))


def cause_of_failure(stages: Sequence[StageResult]) -> int | None:
    """Index of the stage to blame; None when all ended with 0.

    Victims pass the blame on, the last stage cannot: nobody reads from it, so a broken pipe it
    speaks of is its own (an ssh whose connection died). When all are victims, somebody stopped
    reading without failing, and the victim next to it is named.
    """
    last = len(stages) - 1
    failed = [i for i, stage in enumerate(stages) if stage.returncode != 0]
    causes = [i for i in failed if i == last or not stages[i].is_victim]
    return next(iter(causes or failed[-1:]), None)


def _raise_cause(stages: Sequence[StageResult]) -> None:
    index = cause_of_failure(stages)
    if index is not None:
        stage = stages[index]
        raise CommandFailed(stage.argv, stage.returncode, stage.stderr, where=_stage(index, stages))


def _stage(index: int, stages: Sequence[object]) -> str:
    return f"stage {index + 1} of {len(stages)}" if stages[1:] else HERE


def _start_chain(
    stages: Sequence[Sequence[str]], running: ExitStack, lock_fds: Sequence[int]
) -> list[Child]:
    """The second stage reads from a pipe of ours, every later one straight from its neighbour."""
    children: list[Child] = []
    for index, argv in enumerate(stages):
        source = children[-1].stdout if index > 1 else subprocess.PIPE if index else None
        stdin = subprocess.DEVNULL if source is None else source
        child = started(argv, where=_stage(index, stages), stdin=stdin, pass_fds=lock_fds)
        children.append(running.enter_context(child))
        if index > 1:
            children[-2].stdout.close()  # else we would keep it alive and hide a SIGPIPE
    return children


def _end_all(children: Sequence[Child]) -> None:
    """Ask all at once, so that the graces that follow one by one run in parallel."""
    for child in children:
        if not child.reaped:
            child.signal(SIGTERM)


def _finish_pipeline(
    mux: Mux, pump: Pump | None, children: Sequence[Child], idle: float | None
) -> None:
    """A first stage that writes nothing cannot notice a lost reader: end it after a while."""
    while mux.busy and not (pump and pump.broken):
        _turn(mux, children, idle)
    if not mux.run(Deadline(_BROKEN_PIPE_SECONDS)):
        children[0].end()
    while mux.busy:
        _turn(mux, children, idle)


def _turn(mux: Mux, children: Sequence[Child], idle: float | None) -> None:
    if not mux.turn(Deadline(idle)):
        programs = " | ".join(child.argv[0] for child in children)
        commands = " | ".join(shlex.join(child.argv) for child in children)
        raise CommandTimeout(
            f"{programs} made no progress for {idle:g} s and was ended", where=HERE, why=commands
        )


class _Counter:
    """Adds up and passes on."""

    def __init__(self, on_bytes: Callable[[int], None] | None) -> None:
        self.total = 0
        self._on_bytes = on_bytes

    def __call__(self, count: int) -> None:
        self.total += count
        if self._on_bytes is not None:
            self._on_bytes(count)
