"""What a drill looks at, and what it concludes from counts and hashes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from zrep.errors import BackupNotFound, Refused, UsageError
from zrep.model.backup import Backup, SourceRecord, State
from zrep.model.contents import Contents, Sampled
from zrep.model.evidence import Evidence, Finding, Outcome
from zrep.model.evidence import State as Drilled
from zrep.model.key import SourceKey
from zrep.model.source import Config, Service

COUNTS, DIGEST, HASHES, TOTALS, SERVICE = "counts", "digest", "hashes", "totals", "service"
NOT_COUNTED = "nothing was counted when it was published: [drill] count_all"
_COUNTED = ("files", "folders", "links", "others", "size")


def draw(backups: Sequence[Backup], lot: int) -> Backup:
    """One of the complete ones; every one is drawn by some `lot`."""
    complete = [b for b in backups if b.state is State.COMPLETE]
    if not complete:
        raise BackupNotFound("no complete backup yet", next_step="run: zrep sync")
    return complete[lot % len(complete)]


def services_in(config: Config, backup: Backup, only: Service | None) -> tuple[Service, ...]:
    """Those with checks of which the backup has the data, or the one that was asked for."""
    if only is None:
        known = config.services.values()
        found = (s for s in known if s.checks and s.source in backup.keys)
        return tuple(sorted(found, key=lambda s: s.name))
    if not only.checks:
        raise UsageError(
            f"service {only.name} has no check",
            next_step=f'give it one: [service.{only.name}] check = ["/etc/zrep/hooks/..."]',
        )
    if only.source not in backup.keys:
        raise Refused(
            f"backup {backup.id} does not hold {only.source}",
            next_step="take another backup: zrep list",
        )
    return (only,)


def compare_source(
    key: SourceKey,
    found: Contents,
    *,
    recorded: Contents | None,
    record: SourceRecord | None,
) -> Iterator[Finding]:
    """What was read now, against what was noted when the backup was published.

    `recorded` is of the very dataset, so it must be the same; `record` is what rsync counted on the
    source, of which nothing may be missing: files that it leaves out now may still be there.
    """
    yield _counts(str(key), found, recorded)
    yield _digest(str(key), found, recorded)
    yield _totals(str(key), found, record)


def _counts(subject: str, found: Contents, recorded: Contents | None) -> Finding:
    if recorded is None or not recorded.counted:
        return _skipped(COUNTS, subject, NOT_COUNTED)
    words = [
        f"{getattr(found, name)} instead of {getattr(recorded, name)} {_unit(name)}"
        for name in _COUNTED
        if getattr(found, name) != getattr(recorded, name)
    ]
    same = f"{found.files} files, {found.folders} folders, {found.size} bytes"
    return _judged(COUNTS, subject, bad="; ".join(words), good=same)


def _unit(name: str) -> str:
    return "bytes" if name == "size" else name


def _digest(subject: str, found: Contents, recorded: Contents | None) -> Finding:
    if recorded is None or not recorded.counted:
        return _skipped(DIGEST, subject, NOT_COUNTED)
    bad = "" if found.digest == recorded.digest else "names, sizes, times, modes or owners differ"
    return _judged(DIGEST, subject, bad=bad, good=found.digest)


def _totals(subject: str, found: Contents, record: SourceRecord | None) -> Finding:
    if record is None or record.folder:
        return _skipped(TOTALS, subject, "nothing was counted when it was captured")
    words = []
    if found.entries < record.files:
        words.append(f"{found.entries} files and folders, but {record.files} were captured")
    if found.size < record.size:
        words.append(f"{found.size} bytes, but {record.size} were captured")
    good = f"all of {record.files} files and folders, {record.size} bytes"
    return _judged(TOTALS, subject, bad="; ".join(words), good=good)


def compare_hashes(
    key: SourceKey, sampled: Sequence[Sampled], found: Mapping[str, str | None]
) -> Finding:
    """`found` is what the sampled paths hash to now, None for what is gone."""
    bad = [
        f"{one.path!r} is gone" if found[one.path] is None else f"{one.path!r} has other content"
        for one in sampled
        if found[one.path] != one.sha256
    ]
    if not sampled:
        return _skipped(HASHES, str(key), "no file was hashed when it was published")
    return _judged(HASHES, str(key), bad="; ".join(bad), good=f"{len(sampled)} files")


def _judged(check: str, subject: str, *, bad: str, good: str) -> Finding:
    outcome = Outcome.FAILED if bad else Outcome.PASSED
    return Finding(check=check, subject=subject, outcome=outcome, says=bad or good)


def _skipped(check: str, subject: str, why: str) -> Finding:
    return Finding(check=check, subject=subject, outcome=Outcome.SKIPPED, says=why)


def conclude(
    begun: Evidence, findings: Sequence[Finding], *, seconds: float, error: str = ""
) -> Evidence:
    """Passed when nothing failed and something passed; an error is a failure, whatever passed."""
    passed = any(f.outcome is Outcome.PASSED for f in findings)
    failed = error or not passed or any(f.outcome is Outcome.FAILED for f in findings)
    return replace(
        begun,
        state=Drilled.FAILED if failed else Drilled.PASSED,
        findings=tuple(findings),
        seconds=round(seconds, 1),
        error=error,
    )
