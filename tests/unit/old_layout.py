"""The layout of the scripts before zrep, on a simulated pool mounted over a real folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tests.unit.shelves import ROOT, Fill, files
from zrep.engine.browse import Shelf
from zrep.engine.import_layout import Import
from zrep.engine.journal import Journal
from zrep.engine.progress import Silent
from zrep.model.backup import Backup, Manifest, SourceRecord, State, encode_manifest
from zrep.model.key import SourceKey
from zrep.model.names import BackupId, DatasetName
from zrep.model.source import Consistency, Method, Source
from zrep.planner.backups import find_backups
from zrep.planner.import_layout import ImportPlan, Order
from zrep.planner.simulate import datasets
from zrep.planner.simulate.pool import new_pool
from zrep.zfs.fake import FakeZfs
from zrep.zfs.port import Zfs

DOCKER, LOCAL = SourceKey("manager-1", "docker"), SourceKey("cassandra-1", "local")
CONFIGURED = (
    Source(key=DOCKER, method=Method.DIR, path="/docker"),
    Source(key=LOCAL, method=Method.DIR, path="/docker_local"),
)
DOCKER_FOLDER, LOCAL_FOLDER = "manager-1@+docker", "cassandra-1@+docker_local"
STRAY = "solr-9@+srv+solr"
FIRST, SECOND, THIRD = "20220903_003826", "20220906_082043", "20220907_030000"


@dataclass
class OldWorld:
    """`world.snapshot("20220906_082043", {folder: fill})` is what a run of the scripts left.

    Their clock was two hours ahead of UTC.
    """

    top: Path
    zfs: FakeZfs = field(default_factory=lambda: FakeZfs(new_pool("backup")))

    def __post_init__(self) -> None:
        self.zfs.create(ROOT, {"mountpoint": str(self.top)})

    def snapshot(self, stamp: str, contents: dict[str, Fill]) -> None:
        folder = self.top / ".zfs" / "snapshot" / f"snap_{stamp}"
        folder.mkdir(parents=True)
        for name, fill in contents.items():
            (folder / name).mkdir()
            fill(folder / name)
        self.foreign(f"snap_{stamp}", BackupId(stamp))

    def foreign(self, snap: str, at: BackupId) -> None:
        """A snapshot of that name, of nothing that can be looked into."""
        self.zfs.pool = self.zfs.pool.at(int(at.moment.timestamp()) - 7200)
        self.zfs.pool = datasets.write(self.zfs.pool, ROOT, 1 << 20)
        self.zfs.snapshot([ROOT.at(snap)], {})

    def work(self, zfs: Zfs | None = None, **order: object) -> Import:
        wanted: dict[str, object] = {"set_name": "platform", "sources": CONFIGURED, **order}
        return Import(
            zfs=zfs or self.zfs,
            root=ROOT,
            order=Order(**wanted),  # type: ignore[arg-type]
            progress=Silent(),
        )

    def run(self, zfs: Zfs | None = None, **order: object) -> ImportPlan:
        work = self.work(zfs, **order)
        plan = work.plan()
        work.apply(plan, Journal(self.top, "import-layout", "not opened"))
        return plan

    def backups(self, zfs: FakeZfs | None = None, root: DatasetName = ROOT) -> list[Backup]:
        return list(find_backups((zfs or self.zfs).inventory(root), root))

    def shelf(self) -> Shelf:
        return Shelf(inventory=self.zfs.inventory(ROOT), backups=self.backups(), sources=CONFIGURED)


def three_runs(top: Path) -> OldWorld:
    """A file changes in the second and is gone in the third."""
    made = OldWorld(top)
    made.snapshot(FIRST, {DOCKER_FOLDER: files(etc__x="a"), LOCAL_FOLDER: files(y="1")})
    made.snapshot(SECOND, {DOCKER_FOLDER: files(etc__x="bb"), LOCAL_FOLDER: files(y="1")})
    made.snapshot(THIRD, {DOCKER_FOLDER: files(etc__z="c"), LOCAL_FOLDER: files(y="1")})
    return made


def ids(world: OldWorld) -> list[str]:
    return [str(b.id) for b in world.backups()]


def publish(zfs: FakeZfs, backup: str) -> None:
    """A backup of zrep's own, beside the old layout."""
    known = {d.name for d in zfs.inventory(ROOT)}
    for name in (ROOT / DOCKER.host, ROOT / str(DOCKER)):
        if name not in known:
            zfs.create(name, {})
    told = Manifest(
        set_name="platform",
        state=State.COMPLETE,
        consistency=Consistency.NODE,
        sources=(SourceRecord(key=DOCKER, ok=True, files=7),),
    )
    zfs.pool = zfs.pool.at(int(BackupId(backup).moment.timestamp()))
    zfs.snapshot([(ROOT / str(DOCKER)).at(f"zrep_{backup}_daily")], encode_manifest(told))
