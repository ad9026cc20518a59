"""The recovery sheet of a backup: written beside the data before it is published, read back from
its snapshot, or made anew from what ZFS and the configuration say.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from zrep.engine.contents import open_top, read_contents, read_sample
from zrep.engine.observe import LOCKED_DOWN, STORAGE, backups_at
from zrep.engine.progress import Progress
from zrep.engine.site import Site
from zrep.engine.snapshot_mount import open_snapshot
from zrep.engine.tree import entry_at, read_content
from zrep.errors import DatasetExists, Refused, ZfsError
from zrep.frozen import dataclass
from zrep.model.backup import Backup, Manifest, SourceRecord, State
from zrep.model.contents import Contents, encode_contents
from zrep.model.names import BackupLabel, DatasetName
from zrep.model.recovery import (
    CONFIG,
    CONTENTS,
    RECOVERY,
    SHEET,
    SUMS,
    paper_argv,
    policy_copy,
    recovery_dataset,
)
from zrep.model.sheet import Sheet
from zrep.planner.publish import Publish
from zrep.zfs.port import Zfs

# So many of the backups before this one are named in the sheet.
EARLIER = 10
WRITE_SECONDS = 120.0
CONTAINER = {"canmount": "off", **LOCKED_DOWN, **STORAGE}
# The sheet names hosts and how to reach them: for root alone.
MODE = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class Papers:
    """How a sheet and the sums beside it become text."""

    sheet: Callable[[Sheet], str]
    sums: Callable[[Mapping[str, Contents]], str]


def lay_papers(
    site: Site,
    plan: Publish,
    papers: Papers,
    progress: Progress,
    *,
    backups: Sequence[Backup],
) -> DatasetName:
    """The dataset that now has the papers of what is about to be published. ZrepError if not.

    `backups` are those there are, newest first: the papers name some of them.
    """
    dataset = recovery_dataset(site.root, plan.manifest.set_name)
    mounts = _ensure(site.target, site.root, dataset)
    folder = _mounted(site.target, mounts, dataset)
    if site.config.target.address is None:
        _make_private(folder)
    run = str(plan.label.id)
    contents = _contents(site, mounts, plan.manifest, run, progress)
    sheet = make_sheet(site, plan.label, plan.manifest, backups, contents=contents)
    # All of them, every time: none of an earlier run may be taken for one of this.
    files = {
        SHEET: papers.sheet(sheet),
        CONTENTS: encode_contents(contents, run=run),
        SUMS: papers.sums(contents),
        **copies(site),
    }
    for name, text in files.items():
        site.target_host.run(paper_argv(folder, name), stdin=text, timeout=WRITE_SECONDS)
    return dataset


def _make_private(folder: str) -> None:
    try:
        Path(folder).chmod(MODE)
    except OSError as error:
        raise ZfsError("cannot be made private", where=folder, why=str(error.strerror)) from error


def copies(site: Site) -> dict[str, str]:
    """The configuration as it is in force, by the names of its copies; keys are no part of it."""
    policies = {policy_copy(name): text for name, text in site.config.policy_texts.items()}
    return {CONFIG: site.config.text, **policies}


def _ensure(zfs: Zfs, root: DatasetName, dataset: DatasetName) -> Mapping[DatasetName, str]:
    """What is mounted at and below `root`, once the papers' dataset is there."""
    mounts = zfs.mounts(root)
    if dataset in mounts:
        return mounts
    tree = zfs.inventory(root, snapshots=False, only=())
    wanted: dict[DatasetName, dict[str, str]] = {root / RECOVERY: CONTAINER, dataset: {}}
    for name in (name for name in wanted if tree.get(name) is None):
        _create(zfs, name, wanted[name])
    return zfs.mounts(root)


def _create(zfs: Zfs, name: DatasetName, properties: Mapping[str, str]) -> None:
    try:
        zfs.create(name, properties, mount=not properties)
    except DatasetExists:
        return  # the run of another set made it in the meantime


def _mounted(zfs: Zfs, mounts: Mapping[DatasetName, str], name: DatasetName) -> str:
    if name not in mounts:
        zfs.mount(name)
        mounts = zfs.mounts(name)
    if name not in mounts:
        raise ZfsError(f"{name} is not mounted", next_step=f"zfs mount {name}")
    return mounts[name]


def _contents(
    site: Site, mounts: Mapping[DatasetName, str], manifest: Manifest, run: str, progress: Progress
) -> dict[str, Contents]:
    """Nothing on a director: the gate of a remote target lets no names of files through."""
    if site.config.target.address is not None:
        return {}
    found = {}
    for record in manifest.sources:
        if record.ok:
            progress.step(f"note what there is: {record.key}")
            folder = _mounted(site.target, mounts, site.root / str(record.key))
            with open_top(folder) as top:
                found[str(record.key)] = _contents_of(site, top, run, record, progress)
    return found


def _contents_of(
    site: Site, top: int, run: str, record: SourceRecord, progress: Progress
) -> Contents:
    drilling = site.config.drilling
    if not drilling.count_all:
        return read_sample(top, run=run, sample=drilling.sample)
    tell = partial(_tell, progress, record)
    return read_contents(top, run=run, sample=drilling.sample, on_size=tell)


def _tell(progress: Progress, record: SourceRecord, size: int) -> None:
    progress.moved(str(record.key), size, record.size)


def make_sheet(
    site: Site,
    label: BackupLabel,
    manifest: Manifest,
    backups: Sequence[Backup],
    *,
    contents: Mapping[str, Contents],
    stored: bool = True,
) -> Sheet:
    """What the sheet of one backup says, as of now."""
    address = site.config.target.address
    mine = next((b for b in backups if b.label == label and b.set_name == manifest.set_name), None)
    return Sheet(
        config=site.config,
        label=label,
        manifest=manifest,
        machine=address.host if address else os.uname().nodename,
        written=int(time.time()),
        contents=contents,
        guids={c.key: c.snapshot.guid for c in mine.children} if mine else {},
        earlier=_earlier(backups, label, manifest.set_name),
        stored=stored,
    )


def _earlier(backups: Sequence[Backup], label: BackupLabel, name: str) -> tuple[Backup, ...]:
    complete = (b for b in backups if b.set_name == name and b.state is State.COMPLETE)
    return tuple(islice((b for b in complete if b.label != label), EARLIER))


def read_paper(site: Site, backup: Backup, name: str) -> str | None:
    """One file beside the sheet as the backup has it; None when it has none.

    Refused on a director, for the gate of a remote target lets no content of files through.
    """
    if backup.sheet is None:
        return None
    if site.config.target.address is not None:
        raise Refused("files of backups can be read only on the machine with the pool")
    snapshot = backup.sheet.name
    mounts = site.target.mounts(snapshot.dataset)
    with open_snapshot(_mounted(site.target, mounts, snapshot.dataset), snapshot) as top:
        if entry_at(top, (name,)) is None:
            return None
        return b"".join(read_content(top, (name,))).decode("utf-8", "surrogateescape")


def sheet_of(site: Site, backup: Backup, papers: Papers) -> tuple[str, bool]:
    """The backup's sheet, and whether it is the one that was stored with it."""
    if site.config.target.address is None:
        stored = read_paper(site, backup, SHEET)
        if stored is not None:
            return stored, True
    if backup.manifest is None or backup.imported:
        raise Refused(
            f"backup {backup.id} has no recovery sheet and nothing to make one of",
            next_step="take another backup (zrep list), or look into it: zrep mount",
        )
    backups = backups_at(site.target, site.root)
    sheet = make_sheet(site, backup.label, backup.manifest, backups, contents={}, stored=False)
    return papers.sheet(sheet), False
