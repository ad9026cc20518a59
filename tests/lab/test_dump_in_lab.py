"""Method dump out of a container of a real swarm service; the database in it is a stand-in.

No database runs in the lab: the container has busybox and a `pg_dumpall` that prints a file. What
is real is docker, the swarm's labels, exec, the folder and the transfer.
"""

from __future__ import annotations

import pytest

from lab.node import Node
from lab.world import World
from tests.lab.source_hosts import SourceHosts, set_up
from zrep.model.key import SourceKey
from zrep.model.source import Database, Dump, Method, Source

RUN = "20260102_030405"
LATER = "20260102_040506"
FOLDER = "/var/lib/zrep-dumps/shop"
SHOP = Source(
    key=SourceKey("manager-1", "shop"),
    method=Method.DUMP,
    path=FOLDER,
    dump=Dump(database=Database.POSTGRESQL, service="shop_db"),
)
IMAGE = r"""set -eu
root=$(mktemp -d); mkdir "$root/bin" "$root/tmp" "$root/data"
cp /bin/busybox "$root/bin/"
for tool in sh cat sleep seq; do ln -s busybox "$root/bin/$tool"; done
cat > "$root/bin/pg_dumpall" <<'TOOL'
#!/bin/sh
[ "$PGPASSWORD" = secret ] || { echo 'password authentication failed' >&2; exit 1; }
seq 1 2000
echo '-- PostgreSQL database cluster dump complete'
[ ! -e /data/fail ] || exit 3
TOOL
chmod 755 "$root/bin/pg_dumpall"
tar -C "$root" -c . | docker import - lab/shop:1
rm -r "$root"
mkdir -p /srv/shop && install -d -m 0755 /var/lib/zrep-dumps
# A manager that has just come back may still be without its swarm.
for n in $(seq 60); do ! docker node ls >/dev/null 2>&1 || break; sleep 2; done
docker service create --detach --quiet --no-resolve-image --name shop_db --network host \
    --constraint node.hostname==manager-1 --env POSTGRES_PASSWORD=secret --stop-grace-period 1s \
    --mount type=bind,src=/srv/shop,dst=/data lab/shop:1 sleep 100000
for n in $(seq 180); do
    [ -z "$(docker ps -q --filter label=com.docker.swarm.service.name=shop_db)" ] || exit 0
    sleep 1
done
exit 1
"""


@pytest.fixture(scope="module")
def hosts(world: World, tmp_path_factory: pytest.TempPathFactory) -> SourceHosts:
    made = set_up(world, [SHOP], tmp_path_factory.mktemp("rendered"))
    world.node("manager-1").run(IMAGE, timeout=600)
    return made


@pytest.fixture
def node(hosts: SourceHosts) -> Node:
    return hosts.world.node("manager-1")


def test_a_dump_is_made_read_and_kept(hosts: SourceHosts, node: Node) -> None:
    capsules = hosts.capsules("manager-1")
    assert [s.problem for s in capsules.probe(set_name="platform").sources] == [None]
    capsules.before(run=RUN, set_name="platform")
    capsules.snapshot(run=RUN, set_name="platform")
    done = hosts.pull(SHOP.key, RUN, "/tmp/shop")
    assert done.returncode == 0, done.stderr
    assert node.run("tail -n 1 /tmp/shop/shop_db.sql").stdout.startswith("-- PostgreSQL database")
    assert f"run={RUN}\n" in node.run("cat /tmp/shop/shop_db.sql.info").stdout
    capsules.release(run=RUN, set_name="platform")
    assert node.run(f"stat -c %a:%u {FOLDER}").stdout == "700:0\n"


def test_a_failed_dump_keeps_the_last_good_one(hosts: SourceHosts, node: Node) -> None:
    capsules = hosts.capsules("manager-1")
    capsules.before(run=RUN, set_name="platform")
    before = node.run(f"ls -lA --time-style=full-iso {FOLDER}").stdout
    node.run("touch /srv/shop/fail")
    failed = capsules.before(run=LATER, set_name="platform")
    assert "ended with status 3" in str(failed["shop"])
    node.run("rm /srv/shop/fail")
    assert node.run(f"ls -lA --time-style=full-iso {FOLDER}").stdout == before
    assert capsules.snapshot(run=LATER, set_name="platform") == ()


def test_a_paused_container_is_not_dumped(hosts: SourceHosts, node: Node) -> None:
    find = "docker ps -q --filter label=com.docker.swarm.service.name=shop_db"
    node.run(f"docker pause $({find})")
    failed = hosts.capsules("manager-1").before(run=LATER, set_name="platform")
    assert "0 containers of service shop_db" in str(failed["shop"])
    node.run(f"docker unpause $({find})")
