"""Tells what is going on, on stderr: every step with its usual duration, and a line now and then
while steps last."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

HEARTBEAT = 15.0


class Progress:
    """Steps may run in parallel threads; lines never interleave."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._begin = time.monotonic()
        self._running: dict[str, float] = {}
        self._lock = threading.Lock()
        self._ticker: threading.Thread | None = None

    def say(self, text: str) -> None:
        """Print one line with the seconds since the start."""
        if not self._quiet:
            elapsed = time.monotonic() - self._begin
            print(f"[{elapsed:6.1f} s] {text}", file=sys.stderr, flush=True)

    @contextmanager
    def step(self, what: str, *, usual: float | None = None) -> Iterator[None]:
        """Announce `what` (usually lasting `usual` seconds) and how long it took."""
        start = time.monotonic()
        with self._lock:
            self._running[what] = start
            self._tick()
        self.say(what + (f" (usually {usual:.0f} s)" if usual else ""))
        outcome = "FAILED"
        try:
            yield
            outcome = "done"
        finally:
            with self._lock:
                self._running.pop(what, None)
            self.say(f"{what}: {outcome} in {time.monotonic() - start:.1f} s")

    def _tick(self) -> None:
        if self._ticker is None or not self._ticker.is_alive():
            self._ticker = threading.Thread(target=self._heartbeat, daemon=True)
            self._ticker.start()

    def _heartbeat(self) -> None:
        while True:
            time.sleep(HEARTBEAT)
            now = time.monotonic()
            with self._lock:
                if not self._running:
                    self._ticker = None
                    return
                lasting = [(what, now - start) for what, start in self._running.items()]
            line = ", ".join(f"{what} {seconds:.0f} s" for what, seconds in lasting if seconds > 5)
            if line:
                self.say(f"still at it: {line}")
