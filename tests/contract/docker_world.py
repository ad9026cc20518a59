"""A CapsuleWorld with a container engine and a systemd of its own: small programs that keep their
state in files, count every call, and can be told to fail or to kill the capsule at any of them.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.contract.capsule_world import CapsuleWorld, capsule_world

QUIESCE = "quiesce platform docker 30 45"

# Every program begins so: counts the call, notes it, and kills the capsule when it is its turn.
_PRELUDE = """#!/bin/sh
W={folder}
turn=$(($(cat $W/turn) + 1))
echo $turn > $W/turn
echo "${{0##*/}} $*" >> $W/calls
fate() {{
    if [ -e $W/kill-$1 ] && [ "$(cat $W/kill-$1)" = $turn ]; then
        kill -9 -$(cat $W/victim)
        rm $W/kill-$1
        [ $1 = after ] || exit 1
    fi
}}
fate before
"""

# State of a container: a file named by its id with the line "STATE NAME LABEL".
_DOCKER = """
[ "$1 $2" = '-H unix:///var/run/docker.sock' ] || exit 99
shift 2
verb=$1
shift
status=0
told=''
show() {
    wanted=''
    while [ $# -gt 0 ]; do
        [ "$1" != --filter ] || wanted="$wanted ${2#status=}"
        shift
    done
    for file in $W/containers/*; do
        [ -e "$file" ] || continue
        read -r state name label < $file
        case " ${wanted:- running paused restarting} " in
            *" $state "*) printf '%s %s %s\\n' "${file##*/}" "$name" "$label" ;;
        esac
    done
}
# become ID FROM TO
become() {
    if [ ! -e $W/containers/$1 ]; then
        echo "Error response from daemon: No such container: $1" >&2
        status=1
        return
    fi
    read -r state name label < $W/containers/$1
    if [ "$verb $state" = 'pause paused' ]; then
        echo "Error response from daemon: Container $1 is already paused" >&2
        status=1
    elif [ "$state" != $2 ] || [ -e $W/stubborn-$name ]; then
        echo "Error response from daemon: cannot $verb container $1: it is $state" >&2
        status=1
    elif [ -e $W/once-$name ]; then
        rm $W/once-$name
        echo "Error response from daemon: cannot $verb container $1: try again" >&2
        status=1
    else
        echo "$3 $name $label" > $W/containers/$1
        if [ -e $W/lost-$name ]; then
            echo 'error during connect: EOF' >&2
            status=1
        else
            echo $1
        fi
    fi
}
[ ! -e $W/down ] || { echo 'Cannot connect to the Docker daemon' >&2; exit 1; }
case $verb in
    ps) show "$@" ;;
    pause)
        [ -n "$(ls $W/timers)" ] || echo "paused without a timer" >> $W/violations
        [ ! -e $W/slow ] || sleep "$(cat $W/slow)"
        [ ! -e $W/while-pausing ] || . $W/while-pausing
        for id; do become $id running paused; done
        [ ! -e $W/after-pausing ] || . $W/after-pausing
        ;;
    unpause) for id; do become $id paused running; done ;;
    *) exit 98 ;;
esac
fate after
exit $status
"""

_SYSTEMD_RUN = """
[ ! -e $W/no-systemd-run ] || { echo 'Failed to start transient timer unit' >&2; exit 1; }
accuracy=no
while [ $# -gt 1 ]; do
    case $1 in
        --unit=*) unit=${1#--unit=} ;;
        --on-active=*s) seconds=${1#--on-active=} ;;
        --timer-property=AccuracySec=100ms) accuracy=yes ;;
    esac
    shift
done
[ $accuracy = yes ] || exit 97
[ ! -e $W/timers/$unit.timer ] || { echo "Unit $unit.timer already exists" >&2; exit 1; }
[ -e $W/no-timer ] || echo "$1 ${seconds%s}" > $W/timers/$unit.timer
fate after
"""

_SYSTEMCTL = """
case $1 in
    is-active) [ -e "$W/timers/$3" ] || exit 3 ;;
    stop) rm -f $W/timers/$2 ;;
    *) exit 98 ;;
esac
fate after
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerWorld(CapsuleWorld):
    """`set_container("web", "running")` makes one; ids are made from names."""

    @property
    def fake(self) -> Path:
        return self.tmp / "fake"

    def set_container(self, name: str, state: str, label: str = "") -> str:
        (self.fake / "containers" / container_id(name)).write_text(f"{state} {name} {label}\n")
        return container_id(name)

    def remove_container(self, name: str) -> None:
        (self.fake / "containers" / container_id(name)).unlink()

    def states(self) -> Mapping[str, str]:
        files = (self.fake / "containers").iterdir()
        words = (file.read_text().split() for file in files)
        return {name: state for state, name, *_ in words}

    def paused(self) -> set[str]:
        return {name for name, state in self.states().items() if state == "paused"}

    def set_fault(self, name: str, text: str = "") -> None:
        """A file that the programs look for; `while-pausing` and `after-pausing` are run."""
        (self.fake / name).write_text(text)

    def clear_fault(self, name: str) -> None:
        (self.fake / name).unlink()

    def calls(self) -> list[str]:
        path = self.fake / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def timers(self) -> list[str]:
        return sorted(file.name for file in (self.fake / "timers").iterdir())

    def violations(self) -> str:
        path = self.fake / "violations"
        return path.read_text() if path.exists() else ""

    def fire_timers(self) -> list[int]:
        """What systemd does when the time has come; the statuses of the programs."""
        statuses = []
        for file in sorted((self.fake / "timers").iterdir()):
            program = file.read_text().split()[0]
            file.unlink()
            statuses.append(self.run(program).returncode)
        return statuses

    def capsule_until_killed(
        self, verb: str, request: str, *, at: int, when: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a capsule that is killed with -9, `when` = before or after its call number `at`."""
        (self.fake / "turn").write_text("0")
        self.set_fault(f"kill-{when}", str(at))
        with subprocess.Popen(
            self.argv(
                (
                    "sh",
                    "-c",
                    'echo $$ > "$0"; exec "$1"',
                    str(self.fake / "victim"),
                    f"/usr/libexec/zrep/capsule-{verb}",
                )
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as victim:
            out, err = victim.communicate(f"{request}\n", timeout=60)
        (self.fake / f"kill-{when}").unlink(missing_ok=True)
        return subprocess.CompletedProcess(victim.args, victim.returncode, out, err)


def container_id(name: str) -> str:
    return name.encode().hex().ljust(64, "0")[:64]


@contextmanager
def docker_world(tmp: Path) -> Iterator[DockerWorld]:
    fake = tmp / "fake"
    for folder in ("containers", "timers", "bin"):
        (fake / folder).mkdir(parents=True)
    (fake / "turn").write_text("0")
    programs = {"docker": _DOCKER, "systemd-run": _SYSTEMD_RUN, "systemctl": _SYSTEMCTL}
    for name, text in programs.items():
        (fake / "bin" / name).write_text(_PRELUDE.format(folder=fake) + text)
        (fake / "bin" / name).chmod(0o755)
    with capsule_world(tmp) as plain:
        world = DockerWorld(pid=plain.pid, tmp=plain.tmp)
        world.run("mount", "--bind", str(fake / "bin"), "/usr/sbin")
        world.run("mkdir", "-p", "/run/systemd/system")
        world.configure(QUIESCE, "source platform data dir - SRC mounted=yes")
        yield world
