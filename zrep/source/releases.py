"""Hosts let go of their snapshots one by one, each as soon as nothing more is read from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from zrep.model.key import SourceKey


class Releases:
    """`release` is asked once for each host of `keys`, in a thread of its own."""

    def __init__(self, keys: Iterable[SourceKey], release: Callable[[str], None]) -> None:
        self._unread: dict[str, set[SourceKey]] = {}
        for key in keys:
            self._unread.setdefault(key.host, set()).add(key)
        self._release = release
        self._lock = Lock()
        self._begun: dict[str, Future[None]] = {}
        self._pool = ThreadPoolExecutor(max_workers=max(1, len(self._unread)))

    def read(self, key: SourceKey) -> None:
        """Nothing more is read from this source: its host lets go if it was the last one there."""
        with self._lock:
            unread = self._unread[key.host]
            unread.discard(key)
            if not unread:
                self._begin(key.host)

    def finish(self) -> None:
        """All hosts have been asked and have answered; raises what one of them raised."""
        try:
            with self._lock:
                for host in self._unread:
                    self._begin(host)
        finally:
            # A thread whose start a signal has interrupted is one the pool does not know of: only
            # this ends it, and else zrep would wait for it for ever.
            self._pool.shutdown()
        for future in self._begun.values():
            future.result()

    def _begin(self, host: str) -> None:
        if host not in self._begun:
            self._begun[host] = self._pool.submit(self._release, host)
