"""A deploy in the middle of a backup: the real installer puts other capsules in the place of those
that run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.capsule_world import HOOKS, RUN, CapsuleWorld, can_unshare
from tests.contract.docker_world import DockerWorld, docker_world
from tests.contract.platform_world import PlatformSite, Zrep, back_up, commands, platform_site
from zrep.capsule.install import load_hooks
from zrep.capsule.render import CAPSULES, LIBEXEC, READ_ONLY_TEXTS
from zrep.errors import Exit
from zrep.model.backup import State

pytestmark = pytest.mark.skipif(not can_unshare(), reason="mount namespaces are not allowed here")

REQUEST = f"run={RUN} set=platform"
# More than a shell reads of a script at once: the end of it is read after docker has answered.
MARGIN = 64 << 10


def padded(text: str, line: str) -> str:
    """The same script, with that line many times before its last one."""
    head, _, last = text.rstrip("\n").rpartition("\n")
    return f"{head}\n{line * (MARGIN // len(line))}{last}\n"


def prepare_host(world: CapsuleWorld) -> None:
    """What the installer would change outside the namespace is hidden; the operator is there."""
    assert world.run("mount", "-t", "tmpfs", "none", "/var/lib").returncode == 0
    with (world.tmp / "etc/passwd").open("a") as passwd:
        passwd.write("zrep:x:990:990::/var/lib/zrep-operator:/bin/sh\n")


def bundle(folder: Path, texts: dict[str, str]) -> str:
    """A directory as `zrep capsule render` makes one; the command that installs it."""
    below = folder / "new/root" / LIBEXEC.lstrip("/")
    below.mkdir(parents=True)
    lines = ["user zrep"]
    for name, text in texts.items():
        (below / name).write_text(text)
        lines.append(f"file {'0644' if name in READ_ONLY_TEXTS else '0755'} {LIBEXEC}/{name}")
    (folder / "new/manifest").write_text("\n".join((*lines, "")))
    return f"sh {HOOKS}/install-source {folder}/new"


def other_texts() -> dict[str, str]:
    hooks = load_hooks()
    return {name: hooks[name] + "# another version\n" for name in CAPSULES}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DockerWorld]:
    with docker_world(tmp_path) as made:
        prepare_host(made)
        made.set_container("web.1", "running")
        yield made
        assert made.violations() == ""


def test_a_capsule_that_runs_ends_with_the_text_it_began_with(world: DockerWorld) -> None:
    """It waits for docker meanwhile; if it read on in the new file, it would end with 97."""
    text = load_hooks()["capsule-quiesce"]
    running = padded(text, f"# {'-' * 77}\n")
    world.run("sh", "-c", f"cat >{LIBEXEC}/capsule-quiesce", stdin=running)
    others = {**other_texts(), "capsule-quiesce": padded(text, f"exit 97 # {'-' * 69}\n")}
    install = bundle(world.tmp, others)
    world.set_fault("while-pausing", f"{install} >&2 || echo failed >>$W/violations\n")
    done = world.capsule("quiesce", REQUEST)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == '{"event":"done","verb":"quiesce"}'
    assert world.paused() == {"web.1"}
    world.clear_fault("while-pausing")
    assert world.run("grep", "-c", "exit 97", f"{LIBEXEC}/capsule-quiesce").returncode == 0
    assert world.run("tail", "-n", "1", f"{LIBEXEC}/capsule-thaw").stdout == "# another version\n"
    assert world.capsule("thaw", REQUEST).returncode == 0
    assert world.paused() == set()


def test_a_run_under_way_ends_whole_and_the_next_one_compares_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with platform_site(tmp_path) as site:
        install = bundle(tmp_path, other_texts())
        for made in site.worlds.values():
            prepare_host(made)

        def deploy(_: object) -> None:
            site.pipe.before = lambda _: None
            for made in site.worlds.values():
                done = made.run("sh", "-c", install)
                assert "installed /usr/libexec/zrep/check-sentinel" in done.stdout, done.stderr

        site.pipe.before = deploy
        report = back_up(site)
        assert report.published.manifest.state is State.COMPLETE
        assert report.warnings == ()
        assert site.prepared() == []
        assert site.paused() == set()
        assert outdated(site, commands(site, monkeypatch))


def outdated(site: PlatformSite, zrep: Zrep) -> bool:
    return zrep("sync") == Exit.CONFIG and site.prepared() == []
