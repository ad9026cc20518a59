"""Bad input ends with the documented status, one message with the next step, and no change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.deploy import Site
from lab.world import World
from tests.lab.cli import Zrep


@pytest.fixture(scope="module")
def before(zrep: Zrep) -> str:
    zrep("sync")
    return _state(zrep)


def _state(zrep: Zrep) -> str:
    return zrep.node.run("zfs list -H -r -t all -o name,guid backup").stdout


def _with(zrep: Zrep, old: str, new: str) -> tuple[str, str]:
    """The options that use a copy of the configuration in which `old` reads `new`."""
    text = zrep.node.run("cat /etc/zrep/zrep.toml").stdout
    assert old in text
    zrep.node.push_bytes(text.replace(old, new).encode(), "/etc/zrep/other.toml")
    return ("--config", "/etc/zrep/other.toml")


def _refused(zrep: Zrep, before: str, *args: str, status: int, says: str) -> str:
    done = zrep(*args, status=status)
    assert done.stderr.count("zrep: [") == 1, done.stderr
    assert says in done.stderr
    assert "next:" in done.stderr
    assert _state(zrep) == before
    return done.stderr


def test_an_unknown_key_names_file_line_and_the_nearest_key(zrep: Zrep, before: str) -> None:
    options = _with(zrep, 'policy = "production"', 'polcy = "production"')
    said = _refused(zrep, before, *options, "sync", status=3, says="/etc/zrep/other.toml:3")
    assert "policy" in said


def test_all_errors_are_reported_at_once(zrep: Zrep, before: str) -> None:
    options = _with(zrep, 'method = "lvm"', 'metod = "lvm"')
    said = _refused(zrep, before, *options, "sync", status=3, says="metod")
    assert said.count("metod") >= 2


def test_a_missing_dataset_says_how_to_create_it(zrep: Zrep, before: str) -> None:
    options = _with(zrep, "backup/current", "backup/elsewhere")
    _refused(zrep, before, *options, "sync", status=9, says="zfs create -p")
    _refused(zrep, before, *options, "list", status=9, says="backup/elsewhere")


def test_a_missing_configuration_says_where_it_was_looked_for(zrep: Zrep, before: str) -> None:
    _refused(zrep, before, "--config", "/etc/zrep/none.toml", "list", status=3, says="none.toml")


def test_an_unreachable_host_is_named(zrep: Zrep, before: str) -> None:
    options = _with(zrep, 'cassandra-1 = "cassandra-1"', 'cassandra-1 = "cassandra-1:2222"')
    _refused(zrep, before, *options, "sync", status=7, says="cassandra-1")


def test_a_name_that_does_not_resolve_is_named(zrep: Zrep, before: str) -> None:
    options = _with(zrep, 'manager-1 = "manager-1"', 'manager-1 = "nowhere"')
    _refused(zrep, before, *options, "sync", status=7, says="nowhere")


@pytest.fixture
def wrong_host_key(zrep: Zrep) -> Iterator[None]:
    """manager-1 answers with a key that is known to be cassandra-1's."""
    zrep.node.run(
        "cp /etc/zrep/known_hosts /etc/zrep/known_hosts.good && "
        "key=$(grep ^cassandra-1 /etc/zrep/known_hosts | cut -d' ' -f2-) && "
        'sed -i "s|^manager-1 .*|manager-1 $key|" /etc/zrep/known_hosts'
    )
    yield
    zrep.node.run("mv /etc/zrep/known_hosts.good /etc/zrep/known_hosts")


@pytest.mark.usefixtures("wrong_host_key")
def test_a_wrong_host_key_stops_everything(zrep: Zrep, before: str) -> None:
    said = _refused(zrep, before, "sync", status=7, says="host.key-rejected")
    assert "SHA256:" in said


@pytest.fixture
def unmounted_mail(world: World, local_site: Site) -> Iterator[None]:
    assert local_site
    world.node("manager-1").run("umount /srv/mail")
    yield
    world.node("manager-1").run("mount /srv/mail")


@pytest.mark.usefixtures("unmounted_mail")
def test_a_source_that_is_not_mounted_is_never_pulled(zrep: Zrep, before: str) -> None:
    _refused(zrep, before, "sync", status=10, says="/srv/mail")


@pytest.mark.parametrize(
    ("verb", "text"),
    [
        ("show", "20010101_000000"),
        ("mount", "20010101_000000"),
        ("mount", "1"),
        ("show", "latest~"),
    ],
)
def test_an_id_that_does_not_exist_is_refused(
    zrep: Zrep, before: str, verb: str, text: str
) -> None:
    _refused(zrep, before, verb, text, status=2, says=text)


@pytest.mark.parametrize(
    "args", [("sync", "nothing"), ("replicate", "nowhere"), ("umount", "20010101_000000-abcd")]
)
def test_a_name_that_is_not_configured_is_refused(
    zrep: Zrep, before: str, args: tuple[str, ...]
) -> None:
    _refused(zrep, before, *args, status=2, says=args[1])


@pytest.mark.parametrize("args", [("sync", "--no-such"), ("mount", "latest", "--ttl", "soon")])
def test_a_wrong_option_is_a_usage_error(zrep: Zrep, before: str, args: tuple[str, ...]) -> None:
    zrep(*args, status=2)
    assert _state(zrep) == before


@pytest.mark.parametrize("verb", ["sync", "prune", "replicate"])
def test_a_dry_run_changes_nothing(zrep: Zrep, before: str, verb: str) -> None:
    assert zrep.json(verb, "--dry-run")
    assert _state(zrep) == before
