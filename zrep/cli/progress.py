"""Progress on stderr: one line that rewrites itself on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Self, TextIO

import humanize

TERMINAL_EVERY = 0.2
PLAIN_EVERY = 30.0


@dataclass
class Lines:
    """Implements zrep.engine.progress.Progress for people and for logs."""

    stream: TextIO
    terminal: bool
    _last: float = 0.0
    _first: float = 0.0
    _what: str = ""
    _open_line: bool = False

    @classmethod
    def on_stderr(cls) -> Self:
        return cls(stream=sys.stderr, terminal=sys.stderr.isatty())

    def step(self, text: str) -> None:
        self._close_line()
        self.stream.write(f"{text}\n")
        self.stream.flush()

    def warn(self, text: str) -> None:
        self.step(f"warning: {text}")

    def moved(self, what: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if what != self._what:
            self._what, self._first, self._last = what, now, now
        if now - self._last < (TERMINAL_EVERY if self.terminal else PLAIN_EVERY):
            return
        self._last = now
        self._draw(what, done, total, now - self._first)

    def _draw(self, what: str, done: int, total: int | None, elapsed: float) -> None:
        text = f"  {what}: {describe(done, total, elapsed)}"
        if self.terminal:
            self.stream.write(f"\r\x1b[K{text}")
            self._open_line = True
        else:
            self.stream.write(f"{text}\n")
        self.stream.flush()

    def _close_line(self) -> None:
        if self._open_line:
            self.stream.write("\r\x1b[K")
            self._open_line = False


def describe(done: int, total: int | None, elapsed: float) -> str:
    """`1.2 GiB of 4.0 GiB, 11.3 MiB/s, 4 minutes left`."""
    rate = done / elapsed if elapsed > 0 else 0.0
    parts = [humanize.naturalsize(done, binary=True)]
    if total:
        parts[0] += f" of {humanize.naturalsize(total, binary=True)}"
    parts.append(f"{humanize.naturalsize(rate, binary=True)}/s")
    if total and rate and total > done:
        parts.append(f"{humanize.naturaldelta((total - done) / rate)} left")
    return ", ".join(parts)
