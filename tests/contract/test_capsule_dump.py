"""Dumps and flushes with a docker whose containers are here: their shell is real, their tools fake.

What each tool is told, by words and by environment, and what it prints, is in files.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract.capsule_world import (
    LATER,
    RUN,
    CapsuleWorld,
    WorldHost,
    can_unshare,
    capsule_world,
)
from tests.contract.fakes.bench import Bench
from zrep.errors import SourceFailed
from zrep.source.capsules import Capsules

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

PG_END = "--\n-- PostgreSQL database cluster dump complete\n--\n\n"
# Whole IDs, as docker has them.
DATABASE, OTHER = "c0ffee" + "0" * 58, "a" * 64
SECRET = "s3cr'et $(id) \"x"
GOOD = {
    "postgresql": ("pg_dumpall", b"SELECT 1;\n" * 300 + PG_END.encode()),
    "mariadb": (
        "mariadb-dump",
        b"INSERT 1;\n" * 300 + b"-- Dump completed on 2026-11-23 15:00:00\n",
    ),
    "mongodb": ("mongodump", b"\x6d\xe2\x99\x81" + b"doc" * 1000 + b"\xff" * 4),
}
ENVIRONMENT = {
    "postgresql": {"POSTGRES_USER": "admin", "POSTGRES_PASSWORD": SECRET},
    "mariadb": {"MARIADB_ROOT_PASSWORD": SECRET},
    "mongodb": {"MONGO_INITDB_ROOT_USERNAME": "admin", "MONGO_INITDB_ROOT_PASSWORD": SECRET},
}
# A tool that notes what it was told, and then prints a file.
TOOL = """#!/bin/sh
printf '%s\\n' "$0 $*" >>"$TOLD.words"
env >>"$TOLD.environment"
[ ! -e /proc/self/fd/3 ] || cat <&3 >>"$TOLD.fd3"
cat "$TOLD.output"
exit "$(cat "$TOLD.status")"
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[CapsuleWorld]:
    with capsule_world(tmp_path) as made:
        (tmp_path / "dumps").mkdir(mode=0o755)
        yield made


@pytest.fixture
def bench(world: CapsuleWorld) -> Bench:
    made = Bench(world, "docker")
    programs = world.tmp / "programs"
    programs.mkdir()
    for name in ("pg_dumpall", "mariadb-dump", "mongodump", "nodetool", "curl"):
        (programs / name).write_text(TOOL)
        (programs / name).chmod(0o755)
    made.change(
        containers={
            DATABASE: {"service": "shop_db", "state": "running"},
            OTHER: {"service": "shop_db2", "state": "running"},
        },
        environment={},
        programs=str(programs),
    )
    return made


@pytest.fixture
def capsules(world: CapsuleWorld, bench: Bench) -> Capsules:
    assert bench.state["containers"]
    use(world, bench, "postgresql")
    return Capsules(WorldHost(world))


def use(world: CapsuleWorld, bench: Bench, database: str, more: str = "") -> None:
    """One source of that kind, whose tool prints a good dump."""
    folder = world.tmp / "dumps" / "shop"
    line = f"source platform shop dump - {folder} database={database} service=shop_db {more}"
    world.configure(line.strip())
    bench.change(environment=ENVIRONMENT[database])
    prints(bench, GOOD[database][1])


def prints(bench: Bench, output: bytes, status: int = 0) -> None:
    told = Path(bench.state["programs"]) / "told"
    told.with_suffix(".output").write_bytes(output)
    told.with_suffix(".status").write_text(str(status))


def failed(capsules: Capsules, run: str) -> SourceFailed:
    """Why the one source that could not be prepared was not."""
    [error] = capsules.before(run=run, set_name="platform").values()
    return error


def told(bench: Bench, what: str) -> str:
    file = Path(bench.state["programs"]) / f"told.{what}"
    return file.read_text() if file.exists() else ""


def files(world: CapsuleWorld) -> dict[str, int]:
    found = (world.tmp / "dumps" / "shop").glob("*")
    hidden = (world.tmp / "dumps" / "shop").glob(".*")
    return {f.name: f.stat().st_size for f in (*found, *hidden)}


@pytest.mark.parametrize("database", GOOD)
def test_a_dump_arrives_and_is_what_is_read(
    world: CapsuleWorld, bench: Bench, capsules: Capsules, database: str
) -> None:
    use(world, bench, database)
    assert capsules.probe(set_name="platform").sources[0].problem is None
    capsules.before(run=RUN, set_name="platform")
    (prepared,) = capsules.snapshot(run=RUN, set_name="platform")
    assert prepared.kind == "dump"
    name = "shop_db.archive" if database == "mongodb" else "shop_db.sql"
    there = world.run("ls", "-A", "/run/zrep/mnt/shop").stdout.split()
    assert there == [name, f"{name}.info"]
    assert (world.tmp / "dumps/shop" / name).read_bytes() == GOOD[database][1]
    assert capsules.check(run=RUN, set_name="platform")[0].problem is None
    capsules.release(run=RUN, set_name="platform")
    assert world.mounts() == []
    assert name in files(world)


@pytest.mark.parametrize("database", GOOD)
def test_the_password_is_in_no_words(
    world: CapsuleWorld, bench: Bench, capsules: Capsules, database: str
) -> None:
    use(world, bench, database)
    capsules.before(run=RUN, set_name="platform")
    assert GOOD[database][0] in told(bench, "words")
    assert "s3cr" not in told(bench, "words")
    assert "s3cr" not in json.dumps(bench.state["execs"])
    assert "s3cr" not in world.run("sh", "-c", "cat /run/zrep/* 2>/dev/null; true").stdout
    if database == "mongodb":
        assert told(bench, "fd3") == "password: 's3cr''et $(id) \"x'\n"
    else:
        name = {"postgresql": "PGPASSWORD", "mariadb": "MYSQL_PWD"}[database]
        assert f"{name}={SECRET}\n" in told(bench, "environment")


def test_a_password_in_a_file_of_the_container_is_read_there(
    world: CapsuleWorld, bench: Bench, capsules: Capsules
) -> None:
    secret = world.tmp / "secret"
    secret.write_text(f"{SECRET}\n")
    bench.change(environment={"POSTGRES_PASSWORD_FILE": str(secret)})
    capsules.before(run=RUN, set_name="platform")
    assert f"PGPASSWORD={SECRET}\n" in told(bench, "environment")
    assert "--username=postgres" in told(bench, "words")


def test_mariadb_dumps_one_instant_with_everything_in_it(
    world: CapsuleWorld, bench: Bench, capsules: Capsules
) -> None:
    use(world, bench, "mariadb")
    capsules.before(run=RUN, set_name="platform")
    words = set(told(bench, "words").split())
    assert {"--all-databases", "--single-transaction", "--routines", "--events"} <= words


def test_only_root_can_read_a_dump(world: CapsuleWorld, capsules: Capsules) -> None:
    capsules.before(run=RUN, set_name="platform")
    folder = world.tmp / "dumps" / "shop"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(f.stat().st_mode) for f in folder.iterdir()} == {0o600}
    folder.chmod(0o755)
    error = failed(capsules, LATER)
    assert re.search("can be read by others", str(error))
    folder.chmod(0o700)
    folder.parent.chmod(0o777)
    error = failed(capsules, LATER)
    assert re.search("can be written by others", str(error))


BAD = {
    "the tool fails": (GOOD["postgresql"][1], 1, "ended with status 1"),
    "the tool fails without a word": (b"", 1, "ended with status 1"),
    "the container is killed": (GOOD["postgresql"][1][:2000], 137, "ended with status 137"),
    "the stream is cut off": (GOOD["postgresql"][1][:-20], 0, "no proper end"),
    "nothing comes": (b"", 0, "has 0 bytes, fewer than 1024"),
    "it is too small": (PG_END.encode(), 0, "fewer than 1024"),
    "it has shrunk": (b"SELECT 1;\n" * 120 + PG_END.encode(), 0, "the last good one had 3052"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_failed_dump_keeps_the_last_good_one_and_fails_the_source(
    world: CapsuleWorld, bench: Bench, capsules: Capsules, case: str
) -> None:
    capsules.before(run=RUN, set_name="platform")
    good = files(world)
    text = (world.tmp / "dumps/shop/shop_db.sql").read_bytes()
    output, status, why = BAD[case]
    prints(bench, output, status)
    error = failed(capsules, LATER)
    assert re.search(why, str(error))
    assert error.where == "manager-1/shop"
    assert files(world) == good
    assert (world.tmp / "dumps/shop/shop_db.sql").read_bytes() == text
    assert capsules.snapshot(run=LATER, set_name="platform") == ()
    assert world.mounts() == []


@pytest.mark.parametrize("database", ["mariadb", "mongodb"])
def test_an_end_that_is_missing_is_seen_in_every_kind(
    world: CapsuleWorld, bench: Bench, capsules: Capsules, database: str
) -> None:
    use(world, bench, database)
    prints(bench, GOOD[database][1][:-45])
    error = failed(capsules, RUN)
    assert re.search("no proper end", str(error))
    assert files(world) == {}


def test_limits_are_those_of_the_configuration(
    world: CapsuleWorld, bench: Bench, capsules: Capsules
) -> None:
    capsules.before(run=RUN, set_name="platform")
    use(world, bench, "postgresql", "min_bytes=10000")
    error = failed(capsules, LATER)
    assert re.search("fewer than 10000", str(error))
    use(world, bench, "postgresql", "max_shrink=90")
    prints(bench, *BAD["it has shrunk"][:2])
    capsules.before(run=LATER, set_name="platform")


def test_a_dump_that_takes_too_long_is_ended(
    world: CapsuleWorld, bench: Bench, capsules: Capsules
) -> None:
    use(world, bench, "postgresql", "max_time=1")
    program = Path(bench.state["programs"]) / "pg_dumpall"
    program.write_text("#!/bin/sh\nexec sleep 20\n")
    error = failed(capsules, RUN)
    assert re.search("did not end within 1 s", str(error))
    assert files(world) == {}


@pytest.mark.parametrize(
    ("containers", "count"),
    [
        ({}, 0),
        ({OTHER: {"service": "shop_db", "state": "paused"}}, 0),
        ({x: {"service": "shop_db", "state": "running"} for x in (DATABASE, OTHER)}, 2),
    ],
    ids=["none", "paused", "two"],
)
def test_exactly_one_running_container_is_dumped(
    bench: Bench, capsules: Capsules, containers: dict[str, object], count: int
) -> None:
    bench.change(containers=containers)
    error = failed(capsules, RUN)
    assert re.search(f"{count} containers of service shop_db", str(error))
    assert "docker service ps shop_db" in error.next_step
    with pytest.raises(SourceFailed, match=f"{count} containers"):
        capsules.probe(set_name="platform")


def test_asked_again_for_a_run_it_dumps_once(bench: Bench, capsules: Capsules) -> None:
    capsules.before(run=RUN, set_name="platform")
    capsules.before(run=RUN, set_name="platform")
    assert len(bench.state["execs"]) == 1


def test_one_failing_dump_does_not_keep_another_from_being_made(
    world: CapsuleWorld, bench: Bench, capsules: Capsules
) -> None:
    folder = world.tmp / "dumps"
    world.configure(
        f"source platform gone dump - {folder}/gone database=postgresql service=gone",
        f"source platform shop dump - {folder}/shop database=postgresql service=shop_db",
    )
    assert bench.state["containers"]
    assert failed(capsules, RUN).where == "manager-1/gone"
    assert set(files(world)) == {"shop_db.sql", "shop_db.sql.info"}
    for _ in range(2):
        assert [p.source for p in capsules.snapshot(run=RUN, set_name="platform")] == ["shop"]
    assert [c.source for c in capsules.check(run=RUN, set_name="platform", source="shop")] == [
        "shop"
    ]
    capsules.release(run=RUN, set_name="platform")
    assert world.mounts() == []


@pytest.mark.parametrize("call", [1, 2, -1, -2])
def test_a_capsule_killed_during_a_dump_leaves_the_last_good_one(
    world: CapsuleWorld, bench: Bench, capsules: Capsules, call: int
) -> None:
    capsules.before(run=RUN, set_name="platform")
    text = (world.tmp / "dumps/shop/shop_db.sql").read_bytes()
    prints(bench, GOOD["postgresql"][1] * 2)
    bench.change(calls=[], kill=call)
    assert world.capsule("before", f"run={LATER} set=platform").returncode != 0
    bench.change(kill=None)
    assert (world.tmp / "dumps/shop/shop_db.sql").read_bytes() == text
    capsules.before(run=LATER, set_name="platform")
    capsules.snapshot(run=LATER, set_name="platform")
    assert set(files(world)) == {"shop_db.sql", "shop_db.sql.info"}


# ---- what is prepared for a snapshot ----------------------------------------------------------

LISTED = f"""Snapshot Details:
Snapshot name       Keyspace name Column family name True size Size on disk Creation time
zrep_20250101_000000 system        local              1.1 KiB   5.3 KiB      2025-01-01T00:00:00Z
zrep_{RUN} system        peers              1.1 KiB   5.3 KiB      2026-01-02T03:04:05Z
before-upgrade      shop          orders             1.1 KiB   5.3 KiB      2024-05-05T05:05:05Z

Total TrueDiskSpaceUsed: 3.3 KiB
"""


def flush(world: CapsuleWorld, prepare: str) -> None:
    world.configure(f"source platform data dir - SRC prepare={prepare} service=shop_db")


def test_cassandra_is_flushed_and_its_own_snapshot_goes_with_the_run(
    world: CapsuleWorld, bench: Bench, capsules: Capsules
) -> None:
    flush(world, "cassandra")
    prints(bench, LISTED.encode())
    capsules.before(run=RUN, set_name="platform")
    capsules.snapshot(run=RUN, set_name="platform")
    capsules.release(run=RUN, set_name="platform")
    capsules.release(run=RUN, set_name="platform")
    words = [line.partition(" ")[2] for line in told(bench, "words").splitlines()]
    assert words == [
        "listsnapshots",
        "clearsnapshot -t zrep_20250101_000000",
        "flush",
        f"snapshot -t zrep_{RUN}",
        f"clearsnapshot -t zrep_{RUN}",
    ]


def test_a_nodetool_that_fails_fails_the_source_and_is_taken_back_later(
    world: CapsuleWorld, bench: Bench, capsules: Capsules
) -> None:
    flush(world, "cassandra")
    prints(bench, b"nodetool: Failed to connect\n", 1)
    error = failed(capsules, RUN)
    assert re.search("Failed to connect", str(error))
    with pytest.raises(SourceFailed, match="clearsnapshot"):
        capsules.release(run=RUN, set_name="platform")
    prints(bench, b"")
    capsules.release()
    assert world.run("ls", "/run/zrep/prepared").stdout == ""


def test_a_container_that_is_gone_does_not_keep_a_release_from_ending(
    world: CapsuleWorld, bench: Bench, capsules: Capsules
) -> None:
    flush(world, "cassandra")
    prints(bench, b"")
    capsules.before(run=RUN, set_name="platform")
    bench.change(containers={})
    capsules.release(run=RUN, set_name="platform")
    with pytest.raises(SourceFailed, match="0 containers of service shop_db"):
        capsules.probe(set_name="platform")


SOLR = """#!/bin/sh
echo "$@" >>"$TOLD.words"
case $* in
    *STATUS*) echo '{"status":{"shop_1":{"name":"shop_1","x":1},"b-2":{"name":"b-2"}}}' ;;
    */shop_1/*) echo '{"responseHeader":{"status":0,"QTime":7}}' ;;
    *) cat "$TOLD.output" ;;
esac
"""


@pytest.mark.parametrize("answer", ['{"responseHeader":{"status":0}}', '{"error":{"code":500}}'])
def test_solr_commits_every_core_or_fails(
    world: CapsuleWorld, bench: Bench, capsules: Capsules, answer: str
) -> None:
    flush(world, "solr")
    (Path(bench.state["programs"]) / "curl").write_text(SOLR)
    prints(bench, answer.encode())
    if "error" in answer:
        assert "core b-2 was not committed" in str(failed(capsules, RUN))
    else:
        capsules.before(run=RUN, set_name="platform")
    for core in ("shop_1", "b-2"):
        assert f"/solr/{core}/update?commit=true" in told(bench, "words")


# ---- a real PostgreSQL ------------------------------------------------------------------------


def postgres_folder() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found and os.getuid() == 0 and shutil.which("pg_dumpall") else None


@contextmanager
def postgres(home: Path) -> Iterator[None]:
    """A server of its own below `home`, which asks everybody for a password."""
    folder = postgres_folder()
    home.mkdir(mode=0o755)
    (home / "pw").write_text(SECRET)
    for path in (home, home / "pw"):
        shutil.chown(path, "postgres", "postgres")

    def run(program: str, *words: str) -> None:
        argv = ("runuser", "-u", "postgres", "--", f"{folder}/{program}", "-D", f"{home}/data")
        subprocess.run((*argv, *words), check=True, capture_output=True, timeout=60)

    try:
        run("initdb", "-A", "scram-sha-256", f"--pwfile={home}/pw")
        run("pg_ctl", "-w", "-l", f"{home}/log", "-o", f"-k {home} -c listen_addresses=", "start")
        try:
            yield
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home)


@pytest.mark.skipif(postgres_folder() is None, reason="no PostgreSQL server here")
def test_a_real_pg_dumpall_is_taken_and_one_that_may_not_log_in_is_not(
    world: CapsuleWorld, bench: Bench, capsules: Capsules
) -> None:
    home = Path("/tmp") / f"zrep-pg-{os.getpid()}"
    (Path(bench.state["programs"]) / "pg_dumpall").unlink()
    with postgres(home):
        bench.change(environment={"POSTGRES_PASSWORD": SECRET, "PGHOST": str(home)})
        capsules.before(run=RUN, set_name="platform")
        text = (world.tmp / "dumps/shop/shop_db.sql").read_text()
        assert "CREATE ROLE postgres" in text
        bench.change(environment={"POSTGRES_PASSWORD": "wrong", "PGHOST": str(home)})
        assert "password authentication failed" in str(failed(capsules, LATER))
    assert (world.tmp / "dumps/shop/shop_db.sql").read_text() == text
