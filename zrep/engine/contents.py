"""Reading a data tree into the record of its contents, and hashing what was sampled of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b, sha256

from zrep.engine.tree import entry_at, open_folder, walk
from zrep.errors import ZfsError
from zrep.model.contents import Contents, Sampled, rank, window
from zrep.model.tree import Kind
from zrep.planner.locate import Parts

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK = 1 << 20
# Of so many ways down for each file that is wanted some meet the same one, or none.
TRIES = 16
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
    counter, digest = Counter({Kind.FOLDER: 1}), blake2b()
    size = 0
    for at, entries in walk(top, ()):
        if not at:
            entries.pop(_CONTROL, None)
        for name, entry in sorted(entries.items()):
            counter[entry.kind] += 1
            size += entry.size + len(os.fsencode(entry.target) if entry.kind is Kind.LINK else b"")
            digest.update(repr((at, name, entry)).encode("utf-8", "backslashreplace"))
        on_size(size)
    return Contents(
        files=counter[Kind.FILE],
        folders=counter[Kind.FOLDER],
        links=counter[Kind.LINK],
        others=counter[Kind.OTHER],
        size=size,
        digest=digest.hexdigest()[:32],
        sample=read_sample(top, run=run, sample=sample).sample,
    )


def read_sample(top: int, *, run: str, sample: int) -> Contents:
    """Only the hashes: of files that are met by going down from the top, at each step by lot.

    However many files there are, no more than TRIES times sample folders are listed at each depth.
    What is alone in its folder is met more often than what has many beside it.
    """
    drawn: dict[str, int] = {}
    listed: dict[Parts, list[str]] = {}
    for attempt in range(TRIES * sample):
        parts = _go_down(top, f"{run}\0{attempt}", listed)
        if parts is not None:
            drawn["/".join(parts)] = rank(run, "/".join(parts))
        if len(drawn) == sample:
            break
    return Contents(sample=tuple(_sampled(top, path, r) for path, r in sorted(drawn.items())))


def _go_down(top: int, lot: str, listed: dict[Parts, list[str]]) -> Parts | None:
    """A file; None where there is nothing, or nothing that is a file."""
    parts: Parts = ()
    while names := _names(top, parts, listed):
        parts = (*parts, names[rank(lot, str(len(parts))) % len(names)])
        entry = entry_at(top, parts)
        if entry is None or entry.kind is not Kind.FOLDER:
            return parts if entry and entry.kind is Kind.FILE else None
    return None


def _names(top: int, parts: Parts, listed: dict[Parts, list[str]]) -> list[str]:
    if parts not in listed:
        with open_folder(top, parts) as folder:
            found = os.listdir(folder)  # noqa: PTH208 - of a descriptor
        listed[parts] = sorted(n for n in found if parts or n != _CONTROL)
    return listed[parts]


def _sampled(top: int, path: str, ranked: int) -> Sampled:
    entry = entry_at(top, tuple(path.split("/")))
    size = entry.size if entry else 0
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
