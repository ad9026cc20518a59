"""The script of a restore needs no zrep: it is played with a mount and an ssh that stay here."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.unit.test_restore_command import script

_FAKES = {
    "mount": 'for last; do :; done\nmkdir -p "$last"\ncp -a "$ORIGIN/." "$last"\n',
    "umount": 'rm -r "$1"\n',
    "ssh": (
        'while [ "$1" != rsync ] && [ "$1" != docker ] && [ "$1" != systemctl ]; do\n'
        '    case $1 in *"docker service inspect"*) echo 2; exit ;; esac\n    shift\ndone\n'
        'echo "$*" >>"$CALLS"\n[ "$1" != rsync ] || exec "$@"\n'
    ),
}


def play(path: Path, tmp: Path) -> list[str]:
    """Run the script with a mount and an ssh that stay here; the commands the hosts were told."""
    for name, text in _FAKES.items():
        (tmp / "bin").mkdir(exist_ok=True)
        (tmp / "bin" / name).write_text(f"#!/bin/sh\n{text}")
        (tmp / "bin" / name).chmod(0o755)
    text = path.read_text().replace("/run/zrep-restore", str(tmp / "mounted"))
    path.write_text(text.replace("@m:/srv", f"@m:{tmp}/srv").replace("@c:/srv", f"@c:{tmp}/srv"))
    environ = {
        "PATH": f"{tmp}/bin:/usr/bin:/bin",
        "ORIGIN": str(tmp / "origin"),
        "CALLS": str(tmp / "calls"),
        "MANAGER": "manager",
    }
    done = subprocess.run(
        ("sh", str(path)), capture_output=True, text=True, check=False, env=environ, timeout=60
    )
    assert done.returncode == 0, done.stderr
    calls = (tmp / "calls").read_text().splitlines()
    return [c for c in calls if not c.startswith("rsync")]


def test_the_script_restores_without_zrep(tmp_path: Path) -> None:
    (tmp_path / "origin/a").mkdir(parents=True)
    (tmp_path / "origin/etc/a").mkdir(parents=True)
    (tmp_path / "origin/a/one").write_text("1")
    (tmp_path / "srv/web/a").mkdir(parents=True)
    (tmp_path / "srv/web/a/since").write_text("s")
    (tmp_path / "srv/web/other").write_text("o")
    calls = play(script("a service", tmp_path), tmp_path)
    files = sorted(str(p.relative_to(tmp_path / "srv")) for p in tmp_path.glob("srv/**/*"))
    assert files == ["web", "web/a", "web/a/one", "web/etc", "web/etc/a", "web/other"]
    assert calls == [
        "docker service scale first_web=0",
        "docker service ps --quiet first_web",
        "docker service scale first_web=2",
    ]
