"""The real sanoid as an oracle: Debian's package, unpacked into a cache, run on a drawn pool.

Needs no ZFS and installs nothing into the system: `zfs` and `zpool` are stand-ins that answer from
files, orders to them are only written down, and perl's clock stands still. Run as a program it only
fetches the packages (`python -m tests.contract.sanoid_oracle`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("sanoid", "libconfig-inifiles-perl")
READY = "ready"
VERSION = "4"  # of what is prepared here

# Loaded into perl before sanoid: the clock stands still, and orders to `zfs` are written down
# instead of being carried out, which saves a process for each.
STAGE = r"""package Stage;
sub order {
    my ($verb, $name, $line) = @_;
    open(my $book, '>>', "$ENV{ORACLE}/" . ($verb eq 'snapshot' ? 'taken' : 'pruned')) or die;
    print $book ($verb eq 'snapshot' ? $line : $name), "\n";
    close $book;
    if ($verb eq 'snapshot' ? -e "$ENV{ORACLE}/there/$name" : -e "$ENV{ORACLE}/held/$name") {
        print STDERR $verb eq 'snapshot' ? "dataset already exists\n" : "dataset is busy\n";
        return 256;
    }
    return 0;
}
sub answer {
    # Sanoid asks for its own name around every order, to write it into its lock.
    my $caller = shift;
    my $handle = ref $_[0] || !defined $_[0] ? undef : Symbol::qualify_to_ref($_[0], $caller);
    return CORE::open($handle, '<', \"sanoid\n") if $handle && @_ == 2 && $_[1] =~ /^ps /;
    return CORE::open($handle // $_[0], $_[1]) if @_ == 2;
    return CORE::open($handle // $_[0], $_[1], @_[2 .. $#_]);
}
BEGIN {
    require Symbol;
    my $now = $ENV{ORACLE_NOW};
    *CORE::GLOBAL::time = sub () { $now };
    *CORE::GLOBAL::localtime = sub (;$) { CORE::localtime(@_ ? $_[0] : $now) };
    *CORE::GLOBAL::open = sub (*;$@) { unshift @_, scalar caller; goto &answer };
    *CORE::GLOBAL::system = sub {
        my @words = split ' ', join(' ', @_);
        return CORE::system(@_) unless $words[0] =~ /\bzfs$/ && $words[1] =~ /^(snapshot|destroy)$/;
        return $? = order($words[1], $words[-1], join(' ', @words));
    };
}
1;
"""

# Stands for the module of that name, of which sanoid uses one function: it starts two processes
# for each snapshot only to copy what `zfs` says.
TEE = r"""package Capture::Tiny;
use strict;
use Exporter 'import';
our @EXPORT_OK = ('tee_stderr');
our %EXPORT_TAGS = (all => \@EXPORT_OK);
sub tee_stderr (&;@) {
    my ($code) = @_;
    open(my $kept, '>&', \*STDERR) or die;
    close STDERR;
    my $said = '';
    open(STDERR, '>', \$said) or die;
    my @result = $code->();
    close STDERR;
    open(STDERR, '>&', $kept) or die;
    print STDERR $said;
    return wantarray ? ($said, @result) : $said;
}
1;
"""

ZFS = r"""#!/bin/sh
# What a pool made of files has; orders do not come here.
for last; do :; done
case $1 in
get) cat "$ORACLE/snapshots" ;;
list) awk -v root="$last" '$0 == root || index($0, root "/") == 1' "$ORACLE/datasets" ;;
*) exit 2 ;;
esac
"""

ZPOOL = """#!/bin/sh
echo "$ORACLE_CAPACITY%"
"""


class NoOracle(Exception):
    """This machine is no Debian, and cannot have Debian's sanoid."""


class FetchFailed(Exception):
    """The packages could not be fetched; says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What sanoid is shown; snapshots with their creation in epoch seconds."""

    config: str
    datasets: Sequence[str]
    snapshots: Sequence[tuple[str, int]]
    now: int
    timezone: str = "UTC"
    held: Sequence[str] = ()
    capacity: int = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The snapshots it ordered to take (sorted) and to destroy (in order), failed ones too."""

    status: int
    take: tuple[str, ...]
    prune: tuple[str, ...]
    stderr: str


def cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "zrep-tests" / f"sanoid-{VERSION}"


def fetch(folder: Path | None = None) -> Path:
    """The folder with the unpacked packages, fetched by apt-get when they are not there yet."""
    folder = folder or cache()
    if (folder / READY).exists():
        return folder
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise NoOracle("sanoid is unpacked from Debian's package, and this is no Debian")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as text:
        new = Path(text) / "new"
        new.mkdir()
        download(new)
        unpack(new)
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
    return folder


def download(folder: Path) -> None:
    """The packages as files; the list of packages is read anew when that is needed."""
    command = ("apt-get", "-qq", "-o", "APT::Sandbox::User=root")
    if _said(*command, "download", *PACKAGES, where=folder):
        as_root = () if os.geteuid() == 0 else ("sudo", "-n")
        _said(*as_root, *command, "update", where=folder)
        why = _said(*command, "download", *PACKAGES, where=folder)
        if why:
            raise FetchFailed(f"{' '.join(PACKAGES)}: {why}; try: apt-get update")


def _said(*argv: str, where: Path) -> str:
    """Why the command failed; empty when it did not."""
    done = subprocess.run(argv, cwd=where, capture_output=True, text=True, check=False)
    last = (done.stderr.strip().splitlines() or ["it did not say why"])[-1]
    return last if done.returncode else ""


def unpack(folder: Path) -> None:
    """Make of the package files in the folder a sanoid that can be asked."""
    for package in folder.glob("*.deb"):
        subprocess.run(("dpkg", "-x", str(package), "."), cwd=folder, check=True)
        package.unlink()
    _prepare(folder)


def _prepare(folder: Path) -> None:
    """Its shipped defaults are found by an absolute path, which must lead into the cache."""
    program = folder / "usr/sbin/sanoid"
    text = program.read_text(encoding="utf-8")
    # By a relative path, for the folder gets its name only when all is in it.
    (folder / "sanoid").write_text(text.replace("/usr/share/sanoid/", "./"), encoding="utf-8")
    (folder / "Stage.pm").write_text(STAGE)
    (folder / "Capture").mkdir()
    (folder / "Capture" / "Tiny.pm").write_text(TEE)
    for name, body in (("zfs", ZFS), ("zpool", ZPOOL)):
        stub = folder / "bin" / name
        stub.parent.mkdir(exist_ok=True)
        stub.write_text(body)
        stub.chmod(0o755)
    (folder / READY).touch()


def ask(pool: Pool, *args: str, folder: Path | None = None) -> Answer:
    """What sanoid does with the pool; `args` are its own, `--cron` when there are none."""
    home = fetch(folder)
    with tempfile.TemporaryDirectory() as text:
        world = Path(text)
        _draw(world, pool)
        argv = ("perl", "-MStage", str(home / "sanoid"), f"--configdir={world}")
        places = (f"--cache-dir={world}/cache", f"--run-dir={world}/run")
        done = subprocess.run(
            (*argv, *places, *(args or ("--cron",))),
            cwd=home / "usr/share/sanoid",
            env=_environment(home, world, pool),
            capture_output=True,
            text=True,
            check=False,
        )
        return Answer(
            status=done.returncode,
            take=tuple(sorted({w.rpartition(" ")[2] for w in _lines(world / "taken")})),
            prune=tuple(_lines(world / "pruned")),
            stderr=done.stderr,
        )


def _draw(world: Path, pool: Pool) -> None:
    (world / "sanoid.conf").write_bytes(pool.config.encode())
    (world / "datasets").write_text("".join(f"{d}\n" for d in pool.datasets))
    rows = (f"{name}\tcreation\t{creation}\t-\n" for name, creation in pool.snapshots)
    (world / "snapshots").write_text("".join(rows))
    for kind, names in (("there", [n for n, _ in pool.snapshots]), ("held", pool.held)):
        for name in names:
            mark = world / kind / name
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()


def _environment(home: Path, world: Path, pool: Pool) -> dict[str, str]:
    return {
        "PATH": f"{home}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PERL5LIB": f"{home}:{home}/usr/share/perl5",
        "PERL_HASH_SEED": "0",  # its order of things of equal rank is that of a hash
        "LC_ALL": "C",
        "TZ": pool.timezone,
        "ORACLE": str(world),
        "ORACLE_NOW": str(pool.now),
        "ORACLE_CAPACITY": str(pool.capacity),
    }


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


if __name__ == "__main__":
    try:
        fetch()
    except (NoOracle, FetchFailed) as problem:
        sys.exit(f"the real sanoid is not there to compare with: {problem}")
