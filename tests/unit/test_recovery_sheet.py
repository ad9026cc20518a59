"""The recovery sheet names everything, its commands are sound, and it travels with its backup."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.recovery_sheet import commands
from tests.unit.config_files import GOOD, load_text
from tests.unit.drawn import NOON, ROOT, A, B, child, inventory, manifest
from tests.unit.gate_support import KnownFacts, replica_gate, target_gate
from tests.unit.rows import of_each
from tests.unit.shelves import World, files
from zrep.capsule.gate import Gate
from zrep.capsule.gate_policy import Allowed, Refusal
from zrep.engine.recovery import read_paper, sheet_of
from zrep.engine.site import Site
from zrep.errors import Refused
from zrep.model.backup import Backup, Manifest, SourceRecord, State, encode_manifest
from zrep.model.contents import Contents, Sampled
from zrep.model.inventory import Snapshot
from zrep.model.key import SourceKey
from zrep.model.names import Guid, SnapClass, make_label
from zrep.model.policy import Policy
from zrep.model.recovery import (
    CONTENTS,
    RECOVERY,
    SHEET,
    is_paper,
    paper_argv,
    recovery_dataset,
)
from zrep.model.sheet import Sheet
from zrep.model.source import Address, Config, Consistency
from zrep.planner.backups import find_backups
from zrep.planner.prune import Shield, check_prune, plan_prune
from zrep.planner.publish import Facts, plan_publish, with_sheet
from zrep.report.recovery_sheet import papers, render_sheet, render_sums
from zrep.zfs.port import Zfs

DOCKER = SourceKey("manager-1", "docker")
LABEL = make_label(NOON, frozenset({SnapClass.DAILY}))
DB = """
[set.platform.source.db]
host = "manager-1"
method = "dump"
database = "postgresql"
service = "pg"
path = "/srv/dumps"

[set.platform.source.local]
exclude = ["*.tmp", "/it's/"]
"""


WITH_DUMPS = GOOD.replace("[set.platform.source.local]", DB.lstrip())


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return load_text(tmp_path_factory.mktemp("etc"), WITH_DUMPS)


def told(config: Config, *, failed: SourceKey | None = None) -> Manifest:
    keys = sorted(s.key for s in config.sets["platform"].sources)
    records = (SourceRecord(key=k, ok=k != failed, why="no", files=7, size=2048) for k in keys)
    return Manifest(
        set_name="platform",
        state=State.PARTIAL if failed else State.COMPLETE,
        consistency=Consistency.NODE,
        sources=tuple(records),
        version="1.0",
    )


def sheet(config: Config, **given: object) -> Sheet:
    sampled = Sampled(path="a b", size=1, offset=0, length=1, sha256="f" * 64)
    noted = Contents(files=3, folders=1, links=0, others=0, size=12, digest="x", sample=(sampled,))
    words: dict[str, object] = {
        "config": config,
        "label": LABEL,
        "manifest": told(config),
        "machine": "vault",
        "written": 0,
        "contents": {str(DOCKER): noted},
        **given,
    }
    return Sheet(**words)  # type: ignore[arg-type]


def part(text: str, number: str) -> str:
    found = re.search(rf"^{number}\.? .*?(?=^\d\.|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"no part {number}"
    return found[0]


def test_it_has_all_parts(config: Config) -> None:
    titles = re.findall(r"^(\d)\. [A-Z ]+$", render_sheet(sheet(config)), re.MULTILINE)
    assert titles == list("123456789")


def test_nothing_before_the_third_part_reaches_a_host(config: Config) -> None:
    before = render_sheet(sheet(config)).partition("\n3. ")[0]
    assert "ssh -n" not in before
    assert "rsync -" not in before
    assert all("-o ro," in line for line in before.splitlines() if "mount -t" in line)


def test_every_copy_is_made_only_from_what_is_mounted_and_compared_afterwards(
    config: Config,
) -> None:
    copies = [
        line for line in commands(render_sheet(sheet(config))).splitlines() if "rsync" in line
    ]
    assert len(copies) == 2 * (4 + 2)
    assert all(line.startswith("mountpoint -q $M/") for line in copies)
    for copy, comparison in zip(copies[::2], copies[1::2], strict=True):
        assert comparison.replace(" --dry-run --checksum -i", "") == copy


def test_a_sources_part_says_path_options_and_what_is_left_alone(config: Config) -> None:
    text = part(render_sheet(sheet(config)), "4.1")
    assert text.startswith("4.1 cassandra-1/local  ->  /docker_local on cassandra-1\n")
    assert "mountpoint /docker_local" in text
    assert "-aHAX --numeric-ids --secluded-args --mkpath --delete-delay" in text
    assert "'--exclude=*.tmp' '--exclude=/it'\"'\"'s/'" in text
    assert '"root@$H_CASSANDRA_1:"/docker_local/' in text


def test_ports_and_addresses_of_the_sixth_version_are_spelled_as_each_tool_wants_them(
    config: Config,
) -> None:
    text = render_sheet(sheet(config))
    assert "    H_SOLR_1=fd00::1   # solr-1\n" in text
    assert "-e 'ssh -p 2222'" in part(text, "4.4")
    assert '"root@[$H_SOLR_1]:"/docker_local/' in part(text, "4.4")
    assert 'ssh -n -p 2222 "root@$H_SOLR_1"' in part(text, "3")


def test_hosts_that_look_alike_have_variables_of_their_own(config: Config) -> None:
    hosts = dict.fromkeys(("a-b", "a.b", "a_b"), config.hosts["manager-1"])
    text = render_sheet(sheet(replace(config, hosts=hosts)))
    assert len(set(re.findall(r"^    (H_\w+)=", text, re.MULTILINE))) == 3


def test_a_dump_says_how_it_is_loaded(config: Config) -> None:
    assert "psql --username=" in part(render_sheet(sheet(config)), "4.2")
    assert "</srv/dumps/pg.sql" in part(render_sheet(sheet(config)), "4.2")


def test_a_service_is_stopped_brought_back_and_started_as_it_was(config: Config) -> None:
    lines = commands(part(render_sheet(sheet(config)), "5.1")).splitlines()
    order = ["COUNT_wordpress_web=", "wordpress_web=0", "desired-state", "rsync", "$COUNT_"]
    places = [next(i for i, line in enumerate(lines) if word in line) for word in order]
    assert places == sorted(places)


def test_what_failed_or_is_not_known_any_more_is_told(config: Config) -> None:
    text = render_sheet(sheet(config, manifest=told(config, failed=DOCKER)))
    assert "NOT in this backup: manager-1/docker (no)" in text
    assert "manager-1/docker" not in commands(text)
    known = sheet(config)
    gone = render_sheet(replace(known, config=replace(config, sets={})))
    assert "did not know any more" in part(gone, "4.1")
    assert "rsync" not in commands(gone)


def test_replicas_are_named_with_what_changes_there(config: Config) -> None:
    text = part(render_sheet(sheet(config)), "8")
    assert "offsite, on offsite.example.org:  ROOT=tank/sbdi" in text
    alone = replace(config, replicas={})
    assert "No replica is configured" in part(render_sheet(sheet(alone)), "8")


def test_made_anew_it_has_guids_and_speaks_of_no_papers(config: Config) -> None:
    text = render_sheet(sheet(config, stored=False, contents={}, guids={DOCKER: Guid(77)}))
    assert "manager-1/docker  guid 77" in text
    assert "RECOVERY/" not in text
    assert "SHA256SUMS" not in text


def test_sums_are_of_whole_files_whose_names_are_plain() -> None:
    def one(path: str, length: int = 5) -> Sampled:
        return Sampled(path=path, size=5, offset=0, length=length, sha256="e" * 64)

    sample = (one("a b"), one("new\nline"), one("back\\slash"), one("not-\udcff-text"), one("c", 4))
    noted = Contents(files=5, folders=1, links=0, others=0, size=5, digest="x", sample=sample)
    assert render_sums({"h1/a": noted}) == f"{'e' * 64}  h1/a/a b\n"


def papers_snapshot(moment: str, manifest_: Manifest | None, **given: object) -> Snapshot:
    like = child(A, moment, described=manifest_)
    name = recovery_dataset(ROOT, "platform").at(like.name.snap)
    return replace(like, name=name, guid=Guid(5), **given)  # type: ignore[arg-type]


def shelved(*snapshots: Snapshot) -> tuple[Backup, ...]:
    return find_backups(inventory(*snapshots), ROOT)


def pair(moment: str) -> list[Snapshot]:
    return [child(k, moment, described=manifest()) for k in (A, B)]


def test_the_sheet_belongs_to_its_backup_and_is_no_source() -> None:
    (found,) = shelved(*pair(str(NOON)), papers_snapshot(str(NOON), manifest()))
    assert found.keys == (A, B)
    assert found.state is State.COMPLETE
    assert found.sheet is not None
    assert found.sheet.name.dataset == recovery_dataset(ROOT, "platform")


def test_a_backup_without_a_sheet_is_as_complete_as_any() -> None:
    (found,) = shelved(*pair(str(NOON)))
    assert (found.state, found.sheet) == (State.COMPLETE, None)


def test_the_sheet_goes_with_its_backup_and_a_hold_on_it_keeps_both() -> None:
    old, new = "20220101_100000", "20220101_110000"
    drawn = (*pair(old), papers_snapshot(old, manifest()), *pair(new))
    gone = plan_prune(shelved(*drawn), Policy(name="p", keep={}), holds={}, now=2_000_000_000)
    assert len(gone.snapshots) == 3
    check_prune(gone)
    held = papers_snapshot(old, manifest(), userrefs=1)
    tags = {held.name: frozenset({"zrep:replica:offsite"})}
    found = shelved(*pair(old), held, *pair(new))
    kept = plan_prune(found, Policy(name="p", keep={}), holds=tags, now=2_000_000_000)
    assert kept.doomed == ()
    assert kept.judgements[-1].protections[0].shield is Shield.HELD


def test_the_sheet_is_published_with_the_data_under_one_manifest(config: Config) -> None:
    backup_set = config.sets["platform"]
    plan = plan_publish(
        backup_set, ROOT, told(config).sources, label=LABEL, facts=Facts(version="1", config="c")
    )
    more = with_sheet(plan, recovery_dataset(ROOT, "platform"))
    assert set(more.snapshots) - set(plan.snapshots) == {
        recovery_dataset(ROOT, "platform").at(str(LABEL))
    }
    assert more.properties == encode_manifest(plan.manifest)


class PoolSite(Site):
    """A Site whose target is a simulated pool over real folders."""

    def __init__(self, config: Config, world: World) -> None:
        super().__init__(config)
        self.world = world

    @property
    def target(self) -> Zfs:
        return self.world.zfs


def papers_of(config: Config, world: World, text: str) -> tuple[PoolSite, Backup]:
    """A backup of one source beside which lies a sheet of that text."""
    world.zfs.create(ROOT / RECOVERY, {"canmount": "off"})
    fill = {DOCKER: files(a="x"), SourceKey(RECOVERY, "platform"): files(**{SHEET: text})}
    world.backup(1, fill)
    site = PoolSite(config, world)
    return site, find_backups(world.zfs.inventory(ROOT), ROOT)[0]


def test_the_stored_sheet_is_read_from_the_backups_own_snapshot(
    config: Config, tmp_path: Path
) -> None:
    site, backup = papers_of(config, World(top=tmp_path / "pool"), "as it was")
    assert sheet_of(site, backup, papers()) == ("as it was", True)
    assert read_paper(site, backup, CONTENTS) is None


def test_without_a_stored_sheet_one_is_made_with_the_guids(config: Config, tmp_path: Path) -> None:
    world = World(top=tmp_path / "pool")
    world.backup(1, {DOCKER: files(a="x")})
    (backup,) = find_backups(world.zfs.inventory(ROOT), ROOT)
    text, stored = sheet_of(PoolSite(config, world), backup, papers())
    assert not stored
    assert f"manager-1/docker  guid {backup.children[0].snapshot.guid}" in text


def test_on_a_director_the_sheet_is_made_and_no_file_is_asked_for(
    config: Config, tmp_path: Path
) -> None:
    site, backup = papers_of(config, World(top=tmp_path / "pool"), "as it was")
    target = replace(config.target, address=Address(host="vault"))
    site.config = replace(config, target=target)
    text, stored = sheet_of(site, backup, papers())
    assert not stored
    assert "On vault, in the ZFS dataset" in text
    with pytest.raises(Refused):
        read_paper(site, backup, SHEET)


FOLDER = "/backup/current/RECOVERY/platform"
MOUNTS: Mapping[str, str] = {"backup/current/RECOVERY/platform": FOLDER}


def gate(mounts: Mapping[str, str] = MOUNTS) -> Gate:
    return replace(target_gate(), facts=KnownFacts(mounts=mounts))


@pytest.mark.parametrize(
    "name", ["RECOVERY.txt", "contents.json", "SHA256SUMS", "zrep.toml", "policy-production.toml"]
)
def test_the_targets_gate_lets_a_paper_be_written_where_it_belongs(name: str) -> None:
    argv = paper_argv(FOLDER, name)
    assert gate().judge(argv) == Allowed(argv=argv)
    assert is_paper(name)


@of_each(
    [
        paper_argv(FOLDER, "x"),
        paper_argv(FOLDER, "policy-../../x.toml"),
        paper_argv(FOLDER, "policy-.toml"),
        paper_argv("/etc", "zrep.toml"),
        paper_argv("/etc/platform", "zrep.toml"),
        paper_argv(f"{FOLDER}/..", "zrep.toml"),
        paper_argv("/backup/current/manager-1/mail", "zrep.toml"),
        (*paper_argv(FOLDER, "zrep.toml"), "if=/etc/shadow"),
        paper_argv(FOLDER, "zrep.toml")[:-1],
        ("dd", "if=/etc/shadow", f"of={FOLDER}/zrep.toml"),
        ("dd", f"of={FOLDER}/zrep.toml", "bs=64K", "oflag=nofollow", "status=none"),
        ("dd",),
    ],
    name=" ".join,
)
def test_the_targets_gate_lets_nothing_else_be_written(argv: tuple[str, ...]) -> None:
    assert isinstance(gate().judge(argv), Refusal)


def test_a_paper_is_refused_where_nothing_is_mounted_and_by_a_replica() -> None:
    argv = paper_argv(FOLDER, "zrep.toml")
    assert isinstance(gate({}).judge(argv), Refusal)
    assert isinstance(replica_gate().judge(argv), Refusal)
