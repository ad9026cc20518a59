"""Records of runs: what is told of one, that it is read as it was written, and who may read it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.unit.config_files import GOOD, load_text
from tests.unit.rows import of_each
from tests.unit.run_records import COPY, KEY, NOW, PRUNE, SYNC, paused, ran
from tests.unit.test_engine_on_a_simulated_pool import COPY as REPLICA
from tests.unit.test_engine_on_a_simulated_pool import ROOT, offsite, publish, target
from zrep.engine.progress import Silent
from zrep.engine.prune import prune
from zrep.engine.replicate import Failed, ReplicaReport, run_replicate
from zrep.engine.run_records import read_record, read_records, write_record
from zrep.engine.site import Site
from zrep.errors import (
    ConfigError,
    PoolFull,
    Refused,
    StillPaused,
    Terminated,
    Unreachable,
    ZfsError,
    ZrepError,
    exit_of,
)
from zrep.model.backup import Manifest, Pause, SourceRecord, State
from zrep.model.housekeeping import Brake
from zrep.model.key import SourceKey
from zrep.model.metrics import HELP, encode_metrics, escape, metrics_file
from zrep.model.names import DatasetName
from zrep.model.plan import Diverged
from zrep.model.run_record import Job, RunRecord, Verb, decode_record, encode_record
from zrep.model.source import Consistency
from zrep.planner.outwards import conclude, with_captured

BEGUN = replace(ran(), run="now", ended=NOW, exit=0, last_good=None, captured=None)
STUCK = StillPaused("the thaw failed", where="manager-1, solr-1")


# ---- what is told -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "status", "error"),
    [
        (PoolFull("full", where="target"), 9, ("zfs.full", "target: full")),
        (KeyboardInterrupt(), 130, ("signal", "KeyboardInterrupt")),
        (Terminated(15), 143, ("signal", "Terminated: SIGTERM")),
        (ZeroDivisionError("x"), 1, ("bug", "ZeroDivisionError: x")),
        (None, 0, None),
    ],
)
def test_a_run_ends_with_the_status_of_its_process_and_keeps_the_last_good_one(
    trouble: BaseException | None, status: int, error: tuple[str, str] | None
) -> None:
    before = ran()
    found = conclude(BEGUN, trouble, previous=before)
    assert (found.exit, found.error) == (status, error)
    assert found.exit == exit_of(trouble)
    assert found.last_good is not None
    assert found.last_good.run == ("now" if trouble is None else "r")
    assert (conclude(BEGUN, trouble, previous=None).last_good is None) == (trouble is not None)


def captured(trouble: ZrepError | None, previous: RunRecord | None, *, ended: bool) -> RunRecord:
    records = (
        SourceRecord(key=SourceKey("manager-1", "docker"), ok=False, why="torn"),
        SourceRecord(key=SourceKey("solr-1", "local"), ok=True, files=7, size=70, deleted=2),
    )
    manifest = Manifest(
        set_name="platform",
        state=State.PARTIAL,
        consistency=Consistency.NONE,
        sources=records,
        pauses=(Pause(host="solr-1", containers=2, milliseconds=1840, held=True),),
    )
    published = (manifest, 3) if ended else None
    keys = (KEY, "solr-1/local")
    return with_captured(BEGUN, trouble, previous=previous, keys=keys, published=published)


def test_a_source_keeps_the_time_when_it_was_last_in_a_backup() -> None:
    before = ran()
    found = captured(None, before, ended=True).captured
    assert found is not None
    torn, well = found.sources[KEY], found.sources["solr-1/local"]
    assert (torn.ok, torn.error, torn.files, torn.last_good) == (False, "torn", None, before.ended)
    assert (well.ok, well.files, well.bytes, well.deleted, well.last_good) == (True, 7, 70, 2, NOW)
    assert (found.backup, found.warnings, found.pauses) == ("partial", 3, {"solr-1": 1.84})


def test_a_run_cut_short_claims_nothing() -> None:
    found = captured(None, None, ended=False).captured
    assert found is not None
    assert (found.backup, found.consistency, found.warnings) == ("none", None, None)
    assert [(s.ok, s.files, s.last_good) for s in found.sources.values()] == [
        (False, None, None)
    ] * 2


@pytest.mark.parametrize(
    ("trouble", "before", "ended", "still"),
    [
        (STUCK, None, True, ("manager-1", "solr-1")),
        (STUCK, paused("cassandra-1"), False, ("cassandra-1", "manager-1", "solr-1")),
        (PoolFull("full"), paused("solr-1"), False, ("solr-1",)),
        (None, paused("solr-1"), True, ()),
    ],
)
def test_a_host_is_taken_for_paused_until_a_run_has_seen_it_run(
    trouble: ZrepError | None, before: RunRecord | None, ended: bool, still: tuple[str, ...]
) -> None:
    assert captured(trouble, before, ended=ended).still_paused == still


# ---- in a file --------------------------------------------------------------------------------

RECORDS = (ran(), ran(good=None), ran(PRUNE), ran(COPY, exit=7, error=("x", "a\nb")), paused("h"))


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_is_read_as_it_was_written(record: RunRecord, tmp_path: Path) -> None:
    text = encode_record(record)
    assert replace(decode_record(text), seconds=record.seconds) == record
    write_record(tmp_path, record.job, text)
    assert read_record(tmp_path, record.job) == decode_record(text)
    assert read_records(tmp_path) == {record.job.stem: decode_record(text)}


def spoilt() -> Iterator[str]:
    """Each field of a good record missing, and of every other kind."""
    words = json.loads(encode_record(ran()))
    for key in words:
        yield json.dumps({k: v for k, v in words.items() if k != key})
        for value in ("x", [1], {"a": 1}, 1e999):
            yield json.dumps({**words, key: value})


@of_each(["", "null", "[]", "3", '{"schema": 1}', "[" * 99_999, *spoilt()])
def test_a_foreign_record_is_a_value_error_or_a_record(text: str) -> None:
    try:
        encode_metrics(decode_record(text))
    except ValueError:
        return


def test_a_record_under_another_name_says_nothing(tmp_path: Path) -> None:
    write_record(tmp_path, COPY, encode_record(ran()))
    assert read_records(tmp_path)[COPY.stem] == (
        f"{tmp_path}/status/replicate-offsite.json: is of sync platform"
    )
    with pytest.raises(ValueError, match="is of sync platform"):
        read_record(tmp_path, COPY)


@contextmanager
def nobody() -> Iterator[None]:
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_whoever_may_not_read_the_records_is_told_how_to_be_let_in() -> None:
    with TemporaryDirectory() as made:
        top = Path(made)
        top.chmod(0o755)
        write_record(top / "state", SYNC, encode_record(ran()))
        with nobody():
            assert list(read_records(top / "state")) == [SYNC.stem]
        (top / "state").chmod(0o700)
        with nobody(), pytest.raises(ConfigError, match=f"chmod o\\+x {top}/state"):
            read_records(top / "state")
        (top / "state").chmod(0o711)
        with nobody():
            assert list(read_records(top / "state")) == [SYNC.stem]


# ---- metrics ----------------------------------------------------------------------------------


def test_what_prometheus_reads_is_known_to_the_letter() -> None:
    record = replace(ran(), began=NOW - 5, ended=NOW)
    lines = [line for line in encode_metrics(record).splitlines() if line[0] != "#"]
    job = 'verb="sync",name="platform"'
    assert lines == [
        f"zrep_last_success_timestamp_seconds{{{job}}} {NOW - 18_000}",
        f'zrep_last_success_timestamp_seconds{{{job},source="{KEY}"}} {NOW - 18_000}',
        f"zrep_last_run_status{{{job}}} 0",
        f"zrep_last_run_timestamp_seconds{{{job}}} {NOW}",
        f"zrep_last_run_duration_seconds{{{job}}} 611.200",
        f'zrep_source_files{{{job},source="{KEY}"}} 3',
        f'zrep_source_bytes{{{job},source="{KEY}"}} 4096',
        f'zrep_source_deleted_files{{{job},source="{KEY}"}} 1',
        f'zrep_paused_seconds{{{job},host="manager-1"}} 1.840',
        f"zrep_paused_hosts{{{job}}} 0",
    ]


@pytest.mark.parametrize("record", RECORDS)
def test_each_metric_is_explained_once_and_in_the_same_words_in_every_file(
    record: RunRecord,
) -> None:
    lines = encode_metrics(record).splitlines()
    names = list(dict.fromkeys(line.partition("{")[0] for line in lines if line[0] != "#"))
    assert [line for line in lines if line.startswith("# HELP")] == [
        f"# HELP {n} {HELP[n]}" for n in names
    ]
    assert sum(line.startswith("# TYPE") and line.endswith(" gauge") for line in lines) == len(
        names
    )
    assert all(line.count(" ") == 1 for line in lines if line[0] != "#")
    assert encode_metrics(record).endswith("\n")


def test_a_label_is_escaped() -> None:
    assert escape('a\\b"c\nd') == r"a\\b\"c\nd"


def test_what_was_never_good_has_no_success() -> None:
    assert "zrep_last_success" not in encode_metrics(ran(COPY, good=None))


@pytest.mark.parametrize(
    ("job", "name"),
    [
        (Job(verb=Verb.SYNC, name="my-set"), "zrep_sync_my-set.prom"),
        (PRUNE, "zrep_prune.prom"),
    ],
)
def test_each_job_has_a_file_of_its_own(job: Job, name: str) -> None:
    assert metrics_file(job) == name


# ---- replicate and prune ----------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Site:
    text = GOOD.replace('host = "offsite.example.org"\n', "").replace("tank/sbdi", str(REPLICA))
    head = f'state_dir = "{tmp_path}/state"\nrun_dir = "{tmp_path}/run"\n'
    tail = f'\n[monitoring]\nmetrics_dir = "{tmp_path}"\n'
    made = Site(load_text(tmp_path, head + text + tail))
    made._zfs |= {"target": target(), "replica offsite": offsite()}
    assert made.root == ROOT
    return made


def test_a_replication_leaves_its_record_and_figures(site: Site, tmp_path: Path) -> None:
    run_replicate(site, None, Silent())
    record = read_record(site.state_dir, COPY)
    assert record is not None
    assert (record.exit, record.captured) == (0, None)
    text = (tmp_path / "zrep_replicate_offsite.prom").read_text()
    assert 'zrep_last_run_status{verb="replicate",name="offsite"} 0\n' in text


def test_a_replication_that_fails_says_so_with_its_status(site: Site) -> None:
    run_replicate(site, None, Silent())
    site._zfs["replica offsite"].destroy(REPLICA)
    with pytest.raises(ZfsError) as raised:
        run_replicate(site, None, Silent())
    record = read_record(site.state_dir, COPY)
    assert record is not None
    assert (record.exit, record.error) == (9, (raised.value.id, str(raised.value)))
    assert record.last_good is not None


GONE = Failed(source=ROOT, error=Unreachable("gone"))
ODD = Diverged(source=ROOT, destination=REPLICA, evidence="no common guid")


@pytest.mark.parametrize(
    ("diverged", "failed", "current", "status"),
    [
        ((), (), (), 0),
        ((), (), (ROOT,), 0),
        ((), (GONE,), (ROOT,), 4),
        ((), (GONE,), (), 7),
        ((ODD,), (GONE,), (ROOT,), 6),
    ],
)
def test_one_rule_says_with_what_a_replication_ends(
    diverged: tuple[Diverged, ...],
    failed: tuple[Failed, ...],
    current: tuple[DatasetName, ...],
    status: int,
) -> None:
    report = ReplicaReport(
        replica="offsite", sent=(), up_to_date=current, diverged=diverged, failed=failed
    )
    assert exit_of(report.trouble) == status


def test_pruning_leaves_its_record_whether_it_may_or_not(site: Site) -> None:
    publish(site.target, 1)  # type: ignore[arg-type]
    publish(site.target, 2)  # type: ignore[arg-type]
    prune(site, Brake(), Silent())
    good = read_record(site.state_dir, PRUNE)
    assert good is not None
    assert good.exit == 0
    for second in range(3, 40):
        publish(site.target, second)  # type: ignore[arg-type]
    with pytest.raises(Refused):
        prune(site, Brake(count=0), Silent())
    bad = read_record(site.state_dir, PRUNE)
    assert bad is not None
    assert (bad.exit, bad.last_good) == (5, good.last_good)
