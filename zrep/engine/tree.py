"""Reading a folder of files that others made: step by step from its top, never through a link.

A backup's content is what its sources' users put there. A link in it could lead anywhere on this
machine, so every step on the way is opened by its name in the folder before, and a link refused.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b

from zrep.errors import Refused, UnknownName
from zrep.model.tree import Entry, Kind
from zrep.planner.compare import Change, compare_entry, compare_folder
from zrep.planner.locate import Parts

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK = 1 << 20


@contextmanager
def open_folder(top: int, parts: Parts) -> Iterator[int]:
    """A descriptor of the folder that lies `parts` below the folder open as `top`.

    Refused when a link is on the way; FileNotFoundError and NotADirectoryError as they come.
    """
    here = os.dup(top)
    try:
        for depth, name in enumerate(parts):
            below = _step(here, name, parts[: depth + 1])
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


def _step(here: int, name: str, so_far: Parts) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=here)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR} and _is_link(here, name):
            target = os.readlink(name, dir_fd=here)
            raise Refused(
                f"{'/'.join(so_far)} is a symbolic link to {target}",
                next_step="name what it points to; links in a backup are not followed",
            ) from error
        raise


def _is_link(here: int, name: str) -> bool:
    return stat.S_ISLNK(os.lstat(name, dir_fd=here).st_mode)


def entry_at(top: int, parts: Parts) -> Entry | None:
    """What lies there; None for nothing, and below what is no folder there is nothing."""
    if not parts:
        return _entry(os.fstat(top), lambda: "")
    name = parts[-1]
    try:
        with open_folder(top, parts[:-1]) as folder:
            found = os.lstat(name, dir_fd=folder)
            return _entry(found, lambda: os.readlink(name, dir_fd=folder))
    except (FileNotFoundError, NotADirectoryError):
        return None


def whole_entry(top: int, parts: Parts) -> Entry | None:
    """As entry_at; a folder with the sum of its sizes, its newest mtime and a digest of the rest.

    Reads the metadata of everything below it.
    """
    own = entry_at(top, parts)
    if own is None or own.kind is not Kind.FOLDER:
        return own
    size = mtime = 0
    digest = blake2b(digest_size=16)
    for at, entries in walk(top, parts):
        for name, entry in sorted(entries.items()):
            size, mtime = size + entry.size, max(mtime, entry.mtime)
            digest.update(repr((at, name, entry)).encode("utf-8", "backslashreplace"))
    return Entry(
        kind=own.kind,
        size=size,
        mtime=mtime,
        mode=own.mode,
        uid=own.uid,
        gid=own.gid,
        digest=digest.hexdigest(),
    )


def walk(top: int, parts: Parts) -> Iterator[tuple[Parts, dict[str, Entry]]]:
    """Every folder at and below `parts`, as its place and the entries in it, in their order.

    Opens one folder at a time, however deep the tree is.
    """
    left = [parts]
    while left:
        at = left.pop()
        entries = read_folder(top, at)
        yield at, entries
        folders = sorted(n for n, e in entries.items() if e.kind is Kind.FOLDER)
        left.extend((*at, name) for name in reversed(folders))


def read_folder(top: int, parts: Parts) -> dict[str, Entry]:
    with open_folder(top, parts) as folder, os.scandir(folder) as names:
        return {
            name.name: _entry(name.stat(follow_symlinks=False), _reader_of_link(name.name, folder))
            for name in names
        }


def _reader_of_link(name: str, folder: int) -> Callable[[], str]:
    return lambda: os.readlink(name, dir_fd=folder)


def _entry(found: os.stat_result, read_link: Callable[[], str]) -> Entry:
    kind = _KINDS.get(stat.S_IFMT(found.st_mode), Kind.OTHER)
    target = ""
    if kind is Kind.LINK:
        target = read_link()
    elif kind is Kind.OTHER:
        target = f"{stat.filemode(found.st_mode)[0]} {found.st_rdev}"
    return Entry(
        kind=kind,
        size=found.st_size if kind is Kind.FILE else 0,
        mtime=0 if kind is Kind.FOLDER else found.st_mtime_ns,
        mode=stat.S_IMODE(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
        target=target,
    )


_KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.FOLDER, stat.S_IFLNK: Kind.LINK}


def compare_trees(old: int, new: int, parts: Parts) -> Iterator[Change]:
    """What differs at and below `parts` between the folders open as `old` and `new`.

    A folder that came or went is one change, whatever is in it.
    """
    one, other = entry_at(old, parts), entry_at(new, parts)
    change = compare_entry(one, other, path="/".join(parts))
    if change is not None:
        yield change
    if one is None or other is None or not one.kind is other.kind is Kind.FOLDER:
        return
    left = [parts]
    while left:
        at = left.pop()
        before, after = read_folder(old, at), read_folder(new, at)
        yield from compare_folder(before, after, at="".join(f"{part}/" for part in at))
        shared = [n for n in before if n in after]
        folders = [n for n in shared if before[n].kind is after[n].kind is Kind.FOLDER]
        left.extend((*at, name) for name in sorted(folders, reverse=True))


def read_content(top: int, parts: Parts) -> Iterator[bytes]:
    """The bytes of one file. UnknownName when it is not there, Refused when it is no file."""
    entry = entry_at(top, parts)
    path = "/".join(parts)
    if entry is None:
        raise UnknownName(
            f"{path} is not in that backup", next_step="see where it is: zrep find PATH"
        )
    if entry.kind is not Kind.FILE:
        raise _no_file(path, entry)
    with open_folder(top, parts[:-1]) as folder:
        source = os.open(parts[-1], _FILE, dir_fd=folder)
    with open(source, "rb") as file:  # noqa: PTH123 - of a descriptor
        while chunk := file.read(_CHUNK):
            yield chunk


def _no_file(path: str, entry: Entry) -> Refused:
    if entry.kind is Kind.LINK:
        return Refused(
            f"{path} is a symbolic link to {entry.target}",
            next_step="name what it points to; links in a backup are not followed",
        )
    then = "take it out with: zrep cp" if entry.kind is Kind.FOLDER else "it has no content"
    return Refused(f"{path or 'that'} is no file but a {entry.kind}", next_step=then)
