"""What docs/restore.md shows of find, diff and prune is what they say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from zrep.model.names import BackupId, DatasetName
from zrep.model.session import Session, replica_sessions
from zrep.model.tree import Entry, Kind
from zrep.planner.compare import Change, Verb, compare_entry
from zrep.planner.prune import Protection, Shield
from zrep.planner.versions import Sighting, history_of
from zrep.report.files import render_change, render_history

TEXT = (Path(__file__).parents[2] / "docs/restore.md").read_text()
FIRST = datetime(2026, 11, 1, 3, tzinfo=UTC)


def conf(size: int, *modified: int) -> Entry:
    year, month, day, hour, minute, second = modified
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    nanoseconds = int(moment.timestamp()) * 10**9
    return Entry(kind=Kind.FILE, size=size, mtime=nanoseconds, mode=0o644, uid=0, gid=0)


OLD = conf(1434, 2026, 10, 2, 7, 11, 5)
NEW = conf(1536, 2026, 11, 12, 15, 40, 31)
FOLDER = Entry(kind=Kind.FOLDER, size=0, mtime=0, mode=0o755, uid=0, gid=0)


def shown(text: str) -> bool:
    return "".join(f"    {line}\n" for line in text.splitlines()) in TEXT


def test_the_versions_of_a_file() -> None:
    seen = [OLD] * 12 + [NEW] * 6 + [None] * 2 + [NEW] * 3
    days = [BackupId.at(FIRST + timedelta(days=i)) for i in range(len(seen))]
    history = history_of([Sighting(backup=b, entry=e) for b, e in zip(days, seen, strict=True)])
    assert shown(f"manager-1/docker/etc/nginx/nginx.conf\n{render_history(history)}")


def test_the_changes_between_two_backups() -> None:
    top = "manager-1/docker/etc"
    changed = compare_entry(OLD, NEW, path=f"{top}/nginx/nginx.conf")
    assert changed is not None
    changes = (
        Change(verb=Verb.ADDED, path=f"{top}/wordpress", old=None, new=FOLDER),
        changed,
        Change(verb=Verb.REMOVED, path=f"{top}/nginx/old.conf", old=OLD, new=None),
    )
    assert shown("\n".join(map(render_change, changes)))


def test_why_a_mounted_backup_is_kept() -> None:
    session = Session(
        name="20220906_082043-1f3a",
        dataset=DatasetName("backup/sessions/20220906_082043-1f3a"),
        backup=BackupId("20220906_082043"),
        owner="anna",
        purpose="",
        expires=int(datetime(2022, 9, 7, 8, 20, 43, tzinfo=UTC).timestamp()),
    )
    said = Protection(shield=Shield.SESSION, what=f"{session.name} until 2022-09-07T08:20:43Z")
    assert f"`{said}`" in TEXT
    assert f"`{session.tag.replace(session.name, '<session>')}`" in TEXT


def test_where_sessions_on_a_replica_are() -> None:
    assert f"`{replica_sessions(DatasetName('tank/prod'))}`" in TEXT
