"""One action on many hosts at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from zrep.errors import SourceFailed, ZrepError

T = TypeVar("T")


def together(actions: Mapping[str, Callable[[], T]]) -> Mapping[str, T]:
    """Every host's result; all are waited for, then failures are raised as one."""
    with ThreadPoolExecutor(max_workers=max(1, len(actions))) as pool:
        futures = {host: pool.submit(action) for host, action in actions.items()}
    return _results(futures)


def begin(actions: Mapping[str, Callable[[], T]]) -> Callable[[], Mapping[str, T]]:
    """The same, begun now and waited for when what this returns is called.

    Whoever is interrupted before that leaves them under way: for actions that change nothing, or
    that must be done whatever happens here.
    """
    pool = ThreadPoolExecutor(max_workers=max(1, len(actions)))
    try:
        futures = {host: pool.submit(action) for host, action in actions.items()}
    finally:
        pool.shutdown(wait=False)
    return lambda: _results(futures)


def together_until(actions: Mapping[str, Callable[[], T]], deadline: float) -> Mapping[str, T]:
    """The same by `deadline` (time.monotonic); the first failure, or lateness, is raised at once.

    What is still under way then goes on in the background, and its result is lost: the actions
    must have time limits of their own.
    """
    pool = ThreadPoolExecutor(max_workers=max(1, len(actions)))
    try:
        futures = {host: pool.submit(action) for host, action in actions.items()}
        wait(
            futures.values(),
            timeout=max(0.0, deadline - time.monotonic()),
            return_when=FIRST_EXCEPTION,
        )
        ended = {host: future for host, future in futures.items() if future.done()}
        results = _results(ended)
        if late := [host for host in futures if host not in ended]:
            raise SourceFailed("was not ready in time", where=", ".join(late))
        return results
    finally:
        pool.shutdown(wait=False)


def _results(futures: Mapping[str, Future[T]]) -> Mapping[str, T]:
    errors = {h: e for h, f in futures.items() if (e := f.exception()) is not None}
    if errors:
        raise combined(errors)
    return {h: f.result() for h, f in futures.items()}


def combined(errors: Mapping[str, BaseException]) -> BaseException:
    """One host's failure as it is; several as one error of the first one's kind."""
    found = list(errors.items())
    if len(found) == 1 or not all(isinstance(e, ZrepError) for _, e in found):
        return found[0][1]
    first = found[0][1]
    assert isinstance(first, ZrepError)  # noqa: S101 - tells the type checker
    kind = type(first) if type(first).__init__ is ZrepError.__init__ else SourceFailed
    return kind(
        f"{len(found)} hosts failed",
        where=", ".join(errors),
        why="; ".join(f"{host}: {error}" for host, error in found),
    )
