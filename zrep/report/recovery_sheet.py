"""The recovery sheet: how to bring a backup back with zfs, mount, rsync and ssh alone. Pure.

Written for a tired person who has never seen zrep. Whatever is indented by four blanks is run as it
stands, by root on the machine with the pool, in one bash.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from zrep.engine.recovery import Papers
from zrep.model.contents import Contents
from zrep.model.key import SourceKey
from zrep.model.recovery import CONFIG, RECOVERY, SUMS, policy_copy
from zrep.model.sheet import Sheet
from zrep.report.recovery_hosts import Hosts
from zrep.report.recovery_services import service_section, start_section, stop_section
from zrep.report.recovery_sources import source_sections
from zrep.report.table import size

_HEAD = """\
RECOVERY SHEET: backup {id} of set {set}{deployment}
written {written} by zrep {version}; the backup is {state}

You need no zrep for any of this: only zfs, mount, rsync and ssh, and root on the machine with the
backups and on the hosts. Lines that are indented by four blanks are commands. Run them as root on
the machine that has the backups ({machine}, or a replica, see 8), all in one bash, and in
order: later ones use what earlier ones have set. Read each part to its end before you run it.
Nothing before part 3 changes anything.
"""

_PLACE = """\
1. WHERE THE BACKUP IS

On {machine}, in the ZFS dataset {root}. If its pool is not there: zpool import {pool}
(plain `zpool import` lists the pools that could be). If it is encrypted: zfs load-key -r {pool}

    ROOT={root}
    SNAP={label}
    M=/mnt/zrep-recovery
{hosts}
If a host was replaced or has another address now, set its name above to where it is.
Is the whole backup there? Each of these must be listed:

    for S in {names}; do zfs list -H -p -t snapshot -o name,guid "$ROOT/$S@$SNAP"; done

{held}
{earlier}"""

_LOOK = """\
2. LOOK INTO IT

This mounts it read-only, and harms nothing:

{mounts}

Each source now lies in $M/HOST/SOURCE. Each command prints how many files
and folders there are, which must be as it says behind the #:

{counts}

{sums}"""

_AFTER = """\
7. AFTERWARDS

    cd /
{umounts}
"""

_REPLICA_HEAD = """\
8. FROM A REPLICA

A replica has the same snapshots under the same names, with the same guids, in another dataset.
Log in there as root, and do parts 1 to 7 there, with this instead of the line `ROOT=` in part 1:
"""

_ZREP = """\
9. ZREP ITSELF

Beside this sheet, in $M/{recovery}/{set} after part 2, lies a copy of its configuration:
{config} and {policies}.
Keys are not in it: make new ones (zrep key create control read) and install them on the hosts
(zrep capsule deploy). zrep finds all backups again in ZFS, without any file of its own.
"""


def papers() -> Papers:
    """What `zrep sync` leaves beside the data."""
    return Papers(sheet=render_sheet, sums=render_sums)


def render_sheet(sheet: Sheet) -> str:
    hosts = Hosts.of(sheet.config)
    parts = [
        _head(sheet),
        _place(sheet, hosts),
        _look(sheet),
        *stop_section(sheet, hosts),
        *source_sections(sheet, hosts),
        *service_section(sheet, hosts),
        *start_section(sheet, hosts),
        _AFTER.format(umounts="\n".join(f"    umount {to}" for _, to in _mounted(sheet))),
        *_replicas(sheet),
        *_zrep(sheet),
    ]
    return "\n".join(parts)


def render_sums(contents: Mapping[str, Contents]) -> str:
    """As `sha256sum --check` reads it where the sources are mounted; whole files alone.

    Names that sha256sum would have to escape are left out.
    """
    lines = [
        f"{one.sha256}  {name}/{one.path}\n"
        for name, found in sorted(contents.items())
        for one in found.sample
        if one.whole and one.path.isprintable() and "\\" not in one.path
    ]
    return "".join(lines)


def _head(sheet: Sheet) -> str:
    deployment = sheet.config.deployment
    failed = [r for r in sheet.manifest.sources if not r.ok]
    lines = [f"NOT in this backup: {r.key} ({r.why.splitlines()[0]})" for r in failed]
    head = _HEAD.format(
        id=sheet.label.id,
        set=sheet.manifest.set_name,
        deployment=f" (deployment {deployment})" if deployment else "",
        written=_iso(sheet.written),
        version=sheet.manifest.version,
        state=sheet.manifest.state.value,
        machine=sheet.machine,
    )
    return head + "".join(f"\n{line}\n" for line in lines)


def _place(sheet: Sheet, hosts: Hosts) -> str:
    root = sheet.config.target.dataset
    return _PLACE.format(
        machine=sheet.machine,
        root=root,
        pool=root.pool,
        label=sheet.label,
        hosts="".join(f"    {line}\n" for line in hosts.assignments()),
        names=" ".join(name for name, _ in _datasets(sheet)),
        held=_guids(sheet),
        earlier=_earlier(sheet),
    )


def _guids(sheet: Sheet) -> str:
    if not sheet.guids:
        return (
            "Their guids are not written here: this sheet lies in one of them, and was there\n"
            "before them.\n"
        )
    lines = [f"  {key}  guid {guid}" for key, guid in sorted(sheet.guids.items())]
    return "\n".join(("Their guids:\n", *lines, ""))


def _earlier(sheet: Sheet) -> str:
    if not sheet.earlier:
        return "It was the first complete one of its set.\n"
    lines = ["Complete ones before it; for one of these put its name after SNAP= instead:\n"]
    lines += [f"  {backup.label}" for backup in sheet.earlier]
    newest = sheet.earlier[0]
    lines += [f"\nGuids of {newest.label}, by which a copy of it is known everywhere:\n"]
    lines += [f"  {c.key}  guid {c.snapshot.guid}" for c in newest.children]
    return "\n".join((*lines, ""))


def _look(sheet: Sheet) -> str:
    mounts = [
        f'    mkdir -p {to} && mount -t zfs -o ro,nosuid,nodev,noexec "$ROOT/{name}@$SNAP" {to}'
        for name, to in _mounted(sheet)
    ]
    counts = [line for key in sheet.keys for line in _count(sheet, key)]
    sums = (
        "A few files of each source, chosen by chance, were hashed. This prints nothing but OK:\n\n"
        f"    cd $M && sha256sum --check --quiet {RECOVERY}/{sheet.manifest.set_name}/{SUMS} "
        "&& echo OK\n"
    )
    return _LOOK.format(
        mounts="\n".join(mounts), counts="\n".join(counts), sums=sums if _hashed(sheet) else ""
    )


def _hashed(sheet: Sheet) -> bool:
    return sheet.stored and any(c.sample for c in sheet.contents.values())


def _count(sheet: Sheet, key: SourceKey) -> Iterator[str]:
    found = sheet.contents.get(str(key))
    record = next(r for r in sheet.manifest.sources if r.key == key)
    counted = found if found and found.counted else None
    entries = counted.entries if counted else record.files
    total = counted.size if counted else record.size
    yield f"    find $M/{key} -printf x | wc -c   # {entries}, with {size(total)}"


def _datasets(sheet: Sheet) -> Iterator[tuple[str, str]]:
    """What the backup consists of below ROOT, and where it is mounted."""
    for key in sheet.keys:
        yield str(key), f"$M/{key}"
    if sheet.stored:
        own = f"{RECOVERY}/{sheet.manifest.set_name}"
        yield own, f"$M/{own}"


def _mounted(sheet: Sheet) -> tuple[tuple[str, str], ...]:
    return tuple(_datasets(sheet))


def _replicas(sheet: Sheet) -> Iterator[str]:
    if not sheet.config.replicas:
        yield "8. FROM A REPLICA\n\nNo replica is configured.\n"
        return
    lines = []
    for name, replica in sorted(sheet.config.replicas.items()):
        where = str(replica.address) if replica.address else sheet.machine
        lines.append(f"  {name}, on {where}:  ROOT={shlex.quote(str(replica.dataset))}")
    here = sheet.config.target.dataset
    again = (
        "To fill a new pool from it instead, run there, with the new machine for NEW and its\n"
        f"{here.parent or here} and hosts' datasets made before:\n\n"
        '  zfs send -Lec "$ROOT/HOST/SOURCE@$SNAP" | ssh root@NEW zfs receive -s -u '
        f"{here}/HOST/SOURCE\n"
    )
    yield "\n".join((_REPLICA_HEAD, *lines, "", again))


def _zrep(sheet: Sheet) -> Iterator[str]:
    if sheet.stored:
        names = [policy_copy(name) for name in sorted(sheet.config.policy_texts)]
        yield _ZREP.format(
            recovery=RECOVERY,
            set=sheet.manifest.set_name,
            config=CONFIG,
            policies=", ".join(names) or "no policies",
        )


def _iso(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
