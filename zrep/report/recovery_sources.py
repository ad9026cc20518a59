"""Part 4 of a recovery sheet: each source brought back to where it came from. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from zrep.model.key import SourceKey
from zrep.model.restore import exclude_inside
from zrep.model.sheet import Sheet
from zrep.model.source import Database, Method, Source
from zrep.report.recovery_hosts import Hosts
from zrep.report.table import size

# What every copy is made with: all that a file system knows of a file, numbers instead of names,
# and names with blanks as they are.
RSYNC = ("rsync", "-aHAX", "--numeric-ids", "--secluded-args")
_KEPT = "/.zrep-safety-*"

_HEAD = """\
4. BRING SOURCES BACK

Take the parts you need. What is on the host and not in the backup is DELETED there: leave out
--delete-delay to keep it. Without part 3 services go on writing under your hands.
The last command of each compares every byte and prints nothing when all is as in the backup.
"""

_MOUNT_POINT = "It must be mounted there; if not, mount it first ({how}):\n\n    {check}\n"

_LOAD = {
    Database.POSTGRESQL: """psql --username="${POSTGRES_USER:-postgres}"' <FILE.sql""",
    Database.MARIADB: """mariadb --user=root --password="$MARIADB_ROOT_PASSWORD"' <FILE.sql""",
    Database.MONGODB: """mongorestore --archive --drop' <FILE.archive""",
}


def source_sections(sheet: Sheet, hosts: Hosts) -> Iterator[str]:
    yield _HEAD
    for number, key in enumerate(sheet.keys, 1):
        yield "\n".join(_section(sheet, hosts, key, f"4.{number}"))


def _section(sheet: Sheet, hosts: Hosts, key: SourceKey, number: str) -> Iterator[str]:
    source = sheet.source(key)
    if source is None or key.host not in hosts.addresses:
        yield f"{number} {key}\n\nThe configuration did not know any more where this belongs.\n"
        return
    record = next(r for r in sheet.manifest.sources if r.key == key)
    yield f"{number} {key}  ->  {source.path} on {key.host}"
    yield f"(taken by {source.method}{_volume(source)}; {size(record.size)})\n"
    yield from _mount_point(source, hosts)
    yield from copy_commands(source, hosts)
    yield from _dump(source)


def _volume(source: Source) -> str:
    return f" of {source.volume}" if source.volume else ""


def _mount_point(source: Source, hosts: Hosts) -> Iterator[str]:
    if source.mounted or source.method in (Method.LVM, Method.GLUSTER, Method.ZFS):
        check = hosts.ssh(source.key.host, "mountpoint", source.path)
        how = f"{source.method} {source.volume}".strip()
        yield _MOUNT_POINT.format(how=how, check=check)


def copy_commands(source: Source, hosts: Hosts, inside: str = "") -> Iterator[str]:
    """The copy and the comparison, of all of a source or of a folder or file in it."""
    at = f"/{inside}" if inside else ""
    slash = "$SLASH" if inside else "/"
    origin = f'"$M"{shlex.quote(f"/{source.key}{at}")}'
    host = source.key.host
    to = hosts.remote(host, f"{source.path.rstrip('/')}{at}")
    if inside:
        yield f"    SLASH=; [ ! -d {origin} ] || SLASH=/"
    for extra in ((), ("--dry-run", "--checksum", "-i")):
        words = shlex.join((*RSYNC, "--mkpath", *extra, *_options(source, inside)))
        copy = f"{words} -e {hosts.shell(host)} {origin}{slash} {to}{slash}"
        # Of a folder where nothing is mounted it would make an empty one there.
        yield f"    mountpoint -q $M/{source.key} && {copy}"
    yield ""


def _options(source: Source, inside: str) -> tuple[str, ...]:
    """What was left out of the backup stays on the host; where that cannot be said, all does."""
    try:
        excluded = exclude_inside(source.exclude, inside)
    except ValueError:
        return ()
    protected = excluded if inside else (_KEPT, *excluded)
    return ("--delete-delay", *(f"--exclude={pattern}" for pattern in protected))


def _dump(source: Source) -> Iterator[str]:
    if source.dump is not None:
        file = shlex.quote(f"{source.path}/{source.dump.service}")
        load = _LOAD[source.dump.database].replace("FILE", file)
        yield "This is a dump: copying it back changes no database. To load it, on the host where"
        yield f"the container of {source.dump.service} runs:\n"
        yield f"  docker exec -i CONTAINER sh -c '{load}\n"
