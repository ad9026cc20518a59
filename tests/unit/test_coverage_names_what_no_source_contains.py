"""What containers use and nobody would get back: nobody noticed it on the original platform."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zrep.model.backup import Manifest, State, decode_manifest, encode_manifest
from zrep.model.coverage import Uncovered
from zrep.model.key import SourceKey
from zrep.model.mounts import HostMounts, Mount
from zrep.model.names import DatasetName
from zrep.model.policy import Policy
from zrep.model.source import (
    BackupSet,
    Config,
    Consistency,
    Database,
    Dump,
    Method,
    Source,
    Target,
)
from zrep.planner.coverage import SWARM, find_uncovered
from zrep.source.capsule_json import parse_events, parse_probe

HOST = "manager-1"


def source(path: str, method: Method = Method.DIR, host: str = HOST, **more: object) -> Source:
    name = path.strip("/").replace("/", "-")
    return Source(key=SourceKey(host, name), method=method, path=path, **more)  # type: ignore[arg-type]


def config(*sources: Source, ignore: tuple[str, ...] = ()) -> Config:
    backup_set = BackupSet(name="platform", sources=sources, ignore_mounts=ignore)
    return Config(
        target=Target(dataset=DatasetName("b/c"), policy=Policy(name="p", keep={})),
        hosts={},
        sets={"platform": backup_set},
        replicas={},
        services={},
    )


def mounts(*paths: str, kind: str = "bind", container: str = "web.1.x") -> HostMounts:
    made = (Mount(container=container, kind=kind, path=p, writable=True) for p in paths)
    return HostMounts(mounts=tuple(made), root="/var/lib/docker", known=True)


def paths(cfg: Config, report: HostMounts, host: str = HOST) -> list[str]:
    return [u.path for u in find_uncovered(cfg, {host: report})]


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("/docker", False),
        ("/docker/var/volumes/web", False),
        ("/docker2/x", True),
        ("/docker_local", True),
        ("/srv", True),
        ("/var/lib/docker/volumes/ab/_data", True),
    ],
)
def test_a_path_is_covered_by_a_source_at_or_above_it(path: str, missing: bool) -> None:
    assert paths(config(source("/docker")), mounts(path)) == ([path] if missing else [])


def test_a_source_of_another_host_covers_nothing_here_but_gluster_does() -> None:
    other = source("/docker", host="manager-2")
    assert paths(config(other), mounts("/docker/x")) == ["/docker/x"]
    shared = replace(other, method=Method.GLUSTER, volume="docker")
    assert paths(config(shared), mounts("/docker/x")) == []


@pytest.mark.parametrize(
    "path", ["/var/run/docker.sock", "/proc", "/sys/fs", "/", "/etc/localtime"]
)
def test_what_is_no_data_is_not_missed(path: str) -> None:
    assert paths(config(), mounts(path)) == []


def test_memory_is_not_missed() -> None:
    assert paths(config(), mounts("", kind="tmpfs")) == []


def test_what_a_dump_holds_need_not_be_copied_as_well() -> None:
    dump = Dump(database=Database.MARIADB, service="wordpress_db")
    cfg = config(source("/var/lib/zrep-dumps/db", Method.DUMP, dump=dump))
    assert paths(cfg, mounts("/srv/db", container="wordpress_db.1.k2")) == []
    assert paths(cfg, mounts("/srv/db", container="wordpress_db2.1.k2")) == ["/srv/db"]


def test_what_is_left_out_of_a_source_is_not_covered_by_it() -> None:
    cfg = config(source("/docker", exclude=("/cache", "*.tmp")))
    assert paths(cfg, mounts("/docker/cache/x", "/docker/web")) == ["/docker/cache/x"]


def test_what_the_administrator_does_not_want_back_is_not_missed() -> None:
    assert paths(config(ignore=("/scratch",)), mounts("/scratch/a", "/srv")) == ["/srv"]


def test_the_state_of_the_swarm_is_missed_too() -> None:
    report = HostMounts(root="/docker_var_lib", swarm=True, known=True)
    assert find_uncovered(config(), {HOST: report}) == (
        Uncovered(host=HOST, path="/docker_var_lib/swarm", users=(SWARM,)),
    )
    assert paths(config(source("/docker_var_lib")), report) == []


def test_one_path_is_named_once_with_all_that_use_it() -> None:
    both = (*mounts("/srv").mounts, *mounts("/srv", container="db.1.y").mounts)
    (found,) = find_uncovered(config(), {HOST: HostMounts(mounts=both, known=True)})
    assert str(found) == "manager-1:/srv (db.1.y, web.1.x)"


def test_the_manifest_remembers_it_within_zfss_limits() -> None:
    many = tuple(
        Uncovered(host=HOST, path=f"/srv/{n}/{'x' * 500}", users=("web",)) for n in range(200)
    )
    manifest = Manifest(
        set_name="platform",
        state=State.COMPLETE,
        consistency=Consistency.NODE,
        sources=(),
        uncovered=many,
    )
    properties = encode_manifest(manifest)
    assert max(map(len, properties.values())) < 8192
    found = decode_manifest(properties)
    assert found is not None
    assert found.uncovered[0].path == many[0].path[:200]
    assert '"total":200' in properties[f"io.zrep:uncovered:{HOST}"]


PROBE = """\
{"event":"host","capsules":"a","config":"b","rsync":"3.2.7","clock":1}
{"event":"engine","swarm":"active","root":"/var/lib/docker"}
{"event":"mount","kind":"volume","writable":true,"container":"db","path":"/v/db/_data"}
{"event":"mount","kind":"tmpfs","writable":true,"container":"db","path":""}
{"event":"done","verb":"probe"}
"""


def test_the_probe_is_read() -> None:
    report = parse_probe(parse_events(PROBE)).docker
    assert (report.root, report.swarm, report.known) == ("/var/lib/docker", True, True)
    assert [m.path for m in report.mounts] == ["/v/db/_data", ""]
    plain = "\n".join(PROBE.splitlines()[:1])
    assert not parse_probe(parse_events(plain)).docker.known
