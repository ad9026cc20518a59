"""Reading a data tree into the record of its contents, and hashing what was sampled of it."""

from __future__ import annotations

import heapq
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b, sha256

from zrep.engine.tree import entry_at, open_folder, walk
from zrep.errors import ZfsError
from zrep.model.contents import Contents, Sampled, rank, window
from zrep.model.tree import Entry, Kind

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK = 1 << 20
# With snapdir=visible ZFS lists its own folder; what is in it is no content.
_CONTROL = ".zfs"


def _untold(_size: int) -> None:
    """Nobody waits for it."""


@contextmanager
def open_top(folder: str) -> Iterator[int]:
    """A descriptor of a mounted tree. What cannot be read while it is open is a ZfsError."""
    try:
        top = os.open(folder, _FOLDER)
        try:
            yield top
        finally:
            os.close(top)
    except OSError as error:
        what = f"cannot read {error.filename}" if error.filename else "cannot read"
        raise ZfsError(what, where=folder, why=error.strerror or str(error)) from error


def read_contents(
    top: int, *, run: str, sample: int, on_size: Callable[[int], None] = _untold
) -> Contents:
    """Of everything below the folder open as `top`; `sample` files of it are hashed.

    Reads all metadata, and no more than sample times WINDOW bytes of files. `on_size` is told,
    folder by folder, how many bytes the files have that were seen so far.
    """
    counter, lottery, digest = Counter({Kind.FOLDER: 1}), _Lottery(run, sample), blake2b()
    size = 0
    for at, entries in walk(top, ()):
        if not at:
            entries.pop(_CONTROL, None)
        for name, entry in sorted(entries.items()):
            counter[entry.kind] += 1
            size += entry.size + len(os.fsencode(entry.target) if entry.kind is Kind.LINK else b"")
            digest.update(repr((at, name, entry)).encode("utf-8", "backslashreplace"))
            if entry.kind is Kind.FILE:
                lottery.offer("/".join((*at, name)), entry)
        on_size(size)
    return Contents(
        files=counter[Kind.FILE],
        folders=counter[Kind.FOLDER],
        links=counter[Kind.LINK],
        others=counter[Kind.OTHER],
        size=size,
        digest=digest.hexdigest()[:32],
        sample=tuple(_sampled(top, *drawn) for drawn in lottery.drawn()),
    )


@dataclass(slots=True)
class _Lottery:
    """Keeps the files of the lowest ranks of all that it is offered."""

    run: str
    count: int
    _heap: list[tuple[int, str, int]] = field(default_factory=list)

    def offer(self, path: str, entry: Entry) -> None:
        if not self.count:
            return
        item = (-rank(self.run, path), path, entry.size)
        if len(self._heap) < self.count:
            heapq.heappush(self._heap, item)
        else:
            heapq.heappushpop(self._heap, item)

    def drawn(self) -> list[tuple[str, int, int]]:
        """Path, size and rank, in the order of their paths."""
        return sorted((path, size, -negative) for negative, path, size in self._heap)


def _sampled(top: int, path: str, size: int, ranked: int) -> Sampled:
    offset, length = window(ranked, size)
    hashed = hash_window(top, path, offset, length)
    return Sampled(path=path, size=size, offset=offset, length=length, sha256=hashed)


def hash_window(top: int, path: str, offset: int, length: int) -> str:
    """SHA-256 of a part of one file, found without following links; of less where it ends first."""
    *folders, name = path.split("/")
    found = sha256()
    with open_folder(top, tuple(folders)) as folder:
        descriptor = os.open(name, _FILE, dir_fd=folder)
    try:
        end = offset + length
        while offset < end and (chunk := os.pread(descriptor, min(_CHUNK, end - offset), offset)):
            found.update(chunk)
            offset += len(chunk)
    finally:
        os.close(descriptor)
    return found.hexdigest()


def hash_again(top: int, sampled: Sampled) -> str | None:
    """What is there now of a file that was sampled; None when it is no file any more."""
    entry = entry_at(top, tuple(sampled.path.split("/")))
    if entry is None or entry.kind is not Kind.FILE:
        return None
    return hash_window(top, sampled.path, sampled.offset, sampled.length)
