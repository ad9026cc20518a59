"""What a run tells others, and that nothing it meets there changes a backup or an exit status."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.contract.capsule_world import CapsuleWorld, can_unshare, capsule_world
from tests.contract.platform_world import NAMES, commands, platform_site, published
from tests.contract.sync_world import HOST, PipeSite, Told, web_and_mail, with_set
from zrep.capsule.render import render_source_conf
from zrep.engine.lock import exclusive
from zrep.engine.sync import SyncReport, sync
from zrep.errors import Busy, Exit, PoolFull, Refused, Terminated
from zrep.model.backup import State
from zrep.model.monitoring import Monitoring, Watch
from zrep.model.names import BackupId
from zrep.model.source import OnPartial, Quiesce

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

WEB, MAIL = f"{HOST}/web", f"{HOST}/mail"
PATIENCE = 0.5


@dataclass
class Endpoint:
    """Hears pings and answers as it is told to; `watch` is asked at each of them."""

    url: str = ""
    status: int = 200
    heard: list[tuple[str, str, str]] = field(default_factory=list)
    watch: Callable[[], object] = lambda: None
    seen: list[object] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        return [path for path, _, _ in self.heard]


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            url = urlsplit(self.path)
            said = self.rfile.read(int(self.headers["Content-Length"])).decode()
            made.seen.append(made.watch())
            made.heard.append((url.path, parse_qs(url.query)["rid"][0], said))
            self.send_response(made.status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        made.url = f"http://127.0.0.1:{server.server_port}/p"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield made
        server.shutdown()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[CapsuleWorld]:
    with capsule_world(tmp_path) as made:
        yield made


@pytest.fixture
def site(world: CapsuleWorld, tmp_path: Path) -> PipeSite:
    return web_and_mail(world, tmp_path)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs within one second would have one id; every moment has a second of its own here."""
    ids: dict[datetime, BackupId] = {}

    def at(moment: datetime) -> BackupId:
        return ids.setdefault(moment, BackupId(f"20260102_0304{len(ids):02d}"))

    monkeypatch.setattr(BackupId, "at", staticmethod(at))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def telling(site: PipeSite, url: str = "", **monitoring: Any) -> None:
    with_set(site, watch=Watch(ping=url))
    site.config = replace(site.config, monitoring=Monitoring(**monitoring))


def run(site: PipeSite, told: Told | None = None) -> SyncReport:
    return sync(site, None, told or Told())


def record(site: PipeSite) -> Any:
    return json.loads((site.state_dir / "status/sync-platform.json").read_text())


def warnings(told: Told) -> list[str]:
    ours = ("monitoring may", "the status of", "the metrics of", "what the run before")
    words = (line.removeprefix("warning: ") for line in told.lines)
    return [line for line in words if line.startswith(ours)]


def thin_out(world: CapsuleWorld) -> None:
    for file in sorted((world.source / "web").iterdir())[:200]:
        file.unlink()


# ---- what is told -----------------------------------------------------------------------------


def test_a_good_run_is_told_of_after_its_backup_is_there(site: PipeSite, tmp_path: Path) -> None:
    with endpoint() as listener:
        listener.watch = lambda: (
            len(published(site)),
            (site.state_dir / "status/sync-platform.json").exists(),
        )
        telling(site, listener.url, metrics_dir=str(tmp_path))
        report = run(site)
    id_ = str(report.published.label.id)
    assert listener.paths == ["/p/start", "/p"]
    assert listener.seen == [(0, False), (2, True)]
    assert len({rid for _, rid, _ in listener.heard}) == 1
    assert listener.heard[1][2].startswith(f"sync platform {id_}: good, exit 0, ")
    found = record(site)
    assert (found["run"], found["result"], found["exit"], found["error"]) == (id_, "good", 0, None)
    assert found["last_good"]["run"] == id_
    assert (found["backup"], found["consistency"], found["warnings"]) == (
        *("complete", "none", len(report.warnings)),
    )
    assert {k: (s["ok"], s["files"]) for k, s in found["sources"].items()} == {
        str(r.key): (True, r.files) for r in report.published.manifest.sources
    }
    metrics = (tmp_path / "zrep_sync_platform.prom").read_text()
    assert 'zrep_last_run_status{verb="sync",name="platform"} 0\n' in metrics
    assert f'source="{WEB}"}} {found["last_good"]["ended"]}\n' in metrics
    assert not list(tmp_path.rglob("*.new"))


def test_anybody_may_read_what_is_told_whatever_the_umask(site: PipeSite, tmp_path: Path) -> None:
    telling(site, metrics_dir=str(tmp_path))
    before = os.umask(0o077)
    try:
        run(site)
    finally:
        os.umask(before)
    files = (site.state_dir / "status/sync-platform.json", tmp_path / "zrep_sync_platform.prom")
    assert [stat.S_IMODE(f.stat().st_mode) for f in files] == [0o644, 0o644]
    assert stat.S_IMODE(files[0].parent.stat().st_mode) == 0o755


def test_a_partial_run_is_told_of_with_its_status_and_keeps_the_last_good_one(
    site: PipeSite, world: CapsuleWorld
) -> None:
    with endpoint() as listener:
        telling(site, listener.url)
        first = run(site)
        thin_out(world)
        report = run(site)
    assert report.published.manifest.state is State.PARTIAL
    assert listener.paths[2:] == ["/p/start", f"/p/{Exit.PARTIAL}"]
    found = record(site)
    assert (found["result"], found["exit"], found["backup"]) == ("partial", 4, "partial")
    assert (found["error"]["id"], WEB in found["error"]["text"]) == ("partial", True)
    assert found["last_good"]["run"] == str(first.published.label.id)
    web, mail = found["sources"][WEB], found["sources"][MAIL]
    assert (web["ok"], web["files"], web["last_good"]) == (False, None, found["last_good"]["ended"])
    assert (mail["ok"], mail["last_good"]) == (True, found["ended"])


def test_a_failed_run_is_told_of_with_its_status_and_keeps_the_last_good_one(
    site: PipeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise PoolFull("out of space", where="target")

    with endpoint() as listener:
        telling(site, listener.url)
        first = run(site)
        monkeypatch.setattr(site.pool, "snapshot", full)
        with pytest.raises(PoolFull):
            run(site)
    assert listener.paths[2:] == ["/p/start", f"/p/{Exit.ZFS}"]
    assert len({rid for _, rid, _ in listener.heard}) == 2
    found = record(site)
    assert (found["result"], found["exit"], found["backup"]) == ("failed", 9, "none")
    assert found["error"] == {"id": "zfs.full", "text": "target: out of space"}
    assert found["last_good"]["run"] == str(first.published.label.id)
    assert found["sources"][MAIL]["last_good"] == found["last_good"]["ended"]


def test_a_run_that_fails_after_publishing_does_not_deny_its_backup(
    site: PipeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PoolFull("out of space", where="target")

    monkeypatch.setattr("zrep.engine.sync.settle", fail)
    with pytest.raises(PoolFull):
        run(site)
    found = record(site)
    assert (found["result"], found["backup"], found["last_good"]) == ("failed", "complete", None)
    assert found["sources"][WEB]["last_good"] == found["ended"]


def test_a_refused_partial_backup_is_a_failure(site: PipeSite, world: CapsuleWorld) -> None:
    run(site)
    thin_out(world)
    with_set(site, on_partial=OnPartial.REFUSE)
    with pytest.raises(Refused):
        run(site)
    assert (record(site)["exit"], record(site)["backup"]) == (Exit.REFUSED, "none")


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt(), 130), (Terminated(15), 143)])
def test_a_signal_is_a_failure_with_its_number(
    site: PipeSite, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int
) -> None:
    def end(*_: object) -> None:
        raise error

    monkeypatch.setattr(site.pool, "snapshot", end)
    with endpoint() as listener:
        telling(site, listener.url)
        with pytest.raises(type(error)):
            run(site)
    assert listener.paths == ["/p/start", f"/p/{status}"]
    assert (record(site)["exit"], record(site)["error"]["id"]) == (status, "signal")


def test_a_run_that_is_refused_because_another_is_alive_tells_nothing(site: PipeSite) -> None:
    with endpoint() as listener:
        telling(site, listener.url)
        with exclusive(site.run_dir, "set-platform"), pytest.raises(Busy):
            run(site)
    assert listener.heard == []
    assert not (site.state_dir / "status").exists()


def test_hosts_that_may_still_be_paused_are_named_until_a_run_has_seen_them_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with platform_site(tmp_path) as site:
        with_set(site, quiesce=Quiesce(docker=True, max_pause=1))
        for name, world in site.worlds.items():
            conf = render_source_conf(site.config, name)
            (world.tmp / "etc/zrep/source.conf").write_text(conf)
        zrep = commands(site, monkeypatch)
        for name, world in site.worlds.items():
            world.set_fault("after-pausing", f": >$W/stubborn-web.{name}\n")
        assert zrep("sync") == Exit.SOURCE
        found = record(site)
        assert (found["exit"], found["backup"]) == (Exit.SOURCE, "complete")
        assert found["error"]["id"] == "source.still-paused"
        assert (found["still_paused"], sorted(found["pauses"])) == (sorted(NAMES), sorted(NAMES))
        assert found["last_good"] is None
        for world in site.worlds.values():
            world.set_fault("down")
        assert zrep("sync") != Exit.DONE
        assert record(site)["still_paused"] == sorted(NAMES)
        for name, world in site.worlds.items():
            world.clear_fault("down")
            world.clear_fault("after-pausing")
            world.clear_fault(f"stubborn-web.{name}")
        assert zrep("sync") == Exit.DONE
        assert record(site)["still_paused"] == []


# ---- what nobody hears ------------------------------------------------------------------------


def backed_up(site: PipeSite) -> Told:
    """A run that publishes a complete backup, and what it said."""
    told = Told()
    assert run(site, told).trouble is None
    assert len(published(site)) == 2
    return told


@pytest.mark.parametrize("status", [500, 404, 302])
def test_an_endpoint_that_refuses_costs_one_warning(site: PipeSite, status: int) -> None:
    with endpoint() as listener:
        listener.status = status
        telling(site, listener.url)
        told = backed_up(site)
    assert listener.paths == ["/p/start", "/p"]
    assert len(warnings(told)) == 1
    assert str(status) in warnings(told)[0]
    assert "/p" not in warnings(told)[0].removeprefix("monitoring")


def test_a_closed_port_costs_one_warning(site: PipeSite) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    telling(site, f"http://127.0.0.1:{port}/p")
    assert len(warnings(backed_up(site))) == 1
    assert record(site)["exit"] == 0


@pytest.mark.parametrize("drip", [b"", b"HTTP/1.1 200 OK\r\nX: "], ids=["silent", "dripping"])
def test_an_endpoint_that_hangs_is_waited_for_no_longer_than_agreed(
    site: PipeSite, drip: bytes
) -> None:
    """The dripping one says a letter again and again, so that no single read runs out of time."""
    with socket.create_server(("127.0.0.1", 0)) as server, hanging(server, drip):
        url = f"http://127.0.0.1:{server.getsockname()[1]}/p"
        telling(site)
        begun = time.monotonic()
        run(site)
        usual = time.monotonic() - begun
        telling(site, url, ping_timeout=PATIENCE)
        told, begun = Told(), time.monotonic()
        assert run(site, told).trouble is None
        assert time.monotonic() - begun < usual + 2 * PATIENCE + 2
    assert [w for w in warnings(told) if f"within {PATIENCE} s" in w or "timed out" in w]
    assert len(warnings(told)) == 1
    assert len(published(site)) == 4


@contextmanager
def hanging(server: socket.socket, drip: bytes) -> Iterator[None]:
    over = threading.Event()

    def hold(client: socket.socket) -> None:
        with client:
            said = drip
            while not over.wait(0.05):
                try:
                    client.sendall(said)
                except OSError:
                    return
                said = b"x" if drip else b""

    def accept() -> None:
        while not over.is_set():
            try:
                client, _ = server.accept()
            except TimeoutError:
                continue
            threading.Thread(target=hold, args=(client,), daemon=True).start()

    server.settimeout(0.05)
    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join()


def test_garbage_for_an_answer_costs_one_warning(site: PipeSite) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, hanging(server, b"\0\xff\r\n" * 99):
        telling(site, f"http://127.0.0.1:{server.getsockname()[1]}/p")
        assert len(warnings(backed_up(site))) == 1


@pytest.mark.parametrize("there", ["nothing", "a file", "a folder of that name"])
def test_metrics_that_cannot_be_written_cost_one_warning(
    site: PipeSite, tmp_path: Path, there: str
) -> None:
    folder = tmp_path / "metrics"
    if there == "a file":
        folder.write_text("")
    elif there != "nothing":
        (folder / "zrep_sync_platform.prom/kept").mkdir(parents=True)
    telling(site, metrics_dir=str(folder))
    told = backed_up(site)
    assert len(warnings(told)) == 1
    assert warnings(told)[0].startswith("the metrics of this run are not written: ")
    assert record(site)["exit"] == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_metrics_in_a_folder_without_a_right_to_write_cost_one_warning(
    site: PipeSite, tmp_path: Path
) -> None:
    (tmp_path / "metrics").mkdir(0o555)
    telling(site, metrics_dir=str(tmp_path / "metrics"))
    assert len(warnings(backed_up(site))) == 1


def test_a_link_in_the_way_of_metrics_is_not_followed(site: PipeSite, tmp_path: Path) -> None:
    """The folder is another user's: what lies in it must not make zrep overwrite what it cannot."""
    precious, folder = tmp_path / "precious", tmp_path / "metrics"
    precious.write_text("mine")
    folder.mkdir()
    for name in ("zrep_sync_platform.prom", "zrep_sync_platform.prom.new"):
        (folder / name).symlink_to(precious)
    telling(site, metrics_dir=str(folder))
    assert warnings(backed_up(site)) == []
    assert precious.read_text() == "mine"
    assert "zrep_last_run_status" in (folder / "zrep_sync_platform.prom").read_text()


def test_a_status_that_cannot_be_written_costs_one_warning(site: PipeSite) -> None:
    site.state_dir.mkdir()
    (site.state_dir / "status").write_text("a file")
    with endpoint() as listener:
        telling(site, listener.url)
        told = backed_up(site)
    assert [w.partition(":")[0] for w in warnings(told)] == [
        "the status of this run is not written"
    ]
    assert listener.paths == ["/p/start", "/p"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 2}', "\0\xff", "[" * 100_000])
def test_an_old_record_that_says_nothing_is_told_of_and_replaced(site: PipeSite, text: str) -> None:
    (site.state_dir / "status").mkdir(parents=True)
    (site.state_dir / "status/sync-platform.json").write_text(text, encoding="latin-1")
    told = backed_up(site)
    assert [w.partition(":")[0] for w in warnings(told)] == ["what the run before told is lost"]
    assert record(site)["exit"] == 0
