"""Progress on stderr: one line for each transfer, redrawn on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from threading import Lock
from typing import Self, TextIO

import humanize

TERMINAL_EVERY = 0.2
PLAIN_EVERY = 30.0
UP = "\x1b[A"
CLEAR = "\r\x1b[K"
BAR = 20


@dataclass
class _Transfer:
    """When it began and was last told of (time.monotonic), and how it stands."""

    first: float
    told: float
    text: str = ""


@dataclass
class Lines:
    """Implements zrep.engine.progress.Progress for people and for logs; from any thread."""

    stream: TextIO
    terminal: bool
    _transfers: dict[str, _Transfer] = field(default_factory=dict)
    _drawn: int = 0
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    def on_stderr(cls) -> Self:
        return cls(stream=sys.stderr, terminal=sys.stderr.isatty())

    def step(self, text: str) -> None:
        """What is being drawn begins anew below: a step may be the end of a transfer."""
        with self._lock:
            self._wipe()
            self._transfers = {w: t for w, t in self._transfers.items() if w not in text}
            self._write(f"{text}\n")

    def warn(self, text: str) -> None:
        self.step(f"warning: {text}")

    def moved(self, what: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        with self._lock:
            transfer = self._transfers.setdefault(what, _Transfer(first=now, told=now))
            if now - transfer.told < (TERMINAL_EVERY if self.terminal else PLAIN_EVERY):
                return
            transfer.told = now
            bar = f" {draw(done, total)}" if self.terminal and total else ""
            transfer.text = f"  {what}:{bar} {describe(done, total, now - transfer.first)}"
            if self.terminal:
                self._redraw()
            else:
                self._write(f"{transfer.text}\n")

    def _redraw(self) -> None:
        self._wipe()
        texts = [t.text for t in self._transfers.values() if t.text]
        self._write("\n".join(texts))
        self._drawn = len(texts)

    def _wipe(self) -> None:
        """The cursor stands in the last of the lines that were drawn."""
        if self._drawn:
            self._write(CLEAR + (UP + CLEAR) * (self._drawn - 1))
            self._drawn = 0

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def draw(done: int, total: int) -> str:
    """`[##########----------]` for one half."""
    full = min(done * BAR // total, BAR)
    return f"[{'#' * full}{'-' * (BAR - full)}]"


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
