"""A target of the scripts before zrep is adopted, restored from and gone on with, with the real
rsync and capsules."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.capsule_world import can_unshare
from tests.contract.restore_world import (
    MAIL,
    WEB,
    CopyZfs,
    RestoreSite,
    contents,
    copy_tree,
    restore_site,
)
from tests.contract.sync_world import ROOT, Told
from zrep.engine.import_layout import Wish, import_layout, observe_import
from zrep.engine.lock import exclusive
from zrep.engine.observe import backups_at
from zrep.engine.restore_request import Order, plan_order
from zrep.engine.restore_run import restore
from zrep.engine.sync import sync
from zrep.errors import Busy
from zrep.model.backup import State
from zrep.model.key import SourceKey
from zrep.model.layout import spell_folder

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

OLD = "20220906_082043"
SNAP = f"snap_{OLD}"
TREES = {WEB: {"a/one": "1", "b/two": "2"}, MAIL: {"box/letter": "dear"}}
SINCE = {WEB: {"a/one": "changed", "a/new": "n"}, MAIL: {"box/spam": "s"}}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RestoreSite]:
    """One snapshot in the layout of the scripts; the hosts have gone on since."""
    with restore_site(tmp_path) as made:
        for key, files in TREES.items():
            write(made.pool.folder / old_folder(made, key), files)
        assert isinstance(made.pool, CopyZfs)
        made.pool.snapshot([ROOT.at(SNAP)], {})
        copy_tree(made.pool.copies / f"{ROOT}@{SNAP}", made.pool.folder / ".zfs/snapshot" / SNAP)
        for key, files in SINCE.items():
            write(made.live(key), files)
        yield made


def old_folder(site: RestoreSite, key: SourceKey) -> str:
    return spell_folder(key.host, str(site.live(key)))


def write(top: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text)
        os.utime(top / path, (1_000_000_000, 1_000_000_000))


def test_what_was_imported_comes_back_to_where_it_belongs(site: RestoreSite) -> None:
    import_layout(site, Wish(), Told())
    site.arm()
    planned = plan_order(site, Order(run="20260102_030405", backup="latest"))
    done = restore(site, planned, planned.order.record, Told(), agree=lambda _: True)
    assert done is not None
    for key, files in TREES.items():
        found = contents(site.live(key))
        assert {p: t for p, t in found.items() if ".zrep-safety" not in p} == files


def test_the_next_backup_goes_to_the_new_layout_and_leaves_the_old_one_alone(
    site: RestoreSite,
) -> None:
    import_layout(site, Wish(), Told())
    before = contents(site.pool.folder)
    report = sync(site, None, Told())
    assert (report.published.manifest.state, report.warnings) == (State.COMPLETE, ())
    newest, old = backups_at(site.target, site.root)
    assert (newest.imported, old.imported, str(old.id)) == (False, True, OLD)
    assert [str(s.name.dataset) for s in newest.snapshots] == [f"{ROOT}/{MAIL}", f"{ROOT}/{WEB}"]
    after = contents(site.pool.folder)
    assert {p: t for p, t in after.items() if p in before} == before
    for key in (WEB, MAIL):
        assert contents(site.pool.place(ROOT / str(key))) == contents(site.live(key))


def test_an_import_is_locked_and_journalled_and_a_plan_is_neither(site: RestoreSite) -> None:
    plan = observe_import(site, Wish(), Told())
    assert not (site.state_dir / "runs").exists()
    with exclusive(site.run_dir, "import-layout"), pytest.raises(Busy):
        import_layout(site, Wish(), Told())
    told = Told()
    assert import_layout(site, Wish(), told) == plan
    assert told.lines == [f"look into {ROOT}@{SNAP} (1 of 1)"]
    [journal] = (site.state_dir / "runs").glob("*-import-layout.jsonl")
    assert journal.read_text().count('"event": "done"') == len(plan.writes)
    assert import_layout(site, Wish(), Told()).writes == ()
