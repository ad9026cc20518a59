"""What a receiving program may touch: its dataset and nothing else, whatever its sender sends.

Runs as a program of its own, `python3 -I confine.py --write DIR --read FILE ... -- PROGRAM WORDS`,
which gives up what PROGRAM does not need and becomes it. So the process stays the same one, keeps
its parent's death signal and its locks, and no service manager is asked. In layers, each as far as
the kernel has it:

* a mount namespace in which everything but DIR is read-only (root only; Linux 5.12 and newer),
* Landlock (Linux 5.19 and newer): no file outside of DIR can be written, only programs, libraries
  and what name resolution needs can be read; no mount, no signal and no debugging outwards;
* no new privileges, and without the capabilities that reach into the kernel.

CAP_SYS_ADMIN stays: trusted.* attributes cannot be written without it.
Imports nothing of zrep: it starts with every transfer.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

_LIBC = ctypes.CDLL(None, use_errno=True)

# System call numbers that are the same on every architecture since Linux 5.2.
_MOUNT_SETATTR, _LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 442, 444, 445, 446
_CLONE_NEWNS, _MS_BIND, _MS_REC, _MS_SLAVE = 0x20000, 0x1000, 0x4000, 0x80000
_AT_FDCWD, _AT_RECURSIVE, _MOUNT_ATTR_RDONLY = -100, 0x8000, 1
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
_O_PATH = 0o10000000

# Landlock's rights by bit, as linux/landlock.h has them.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_UP_TO_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14 | 1 << 15
# Before ABI 2 no hard link could reach into another folder.
LEAST_ABI = 2
_SCOPES_ABI = 6

# chown, dac_override, dac_read_search, fowner, fsetid, mknod, sys_admin, setfcap.
_KEPT_CAPABILITIES = {0, 1, 2, 3, 4, 27, 21, 31}
_LAST_CAPABILITY = Path("/proc/sys/kernel/cap_last_cap")

PROGRAMS = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/nix", "/gnu")
NAMES = (
    *("/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/hosts", "/etc/host.conf"),
    *("/etc/resolv.conf", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager"),
    *("/etc/gai.conf", "/etc/services", "/etc/protocols", "/etc/localtime", "/etc/ld.so.cache"),
    *("/etc/ld.so.preload", "/etc/ssl/openssl.cnf", "/etc/crypto-policies", "/etc/popt"),
)
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/tty")


def confined(argv: Sequence[str], *, writes: str, reads: Sequence[str]) -> tuple[str, ...]:
    """The argv that runs `argv` so that it can write below the folder `writes` only."""
    known = (word for path in reads for word in ("--read", path))
    return (sys.executable, "-I", __file__, "--write", writes, *known, "--", *argv)


def landlock_abi() -> int:
    """The kernel's version of Landlock; 0 when there is none."""
    return max(0, int(_LIBC.syscall(_LANDLOCK_CREATE, None, 0, 1)))


def can_confine() -> bool:
    return landlock_abi() >= LEAST_ABI


def confine(writes: Path, reads: Iterable[Path]) -> None:
    """Give up the rest, for ever and for every program started from here. Raises OSError."""
    if os.geteuid() == 0:
        _only_writable(writes)
        _drop_capabilities()
    _call(_LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    if can_confine():
        _landlock(writes, reads, landlock_abi())


def _only_writable(folder: Path) -> None:
    """A namespace that follows what is unmounted outside. Containers may not have one."""
    if not _knows_mount_setattr() or _LIBC.unshare(_CLONE_NEWNS) != 0:
        return
    _call(_LIBC.mount(b"none", b"/", None, _MS_REC | _MS_SLAVE, None), "mount --make-rslave /")
    place = os.fsencode(folder)
    if not folder.is_mount():
        _call(_LIBC.mount(place, place, None, _MS_BIND, None), f"mount --bind {folder}")
    _read_only(b"/", _AT_RECURSIVE, yes=True)
    _read_only(place, 0, yes=False)


def _knows_mount_setattr() -> bool:
    """Linux 5.12 and newer; asked for nothing at all, they call that invalid."""
    done = _LIBC.syscall(_MOUNT_SETATTR, _AT_FDCWD, b"/", 0, None, 0)
    return not (done < 0 and ctypes.get_errno() == errno.ENOSYS)


def _read_only(place: bytes, flags: int, *, yes: bool) -> None:
    # struct mount_attr: set, clear, propagation, user namespace.
    attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY * yes, _MOUNT_ATTR_RDONLY * (not yes))
    size = ctypes.sizeof(attributes)
    done = _LIBC.syscall(_MOUNT_SETATTR, _AT_FDCWD, place, flags, attributes, size)
    _call(done, f"mount_setattr {os.fsdecode(place)}")


def _drop_capabilities() -> None:
    for number in range(int(_LAST_CAPABILITY.read_text()) + 1):
        if number not in _KEPT_CAPABILITIES:
            _call(_LIBC.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0), f"dropping capability {number}")


def _landlock(writes: Path, reads: Iterable[Path], abi: int) -> None:
    everything = _UP_TO_ABI[max(known for known in _UP_TO_ABI if known <= abi)]
    # struct landlock_ruleset_attr: files, network, scopes (abstract sockets and signals).
    rules = (ctypes.c_uint64 * 3)(everything, 0, 3)
    size = 24 if abi >= _SCOPES_ABI else 8
    ruleset = _call(_LIBC.syscall(_LANDLOCK_CREATE, rules, size, 0), "landlock_create_ruleset")
    _allow(ruleset, writes, everything & ~_EXECUTE)
    for path in (*map(Path, PROGRAMS), *map(Path, NAMES), *reads):
        _allow(ruleset, path, _EXECUTE | _READ_FILE | _READ_DIR)
    for device in DEVICES:
        _allow(ruleset, Path(device), _READ_FILE | _WRITE_FILE)
    _call(_LIBC.syscall(_LANDLOCK_RESTRICT, ruleset, 0), "landlock_restrict_self")


def _allow(ruleset: int, path: Path, rights: int) -> None:
    """What is not there needs no rule."""
    try:
        place = os.open(path, _O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    if not path.is_dir():
        rights &= _OF_FILES
    # struct landlock_path_beneath_attr, packed: rights, folder.
    rule = rights.to_bytes(8, sys.byteorder) + place.to_bytes(4, sys.byteorder, signed=True)
    _call(_LIBC.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0), f"landlock_add_rule {path}")
    os.close(place)


def _call(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def main(words: list[str]) -> NoReturn:
    """What `confined` says. Status 126: could not be confined, and was not started."""
    if words[:1] != ["--write"] or "--" not in words[2:-1] or set(_options(words)) != {"--read"}:
        sys.exit("usage: confine.py --write DIR --read FILE [--read FILE]... -- PROGRAM [WORD]...")
    end = words.index("--", 2)
    program = words[end + 1 :]
    try:
        confine(Path(words[1]), map(Path, words[3:end:2]))
        os.execvp(program[0], program)  # noqa: S606 - no shell is the point
    except FileNotFoundError as error:
        _refuse(127, f"{error.filename or program[0]}: not found")
    except OSError as error:
        _refuse(126, f"cannot confine {program[0]}: {error.strerror}")


def _options(words: Sequence[str]) -> Sequence[str]:
    return words[2 : words.index("--", 2) : 2]


def _refuse(status: int, why: str) -> NoReturn:
    sys.stderr.write(f"zrep: {why}\n")
    sys.exit(status)


if __name__ == "__main__":
    main(sys.argv[1:])
