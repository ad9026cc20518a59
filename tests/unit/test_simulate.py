"""The model of ZFS keeps its own promises in every small world."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from zrep.errors import PoolFull, ZfsError
from zrep.model.names import DatasetName
from zrep.model.plan import SendSpec
from zrep.planner.simulate import datasets, properties, snapshots, streams
from zrep.planner.simulate.pool import Pool, new_pool

ROOT = DatasetName("p")
A = ROOT / "a"
S, T = A.at("s"), A.at("t")
COPY = ROOT / "copy"


def send(pool: Pool, base: str | None) -> Pool:
    stream = streams.send(pool, SendSpec(snapshot=S if base is None else T, base=base))
    return streams.receive(pool, COPY, stream)


STEPS: dict[str, Callable[[Pool], Pool]] = {
    "create": lambda p: datasets.create(p, A, {}),
    "write": lambda p: datasets.write(p, A, 100),
    "snap s": lambda p: snapshots.snapshot(p, (S,), {}),
    "snap t": lambda p: snapshots.snapshot(p, (T,), {}),
    "hold": lambda p: snapshots.hold(p, (S,), "h"),
    "bookmark": lambda p: snapshots.bookmark(p, S, "m"),
    "clone": lambda p: datasets.clone(p, S, ROOT / "c", {}),
    "prune": lambda p: snapshots.destroy_snapshots(p, (S, T))[0],
    "destroy": lambda p: datasets.destroy(p, A),
    "unmount": lambda p: properties.unmount(p, A),
    "send": lambda p: send(p, None),
    "send since s": lambda p: send(p, "@s"),
    "send since m": lambda p: send(p, "#m"),
}


Worlds = list[tuple[tuple[str, ...], Pool]]


def worlds(length: int) -> Worlds:
    """Every pool that some sequence of so many steps leads to; refused steps change nothing."""
    if not length:
        return [((), STEPS["snap s"](STEPS["write"](STEPS["create"](new_pool("p")))))]
    return [
        ((*path, name), taken(step, pool))
        for path, pool in worlds(length - 1)
        for name, step in STEPS.items()
    ]


def taken(step: Callable[[Pool], Pool], pool: Pool) -> Pool:
    try:
        return step(pool)
    except ZfsError:
        return pool


@pytest.fixture(scope="module")
def every_world() -> Worlds:
    return worlds(3)


def test_guids_are_of_one_dataset_or_one_snapshot_only(every_world: Worlds) -> None:
    for path, pool in every_world:
        nodes = [node.guid for node in pool.nodes.values()]
        per_node = [[s.guid for s in node.snapshots] for node in pool.nodes.values()]
        assert len(set(nodes)) == len(nodes), path
        assert all(len(set(guids)) == len(guids) for guids in per_node), path


def test_txgs_only_grow(every_world: Worlds) -> None:
    for path, pool in every_world:
        for node in pool.nodes.values():
            txgs = [s.createtxg for s in node.snapshots]
            assert txgs == sorted(set(txgs)), path
            assert all(txg < pool.txg for txg in txgs), path


def test_what_is_held_or_cloned_is_there(every_world: Worlds) -> None:
    for path, pool in every_world:
        for node in pool.nodes.values():
            assert node.origin is None or pool.find(node.origin), path
        if "hold" in path and "destroy" not in path:
            held_before_pruned = "prune" not in path or path.index("hold") < path.index("prune")
            assert not held_before_pruned or pool.find(S), path


def test_a_copy_has_the_guids_of_its_source_in_order(every_world: Worlds) -> None:
    arrived = 0
    for path, pool in every_world:
        copy, source = pool.nodes.get(COPY), pool.nodes.get(A)
        if copy is None or source is None or "prune" in path or "destroy" in path:
            continue
        arrived += 1
        order = [s.guid for s in source.snapshots]
        assert [s.guid for s in copy.snapshots] == order[: len(copy.snapshots)], path
    assert arrived > 100


def test_every_dataset_has_its_parent(every_world: Worlds) -> None:
    for path, pool in every_world:
        assert all(n.parent is None or n.parent in pool.nodes for n in pool.nodes), path


def test_operations_leave_the_pool_they_are_given_alone() -> None:
    pool = STEPS["snap s"](STEPS["create"](new_pool("p")))
    before = repr(pool)
    for name, step in STEPS.items():
        try:
            step(pool)
        except ZfsError:
            continue
        finally:
            assert repr(pool) == before, name


def test_the_same_steps_make_the_same_pool() -> None:
    assert worlds(1) == worlds(1)


def test_two_pools_never_share_a_guid() -> None:
    one, other = new_pool("p"), new_pool("q")
    assert one.nodes[ROOT].guid != other.nodes[DatasetName("q")].guid


def test_a_full_pool_takes_neither_data_nor_streams() -> None:
    pool = datasets.create(new_pool("p", capacity=150), A, {})
    pool = snapshots.snapshot(datasets.write(pool, A, 100), (S,), {})
    with pytest.raises(PoolFull):
        datasets.write(pool, A, 51)
    with pytest.raises(PoolFull):
        send(pool, None)


def test_time_is_told_from_outside() -> None:
    pool = STEPS["create"](new_pool("p", now=1_000))
    pool = snapshots.snapshot(pool.at(2_000), (S,), {})
    pool = snapshots.snapshot(pool.at(3_000), (T,), {})
    assert [s.creation for s in pool.nodes[A].snapshots] == [2_000, 3_000]


@pytest.mark.parametrize("upto", [0, 50, 99, 100, 120, 149])
def test_a_broken_stream_keeps_what_arrived_whole(upto: int) -> None:
    pool = STEPS["snap s"](STEPS["write"](STEPS["create"](new_pool("p"))))
    pool = datasets.write(snapshots.snapshot(datasets.write(pool, A, 100), (T,), {}), A, 50)
    pool = snapshots.snapshot(pool, (A.at("u"),), {})
    pool = send(pool, None)
    stream = streams.send(pool, SendSpec(snapshot=A.at("u"), base="@s", intermediates=True))
    assert stream.size == 150
    broken = streams.receive(pool, COPY, stream, upto=upto)
    assert [s.name.snap for s in broken.nodes[COPY].snapshots] == ["s", "t"][: 1 + (upto >= 100)]
    partial = broken.nodes[COPY].partial
    assert partial is not None
    rest = streams.send(broken, SendSpec(snapshot=A.at("u"), token=partial.token))
    healed = streams.receive(broken, COPY, rest)
    assert healed.nodes[COPY].partial is None
    assert healed.nodes[COPY].snapshots[-1].guid == partial.snapshot.guid
