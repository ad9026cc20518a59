"""Each method in one place: what it is told, what it claims, how long it may take beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest

from zrep.capsule.install import load_hooks
from zrep.config.keys import ZREP
from zrep.model.key import SourceKey
from zrep.model.methods import METHOD_KEYS, METHODS, before_seconds
from zrep.model.source import (
    BackupSet,
    Consistency,
    Database,
    Dump,
    Method,
    PoolLimits,
    Preparation,
    Prepare,
    Source,
)
from zrep.planner.publish import consistency

HOOKS = Path(__file__).parents[2] / "hooks"


def source(
    method: Method = Method.LVM, volume: str = "", *, name: str = "mail", **more: object
) -> Source:
    usual: dict[str, object] = {
        "key": SourceKey("manager-1", name),
        "method": method,
        "path": "/srv/mail",
        "volume": volume,
    }
    return Source(**{**usual, **more})  # type: ignore[arg-type]


DUMP = Dump(database=Database.MARIADB, service="shop_db", max_time=100)
FLUSH = Preparation(kind=Prepare.CASSANDRA, service="cassandra")


@pytest.mark.parametrize(
    ("made", "options"),
    [
        (source(Method.DIR, mounted=True), "mounted=yes"),
        (source(Method.LVM, "vg/lv"), "size=20%ORIGIN"),
        (
            source(Method.LVM, "vg/lv", pool=PoolLimits(data=80, metadata=40), prepare=FLUSH),
            "size=20%ORIGIN data_max=80 metadata_max=40 prepare=cassandra service=cassandra",
        ),
        (source(Method.GLUSTER, "docker"), ""),
        (source(Method.GLUSTER, "docker", heals_max=5), "heals_max=5"),
        (source(Method.ZFS, "tank/mail"), ""),
        (
            source(Method.DUMP, dump=DUMP),
            "database=mariadb service=shop_db min_bytes=1024 max_shrink=50 max_time=100",
        ),
    ],
    ids=lambda x: x.method if isinstance(x, Source) else "",
)
def test_a_method_tells_its_capsule_what_differs(made: Source, options: str) -> None:
    method = METHODS[made.method]
    assert " ".join(method.options(made)) == options
    assert list(method.problems(made)) == []


@pytest.mark.parametrize(
    "made",
    [
        source(Method.LVM, "vg"),
        source(Method.LVM, "vg/lv", size="20%"),
        source(Method.GLUSTER, "a/b"),
        source(Method.GLUSTER, "docker", name="a.b"),
        source(Method.ZFS, "tank/mail@x"),
        source(Method.ZFS, "tank/" + "x" * 160),
        source(Method.DUMP),
        source(Method.DUMP, dump=DUMP, prepare=FLUSH),
    ],
)
def test_what_a_method_cannot_do_is_a_problem(made: Source) -> None:
    assert len(list(METHODS[made.method].problems(made))) == 1


def test_every_method_has_a_class_a_capsule_and_keys_that_are_known() -> None:
    assert set(METHODS) == set(Method)
    for name in METHODS:
        body = load_hooks()[f"method-{name}"]
        for part in ("volume_ok", "preflight", "create", "mount", "valid", "sweep", "leftovers"):
            assert f"{name}_{part}()" in body
    assert set(METHOD_KEYS) <= set(ZREP["set.*.source.*"])


def test_how_to_add_a_method_names_what_every_method_has() -> None:
    text = (HOOKS / "README.md").read_text()
    for part in ("volume_ok", "preflight", "create", "mount", "valid", "explain", "sweep"):
        assert f"`NAME_{part}`" in text


def backup_set(*sources: Source) -> BackupSet:
    return BackupSet(name="platform", sources=sources)


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ((source(Method.DUMP, dump=DUMP),), Consistency.APPLICATION),
        ((source(Method.GLUSTER, "docker"),), Consistency.NODE),
        ((source(Method.ZFS, "tank/mail"),), Consistency.NODE),
        ((source(Method.DIR),), Consistency.NONE),
        (
            (
                source(Method.DUMP, dump=DUMP),
                source(Method.LVM, "vg/lv", key=SourceKey("cassandra-1", "local")),
            ),
            Consistency.NODE,
        ),
    ],
)
def test_a_set_claims_no_more_than_its_weakest_source(
    sources: tuple[Source, ...], expected: Consistency
) -> None:
    assert consistency(backup_set(*sources), failed=False) is expected
    assert consistency(backup_set(*sources), failed=True) is Consistency.NONE


def test_only_hosts_with_dumps_or_flushes_are_asked_beforehand() -> None:
    quiet = source(Method.LVM, "vg/lv", key=SourceKey("solr-1", "local"))
    flushed = source(Method.LVM, "vg/lv", key=SourceKey("cassandra-1", "local"), prepare=FLUSH)
    dumps = [source(Method.DUMP, dump=DUMP, name=name) for name in ("a", "b")]
    found = before_seconds(backup_set(quiet, flushed, *dumps))
    assert found == {"cassandra-1": 1800, "manager-1": 320}
