"""The example check of a drill, with a small program in docker's place."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

HOOK = Path(__file__).parents[2] / "hooks/check-container"
# A container is a file; it answers at the third question unless `dead` is there.
_DOCKER = """#!/bin/sh
W={folder}
echo "$*" >>$W/calls
case "$1 $2" in
    'rm --force') rm -f $W/up ;;
    'run --detach') touch $W/up; echo 0123 ;;
    'exec '*)
        [ -e $W/up ] || exit 1
        case $5 in
            proof) echo 42; exit "$(cat $W/proof 2>/dev/null || echo 0)" ;;
            question)
                echo x >>$W/asked
                [ "$(wc -l <$W/asked)" -ge 3 ] && [ ! -e $W/mute ] ;;
        esac
        ;;
    'inspect --format') [ -e $W/dead ] && echo false || echo true ;;
    'logs --tail') echo 'corrupt page' ;;
    *) exit 98 ;;
esac
"""


@pytest.fixture
def hook(tmp_path: Path) -> Path:
    """The hook, finding our docker, and not waiting between its questions."""
    for name, text in {"docker": _DOCKER.format(folder=tmp_path), "sleep": "#!/bin/sh\n"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    copy = tmp_path / "check"
    copy.write_text(HOOK.read_text().replace("PATH=", f"PATH={tmp_path}:", 1))
    copy.chmod(0o755)
    return copy


def start(hook: Path) -> subprocess.Popen[str]:
    words = {"DRILL": "20220101_120000", "SERVICE": "wordpress", "PATH": "/clone/db"}
    env = {f"ZREP_{k}": v for k, v in words.items()}
    env |= {"IMAGE": "db:1", "AT": "/data", "QUESTION": "question", "PROOF": "proof"}
    return subprocess.Popen(
        (str(hook),),
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def calls(hook: Path) -> list[str]:
    return (hook.parent / "calls").read_text().splitlines()


def test_it_asks_until_it_is_answered_and_leaves_nothing(hook: Path) -> None:
    process = start(hook)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "42\n", "")
    (run,) = [line for line in calls(hook) if line.startswith("run ")]
    assert "--network none" in run
    assert "--pull never" in run
    assert "--volume /clone/db:/data db:1" in run
    assert not (hook.parent / "up").exists()


def test_a_container_that_does_not_stay_up_fails_with_its_last_words(hook: Path) -> None:
    (hook.parent / "dead").touch()
    process = start(hook)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "db:1 does not stay up on this data" in err
    assert not (hook.parent / "up").exists()


def test_a_proof_that_fails_fails_the_check(hook: Path) -> None:
    (hook.parent / "proof").write_text("1")
    process = start(hook)
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert not (hook.parent / "up").exists()


def test_ended_by_zrep_it_takes_its_container_away(hook: Path) -> None:
    (hook.parent / "mute").touch()
    process = start(hook)
    while not (hook.parent / "asked").exists():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert calls(hook)[-1].startswith("rm --force")
    assert not (hook.parent / "up").exists()
