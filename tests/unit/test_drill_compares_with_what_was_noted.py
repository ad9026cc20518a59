"""What is noted of a tree is bounded and can be noted again; every difference is found and told."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.drawn import NOON, A, B, backups, child, manifest
from zrep.engine.contents import hash_again, hash_window, open_top, read_contents, read_sample
from zrep.errors import BackupNotFound, Refused, UsageError, ZfsError
from zrep.model.backup import SourceRecord
from zrep.model.contents import (
    WINDOW,
    Contents,
    decode_contents,
    encode_contents,
    window,
)
from zrep.model.evidence import Evidence, Finding, Outcome, State, decode_evidence, encode_evidence
from zrep.model.names import DatasetName
from zrep.model.policy import Policy
from zrep.model.source import Config, Service, Target
from zrep.planner.drill import compare_hashes, compare_source, conclude, draw, services_in

RUN = str(NOON)
NOTED = Contents(files=3, folders=2, links=1, others=0, size=99, digest="d")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "sub/deep").mkdir(parents=True)
    for n in range(12):
        (top / "sub" / f"f{n}").write_text(f"text {n}")
    (top / "sub/deep/empty").touch()
    (top / "link").symlink_to("sub/f1")
    os.mkfifo(top / "pipe")
    (top / os.fsdecode(b"not-\xff-utf8")).write_text("x")
    return top


def read(top: Path, *, sample: int = 0, run: str = RUN) -> Contents:
    with open_top(str(top)) as opened:
        return read_contents(opened, run=run, sample=sample)


def test_everything_is_counted_as_rsync_counts(tree: Path) -> None:
    found = read(tree)
    assert (found.files, found.folders, found.links, found.others) == (14, 3, 1, 1)
    assert found.size == 10 * 6 + 2 * 7 + 1 + len("sub/f1")
    assert found.entries == 19


@pytest.mark.parametrize(
    "change",
    [
        lambda top: (top / "sub/f3").write_text("longer text"),
        lambda top: (top / "sub/f3").chmod(0o600),
        lambda top: (top / "sub/f3").rename(top / "sub/g3"),
        lambda top: os.utime(top / "sub/f3", ns=(1, 1)),
        lambda top: (top / "sub/deep").chmod(0o700),
        lambda top: [(top / "link").unlink(), (top / "link").symlink_to("sub/f2")],
        lambda top: [(top / "pipe").unlink(), (top / "pipe").touch()],
    ],
)
def test_each_change_of_metadata_changes_the_digest(
    tree: Path, change: Callable[[Path], object]
) -> None:
    before = read(tree)
    assert read(tree) == before
    change(tree)
    assert read(tree).digest != before.digest


def test_the_sample_is_decided_by_the_run_and_the_names_alone(tree: Path) -> None:
    drawn = [s.path for s in read(tree, sample=4).sample]
    assert drawn == [s.path for s in read(tree, sample=4).sample] == sorted(drawn)
    assert len(drawn) == 4
    assert drawn != [s.path for s in read(tree, sample=4, run="20990101_000000").sample]
    every = {s.path for n in range(40) for s in read(tree, sample=9, run=f"{RUN}{n}").sample}
    assert len(every) == 14


def test_a_sample_without_counting_is_the_same_and_bounded(tree: Path) -> None:
    with open_top(str(tree)) as top:
        alone = read_sample(top, run=RUN, sample=4)
        assert read_sample(top, run=RUN, sample=0) == Contents()
        assert len(read_sample(top, run=RUN, sample=100).sample) <= 14
    assert (alone.sample, alone.counted) == (read(tree, sample=4).sample, False)


def test_where_no_file_is_there_is_no_sample(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/link").symlink_to("b")
    with open_top(str(tmp_path)) as top:
        assert read_sample(top, run=RUN, sample=3).sample == ()


def test_a_sampled_file_is_found_again_and_its_change_seen(tree: Path) -> None:
    with open_top(str(tree)) as top:
        sample = read_contents(top, run=RUN, sample=9).sample
        assert all(hash_again(top, s) == s.sha256 for s in sample)
        one = next(s for s in sample if s.path.startswith("sub/f"))
        place = tree / one.path
        place.write_text(place.read_text().upper())
        assert hash_again(top, one) not in (None, one.sha256)
        place.unlink()
        assert hash_again(top, one) is None
        place.symlink_to("elsewhere")
        assert hash_again(top, one) is None


def test_of_a_large_file_a_part_is_hashed_wherever_it_lies() -> None:
    lots = random.Random(7)
    for _ in range(200):
        size = lots.randrange(WINDOW * 3)
        offset, length = window(lots.getrandbits(64), size)
        assert length == min(size, WINDOW)
        assert 0 <= offset <= size - length


def test_the_part_begins_where_it_says(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("0123456789")
    (tmp_path / "b").write_text("x345x")
    with open_top(str(tmp_path)) as top:
        assert hash_window(top, "a", 3, 3) == hash_window(top, "b", 1, 3)
        assert hash_window(top, "a", 8, 50) == hash_window(top, "a", 8, 2)


def test_zfs_own_folder_is_no_content(tree: Path) -> None:
    before = read(tree)
    times = (tree.stat().st_atime_ns, tree.stat().st_mtime_ns)
    (tree / ".zfs/snapshot/all/of/it").mkdir(parents=True)
    os.utime(tree, ns=times)
    assert read(tree) == before


def test_what_cannot_be_read_is_told_as_zfs_errors_are(tmp_path: Path) -> None:
    with pytest.raises(ZfsError, match="nowhere"):
        read(tmp_path / "nowhere")


def test_the_record_survives_names_that_are_no_text(tree: Path) -> None:
    found = {"h1/a": read(tree, sample=50)}
    text = encode_contents(found, run=RUN)
    assert text.isascii()
    assert decode_contents(text) == found


@pytest.mark.parametrize("text", ["", "[]", '{"format":2}', '{"format":1,"sources":{"a":{}}}'])
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        decode_contents(text)


def findings(found: Contents, **given: object) -> dict[str, Finding]:
    record = SourceRecord(key=A, ok=True, files=6, size=99)
    known = {"recorded": NOTED, "record": record, **given}
    return {f.check: f for f in compare_source(A, found, **known)}  # type: ignore[arg-type]


def test_what_is_the_same_passes() -> None:
    assert {f.outcome for f in findings(NOTED).values()} == {Outcome.PASSED}


def test_what_is_missing_or_new_is_told_in_figures() -> None:
    found = findings(replace(NOTED, files=1, size=90, digest="e"))
    assert found["counts"].says == "1 instead of 3 files; 90 instead of 99 bytes"
    assert found["digest"].outcome is Outcome.FAILED
    assert found["totals"].says == (
        "4 files and folders, but 6 were captured; 90 bytes, but 99 were captured"
    )


def test_more_than_was_captured_is_no_failure_of_the_totals() -> None:
    """What a source leaves out now is still there from before."""
    found = findings(replace(NOTED, files=9, size=900))
    assert found["totals"].outcome is Outcome.PASSED
    assert found["counts"].outcome is Outcome.FAILED


def test_without_a_record_nothing_is_claimed() -> None:
    found = findings(NOTED, recorded=None, record=None)
    assert {f.outcome for f in found.values()} == {Outcome.SKIPPED}
    imported = SourceRecord(key=A, ok=True, folder="h1@+a")
    assert findings(NOTED, record=imported)["totals"].outcome is Outcome.SKIPPED


def test_hashes_are_compared_one_by_one(tree: Path) -> None:
    sampled = read(tree, sample=3).sample
    same: dict[str, str | None] = {s.path: s.sha256 for s in sampled}
    assert compare_hashes(A, sampled, same).outcome is Outcome.PASSED
    wrong = {**same, sampled[0].path: "0" * 64, sampled[1].path: None}
    bad = compare_hashes(A, sampled, wrong)
    assert bad.outcome is Outcome.FAILED
    assert bad.says == f"{sampled[0].path!r} has other content; {sampled[1].path!r} is gone"
    assert compare_hashes(A, (), {}).outcome is Outcome.SKIPPED


def evidence() -> Evidence:
    return Evidence(
        id="20220202_020202",
        backup=RUN,
        set_name="platform",
        owner="me",
        host="vault",
        version="1",
        config="abc",
        started=7,
        snapshots={"a@b": "12"},
    )


def finding(outcome: Outcome) -> Finding:
    return Finding(check="counts", subject="h1/a", outcome=outcome)


@pytest.mark.parametrize(
    ("outcomes", "error", "state"),
    [
        ((Outcome.PASSED,), "", State.PASSED),
        ((Outcome.PASSED, Outcome.SKIPPED), "", State.PASSED),
        ((Outcome.PASSED, Outcome.FAILED), "", State.FAILED),
        ((Outcome.PASSED,), "umount failed", State.FAILED),
        ((Outcome.SKIPPED,), "", State.FAILED),
        ((), "", State.FAILED),
    ],
)
def test_only_what_was_proven_and_never_failed_has_passed(
    outcomes: tuple[Outcome, ...], error: str, state: State
) -> None:
    found = conclude(evidence(), [finding(o) for o in outcomes], seconds=1.26, error=error)
    assert (found.state, found.seconds, found.error) == (state, 1.3, error)
    assert decode_evidence(encode_evidence(found)) == found


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format":9}', '{"format":1,"state":"passed"}'])
def test_what_is_no_evidence_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        decode_evidence(text)


def test_chance_draws_complete_backups_alone_and_each_of_them() -> None:
    torn = child(A, "20220101_130000", described=manifest())
    whole = [
        child(k, f"20220101_{h:02d}0000", described=manifest())
        for h in (10, 11, 12)
        for k in (A, B)
    ]
    found = backups(torn, *whole)
    assert len(found) == 4
    assert len({draw(found, lot).id for lot in range(50)}) == 3
    with pytest.raises(BackupNotFound):
        draw(backups(torn), 5)


def test_services_with_checks_are_shown_when_their_data_is_there() -> None:
    checked = Service(name="a", source=A, paths=("x",), checks=("/check",))
    unchecked = Service(name="b", source=B, paths=("x",))
    config = Config(
        target=Target(dataset=DatasetName("p/d"), policy=Policy(name="p", keep={})),
        hosts={},
        sets={},
        replicas={},
        services={"a": checked, "b": unchecked},
    )
    (both,) = backups(*(child(k, RUN, described=manifest()) for k in (A, B)))
    (half,) = backups(child(B, RUN, described=manifest((B,))))
    assert services_in(config, both, None) == (checked,)
    assert services_in(config, half, None) == ()
    with pytest.raises(UsageError, match="no check"):
        services_in(config, both, unchecked)
    with pytest.raises(Refused, match="does not hold"):
        services_in(config, half, checked)
