"""What a backup says of its consistency, and how the pauses behind it travel in the manifest."""

from __future__ import annotations

import pytest

from zrep.engine.sync import SyncReport
from zrep.errors import StillPaused
from zrep.model.backup import Manifest, Pause, SourceRecord, State, decode_manifest, encode_manifest
from zrep.model.key import SourceKey
from zrep.model.names import BackupId, DatasetName, SnapClass, make_label
from zrep.model.source import BackupSet, Consistency, Method, Quiesce, Source
from zrep.planner.publish import Facts, plan_publish
from zrep.report.pauses import pause_json, render_pause
from zrep.report.sync import render_report, report_json

HOSTS = ("cassandra-1", "manager-1")
LABEL = make_label(BackupId("20260102_030405"), frozenset({SnapClass.DAILY}))


def held(host: str) -> Pause:
    return Pause(host=host, containers=3, milliseconds=1840, held=True)


def restless(host: str) -> Pause:
    return Pause(host=host, containers=3, milliseconds=45_010, held=False)


def source(host: str, name: str = "data", method: Method = Method.LVM) -> Source:
    return Source(key=SourceKey(host, name), method=method, path="/data", volume="vg/lv")


TWO = (source(HOSTS[0]), source(HOSTS[1]))


def published(
    sources: tuple[Source, ...],
    pauses: tuple[Pause, ...],
    *,
    quiesce: Quiesce = Quiesce(docker=True),  # noqa: B008 - a frozen value
    bad: frozenset[SourceKey] = frozenset(),
) -> Manifest:
    plan = plan_publish(
        BackupSet(name="platform", sources=sources, quiesce=quiesce),
        DatasetName("backup/current"),
        [SourceRecord(key=s.key, ok=s.key not in bad) for s in sources],
        label=LABEL,
        facts=Facts(version="1", config="c", pauses=pauses),
    )
    return plan.manifest


ALL_HELD = (held(HOSTS[0]), held(HOSTS[1]))


@pytest.mark.parametrize(
    ("sources", "pauses", "expected"),
    [
        (TWO, ALL_HELD, Consistency.CLUSTER),
        (TWO, (held(HOSTS[0]), restless(HOSTS[1])), Consistency.NODE),
        (TWO, (held(HOSTS[0]),), Consistency.NODE),
        (TWO, (), Consistency.NODE),
        ((*TWO, source(HOSTS[1], "mail")), ALL_HELD, Consistency.CLUSTER),
        ((*TWO, source(HOSTS[1], "mail")), (), Consistency.NONE),
        ((*TWO, source(HOSTS[1], "etc", Method.DIR)), ALL_HELD, Consistency.NONE),
    ],
)
def test_cluster_needs_every_host_held_and_only_snapshots(
    sources: tuple[Source, ...], pauses: tuple[Pause, ...], expected: Consistency
) -> None:
    assert published(sources, pauses).consistency is expected


def test_a_failed_source_leaves_no_more_than_none() -> None:
    manifest = published(TWO, ALL_HELD, bad=frozenset({TWO[0].key}))
    assert manifest.consistency is Consistency.NONE
    assert manifest.state is State.PARTIAL


def test_hosts_that_are_only_paused_count_too() -> None:
    quiesce = Quiesce(docker=True, hosts=("solr-1",))
    assert published(TWO, ALL_HELD, quiesce=quiesce).consistency is Consistency.NODE
    pauses = (*ALL_HELD, held("solr-1"))
    assert published(TWO, pauses, quiesce=quiesce).consistency is Consistency.CLUSTER


def test_a_set_that_is_not_quiesced_is_never_of_one_instant() -> None:
    manifest = published(TWO, ALL_HELD, quiesce=Quiesce(docker=False, hosts=HOSTS))
    assert manifest.consistency is Consistency.NODE


def test_pauses_come_back_from_the_properties_of_a_snapshot() -> None:
    unknown = Pause(host=HOSTS[1], containers=2, milliseconds=None, held=False)
    manifest = published(TWO, (held(HOSTS[0]), unknown))
    properties = encode_manifest(manifest)
    assert properties["io.zrep:pause:cassandra-1"] == '{"ms":1840,"containers":3,"held":true}'
    assert decode_manifest(properties) == manifest


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"ms":"x","containers":1,"held":true}'])
def test_a_manifest_with_a_pause_that_cannot_be_read_is_no_manifest(text: str) -> None:
    properties = encode_manifest(published(TWO, ALL_HELD))
    assert decode_manifest({**properties, "io.zrep:pause:manager-1": text}) is None


def test_a_pause_in_words_and_as_json() -> None:
    assert render_pause(held("manager-1")) == "manager-1: 3 containers, 1.84 s"
    assert render_pause(restless("m")) == "m: 3 containers, 45.01 s, not still all the time"
    unknown = Pause(host="m", containers=1, milliseconds=None, held=False)
    assert render_pause(unknown) == "m: 1 containers, unknown, not still all the time"
    assert pause_json(unknown) == {
        "host": "m",
        "containers": 1,
        "milliseconds": None,
        "held": False,
    }


def report(still_paused: StillPaused | None = None) -> SyncReport:
    plan = plan_publish(
        BackupSet(name="platform", sources=TWO, quiesce=Quiesce(docker=True)),
        DatasetName("backup/current"),
        [SourceRecord(key=s.key, ok=True) for s in TWO],
        label=LABEL,
        facts=Facts(version="1", config="c", pauses=ALL_HELD),
    )
    return SyncReport(published=plan, seconds=61.0, warnings=(), still_paused=still_paused)


def test_a_syncs_report_tells_each_hosts_pause_and_the_label() -> None:
    lines = render_report(report()).splitlines()
    assert lines[-3:-1] == [
        "paused  cassandra-1: 3 containers, 1.84 s",
        "paused  manager-1: 3 containers, 1.84 s",
    ]
    assert "consistency cluster" in lines[-1]
    told = report_json(report())
    assert told["pauses"] == [pause_json(p) for p in ALL_HELD]
    assert told["still_paused"] is None


def test_a_report_says_who_may_still_be_paused() -> None:
    error = StillPaused("the thaw failed", where="manager-1", why="container web is still paused")
    told = report_json(report(error))
    assert told["still_paused"] == "manager-1: the thaw failed: container web is still paused"
    assert told["state"] == "complete"
