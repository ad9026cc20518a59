"""The forms of the `zfs` command are fixed: these are all of them, and nothing slips in as one."""

from __future__ import annotations

from itertools import product

import pytest

from tests.unit.rows import of_each
from zrep.model.names import DatasetName, SnapshotName
from zrep.model.plan import SendSpec
from zrep.zfs import argv

A = DatasetName("tank/a")
B = DatasetName("tank/b")
S = A.at("s")

PROPERTIES_OF = "zfs get -H -p -r -s local,received -t"

FORMS = {
    "create": (
        argv.create_argv(A, {"compression": "gzip-7", "io.zrep:n": "a b"}, mount=False),
        "zfs create -u -o compression=gzip-7 -o|io.zrep:n=a b|tank/a",
    ),
    "create mounted": (argv.create_argv(A, {}, mount=True), "zfs create tank/a"),
    "snapshot": (
        argv.snapshot_argv((S, B.at("s")), {"io.zrep:set": "x"}),
        "zfs snapshot -o io.zrep:set=x tank/a@s tank/b@s",
    ),
    "clone": (
        argv.clone_argv(S, B, {"readonly": "on"}),
        "zfs clone -o readonly=on tank/a@s tank/b",
    ),
    "bookmark": (argv.bookmark_argv(S, "m"), "zfs bookmark tank/a@s tank/a#m"),
    "destroy snapshots": (
        argv.destroy_snapshots_argv((S, A.at("t"))),
        "zfs destroy tank/a@s,t",
    ),
    "destroy bookmark": (argv.destroy_bookmark_argv(A, "m"), "zfs destroy tank/a#m"),
    "destroy dataset": (argv.destroy_argv(A), "zfs destroy tank/a"),
    "hold": (argv.hold_argv((S,), "zrep:x"), "zfs hold zrep:x tank/a@s"),
    "release": (argv.release_argv((S,), "zrep:x"), "zfs release zrep:x tank/a@s"),
    "holds": (argv.holds_argv((S, B.at("t"))), "zfs holds -H tank/a@s tank/b@t"),
    "set": (
        argv.set_argv((A, S), {"io.zrep:a": "1", "io.zrep:b": "2"}),
        "zfs set io.zrep:a=1 io.zrep:b=2 tank/a tank/a@s",
    ),
    "get": (
        argv.get_argv(("tank/a", "tank/a#m"), ("guid", "origin")),
        "zfs get -H -p -o name,property,value guid,origin tank/a tank/a#m",
    ),
    "list": (
        argv.list_argv(A, snapshots=False),
        f"zfs list -H -p -r -t filesystem,volume -o {','.join(argv.COLUMNS)} tank/a",
    ),
    "list all": (
        argv.list_argv(A, snapshots=True),
        f"zfs list -H -p -r -t {argv.EVERYTHING} -o {','.join(argv.COLUMNS)} tank/a",
    ),
    "properties": (
        argv.local_properties_argv(A, snapshots=False),
        "zfs get -H -p -r -s local,received -t filesystem,volume -o name,property,value all tank/a",
    ),
    "properties of all": (
        argv.local_properties_argv(A, snapshots=True),
        f"{PROPERTIES_OF} {argv.WITH_PROPERTIES} -o name,property,value all tank/a",
    ),
    "mount": (argv.mount_argv(A), "zfs mount tank/a"),
    "unmount": (argv.unmount_argv(A), "zfs unmount tank/a"),
    "send": (argv.send_argv(SendSpec(snapshot=S)), "zfs send -L -e -c tank/a@s"),
    "send since": (
        argv.send_argv(SendSpec(snapshot=S, base="#m", raw=True)),
        "zfs send -L -e -c -w -i #m tank/a@s",
    ),
    "send all since": (
        argv.send_argv(SendSpec(snapshot=S, base="@r", intermediates=True)),
        "zfs send -L -e -c -I @r tank/a@s",
    ),
    "resume": (
        argv.send_argv(SendSpec(snapshot=S, base="@r", token="1-e604ea4bf-e0")),
        "zfs send -t 1-e604ea4bf-e0",
    ),
    "estimate": (
        argv.send_argv(SendSpec(snapshot=S), estimate=True),
        "zfs send -n -P -L -e -c tank/a@s",
    ),
    "receive": (argv.receive_argv(A), "zfs receive -s -u tank/a"),
    "abort": (argv.abort_receive_argv(A), "zfs receive -A tank/a"),
    "version": (argv.version_argv(), "zfs version"),
}


@of_each(FORMS)
def test_each_operation_has_its_one_form(form: str) -> None:
    made, text = FORMS[form]
    words = text.split("|")
    expected = [*words[0].split(" "), *words[1:]] if len(words) > 1 else text.split(" ")
    assert list(made) == expected


def test_every_form_is_in_the_page_the_gate_is_written_from() -> None:
    page = argv.__doc__ or ""
    for made, _ in FORMS.values():
        assert f"    zfs {made[1]}" in page, made


@of_each([made for made, _ in FORMS.values()])
def test_nothing_is_recursive_forced_or_deferred_but_reads(made: tuple[str, ...]) -> None:
    assert not {"-F", "-f", "-R", "-d"} & set(made)
    assert "-r" not in made or made[1] in ("list", "get")


@pytest.mark.parametrize("tag", ["-r", "", "a b", "a\nb", "$x"])
def test_a_hold_tag_cannot_be_an_option_or_hold_white_space(tag: str) -> None:
    with pytest.raises(ValueError, match="hold tag"):
        argv.hold_argv((S,), tag)
    with pytest.raises(ValueError, match="hold tag"):
        argv.release_argv((S,), tag)


@pytest.mark.parametrize("key", ["-u", "", "a=b", "a b", "@x"])
def test_a_property_name_cannot_be_an_option(key: str) -> None:
    with pytest.raises(ValueError, match="property name"):
        argv.set_argv((A,), {key: "1"})
    with pytest.raises(ValueError, match="property name"):
        argv.create_argv(A, {key: "1"}, mount=True)
    with pytest.raises(ValueError, match="property name"):
        argv.get_argv((str(A),), (key if key != "@x" else "-x",))


@pytest.mark.parametrize("base", ["s", "-R", "tank/b@s", "@a b", "@"])
def test_a_base_is_a_short_name(base: str) -> None:
    with pytest.raises(ValueError, match="base"):
        argv.send_argv(SendSpec(snapshot=S, base=base))


def test_all_between_needs_a_snapshot_to_start_from() -> None:
    with pytest.raises(ValueError, match="snapshot as base"):
        argv.send_argv(SendSpec(snapshot=S, base="#m", intermediates=True))


@pytest.mark.parametrize("token", ["", "-n", "1-zz", "1-ab cd"])
def test_a_token_is_hexadecimal(token: str) -> None:
    with pytest.raises(ValueError, match="resume token"):
        argv.send_argv(SendSpec(snapshot=S, token=token))


@pytest.mark.parametrize("mark", ["a@b", "a/b", "", "a b"])
def test_a_mark_is_spelled_like_a_snapshot(mark: str) -> None:
    with pytest.raises(ValueError, match=r"not a (plain )?snapshot name"):
        argv.bookmark_argv(S, mark)


def test_snapshots_of_two_datasets_do_not_fit_into_one_destroy() -> None:
    with pytest.raises(ValueError, match="unpack"):
        argv.destroy_snapshots_argv((S, B.at("s")))


def test_long_lists_of_names_and_properties_are_set_by_commands_that_fit() -> None:
    names = [DatasetName(f"p/{n}").at("s" * 200) for n in range(1000)]
    properties = {f"io.zrep:src:h{n}": "v=" * 1000 for n in range(60)}
    commands = list(argv.set_batches(names, properties))
    assert all(sum(len(w) + 1 for w in c) <= argv.MAX_COMMAND for c in commands)
    done = {
        (name, pair)
        for command in commands
        for name in command[2:]
        if "@" in name
        for pair in command[2:]
        if "=" in pair
    }
    wanted = {f"{key}={value}" for key, value in properties.items()}
    assert done == set(product(map(str, names), wanted))


@pytest.mark.parametrize(("names", "properties"), [((), {"a": "b"}), ((S,), {})])
def test_nothing_to_set_is_no_command(
    names: tuple[SnapshotName, ...], properties: dict[str, str]
) -> None:
    assert list(argv.set_batches(names, properties)) == []


@pytest.mark.parametrize("count", [0, 1, 7, 1000])
def test_batches_keep_order_lose_nothing_and_stay_within_the_limit(count: int) -> None:
    names = [SnapshotName(A, f"s{n}") for n in range(count)]
    batches = list(argv.in_batches(names, limit=100))
    assert [name for batch in batches for name in batch] == names
    assert all(sum(len(str(n)) + 1 for n in batch) <= 100 for batch in batches)


def test_a_name_longer_than_the_limit_travels_alone() -> None:
    long = SnapshotName(A, "x" * 200)
    assert list(argv.in_batches((S, long, S), limit=100)) == [(S,), (long,), (S,)]
