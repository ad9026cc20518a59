"""A journal is kept for a year of daily runs, and not for ever."""

from __future__ import annotations

from pathlib import Path

from zrep.engine.journal import KEPT, Journal


def test_one_that_cannot_be_removed_ends_no_run(tmp_path: Path) -> None:
    stuck = tmp_path / "runs" / "20200101_000000-prune.jsonl"
    (stuck / "full").mkdir(parents=True)
    for n in range(KEPT):
        (tmp_path / "runs" / f"2021{n:04}_000000-prune.jsonl").touch()
    with Journal(tmp_path, "prune", "20261123_000000"):
        pass
    assert stuck.is_dir()


def test_the_oldest_of_its_verb_goes_when_a_run_ends(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    others = {"20200101_000000-sync-prune.jsonl", "20200101_000000-prune-datasets.jsonl", "notes"}
    ours = {f"2021{n:04}_000000-prune.jsonl" for n in range(KEPT)}
    for name in others | ours:
        (runs / name).touch()
    with Journal(tmp_path, "prune", "20261123_000000"):
        assert len(list(runs.iterdir())) == len(others) + KEPT + 1
    left = {p.name for p in runs.iterdir()}
    assert left == others | ours - {"20210000_000000-prune.jsonl"} | {"20261123_000000-prune.jsonl"}
