"""Programs end when they should, die with zrep, and failures name their cause. Real processes."""

from __future__ import annotations

import fcntl
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.host_support import wait_until
from zrep.errors import CommandFailed, CommandTimeout
from zrep.host import child
from zrep.host.child import Child
from zrep.host.mux import Stop, Stopped
from zrep.host.pipeline import StageResult, cause_of_failure, run_pipeline
from zrep.host.process import run, stream

FOREVER = 'echo $$ > "$0.tmp"; mv "$0.tmp" "$0"; exec sleep 1000'


def sleeper(pid_file: Path) -> tuple[str, ...]:
    """argv of a program that writes its pid and sleeps until killed."""
    return ("sh", "-c", FOREVER, str(pid_file))


def pid_in(file: Path) -> int:
    wait_until(file.exists)
    return int(file.read_text("ascii"))


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


WAYS_TO_START = {
    "run": "run(argv, timeout=None)",
    "stream": "stream(argv, on_line=print)",
    "pipeline": "run_pipeline((argv, ('cat',)))",
    "a worker thread": "threading.Thread(target=run, args=(argv,)).start()",
}


@pytest.mark.parametrize("way", WAYS_TO_START)
def test_kill_9_of_zrep_leaves_no_child(way: str, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = (
        "import threading; from zrep.host.pipeline import run_pipeline;"
        "from zrep.host.process import run, stream;"
        f"argv = {sleeper(file)!r}; {WAYS_TO_START[way]}"
    )
    with subprocess.Popen((sys.executable, "-c", code)) as zrep:
        pid = pid_in(file)
        assert is_alive(pid)
        zrep.kill()
    wait_until(lambda: not is_alive(pid))


def test_a_timeout_kills_grandchildren(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    with pytest.raises(CommandTimeout, match="was killed"):
        run(("sh", "-c", '"$@" & wait', "sh", *sleeper(file)), timeout=0.2)
    grandchild = pid_in(file)
    wait_until(lambda: not is_alive(grandchild))


def test_a_timeout_holds_when_only_a_grandchild_is_left(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    with pytest.raises(CommandTimeout):
        run(("sh", "-c", '"$@" &', "sh", *sleeper(file)), timeout=0.2)
    grandchild = pid_in(file)
    wait_until(lambda: not is_alive(grandchild))


def test_a_program_that_ignores_term_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    script = 'trap "" TERM; echo $$ > "$0.tmp"; mv "$0.tmp" "$0"; while :; do sleep 1000; done'
    with Child(("sh", "-c", script, str(file))) as started:
        pid = pid_in(file)
        assert started.end(grace=0.05)
    assert not is_alive(pid)


def test_an_exception_in_the_callers_code_ends_the_program(tmp_path: Path) -> None:
    def refuse(line: str) -> None:
        raise LookupError(line)

    file = tmp_path / "pid"
    with pytest.raises(LookupError, match="up"):
        stream(("sh", "-c", 'echo up; exec "$@"', "sh", *sleeper(file)), on_line=refuse)
    assert not file.exists() or not is_alive(pid_in(file))


TOO_LONG = ("echo", "x" * (256 << 10))


def test_what_the_kernel_does_not_start_is_a_failed_stage_and_ends_the_others(
    tmp_path: Path,
) -> None:
    file = tmp_path / "pid"
    with pytest.raises(CommandFailed, match="Argument list too long") as caught:
        run_pipeline((sleeper(file), TOO_LONG))
    assert (caught.value.returncode, caught.value.where) == (126, "stage 2 of 2")
    assert not file.exists() or not is_alive(pid_in(file))


def test_without_setpriv_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_LEASH", (str(tmp_path / "setpriv"), "--"))
    with pytest.raises(CommandFailed, match=r"/setpriv cannot be started: No such") as caught:
        run(("true",))
    assert caught.value.returncode == 127


def test_what_one_call_into_the_kernel_does_needs_no_leash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "_LEASH", (str(tmp_path / "setpriv"), "--"))
    monkeypatch.setattr(child, "_UNLEASHED", {("echo", "a"), ("no-such-program", "a")})
    assert run(("echo", "a", "b")).stdout == "a b\n"
    with pytest.raises(CommandFailed, match="no-such-program cannot be started: No such") as caught:
        run(("no-such-program", "a"))
    assert caught.value.returncode == 127


@pytest.fixture
def lowest_free() -> Iterator[int]:
    """A descriptor above which none is open, and below which none is free."""
    top = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    opened = [os.open("/dev/null", os.O_RDONLY)]
    while opened[-1] <= top:
        opened.append(os.open("/dev/null", os.O_RDONLY))
    os.close(opened[-1])
    yield opened.pop()
    for descriptor in opened:
        os.close(descriptor)


def test_without_descriptors_nothing_is_left_running(tmp_path: Path, lowest_free: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    file = tmp_path / "pid"
    for room in range(12):
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + room, hard))
        try:
            with pytest.raises((CommandFailed, CommandTimeout)) as caught:
                run(sleeper(file), timeout=0.2)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert not file.exists() or not is_alive(pid_in(file))
        if isinstance(caught.value, CommandTimeout):
            return
        assert "Too many open files" in str(caught.value)
    pytest.fail("twelve descriptors are not enough")


def test_another_thread_can_stop_a_run(tmp_path: Path) -> None:
    stop, file = Stop(), tmp_path / "pid"
    ended: list[type[BaseException]] = []

    def work() -> None:
        try:
            run_pipeline((sleeper(file), ("cat",)), stop=stop)
        except Stopped as error:
            ended.append(type(error))

    worker = threading.Thread(target=work)
    worker.start()
    pid = pid_in(file)
    stop.request()
    worker.join(5)
    assert ended == [Stopped]
    assert not is_alive(pid)


def test_a_stopped_stop_ends_later_runs_too() -> None:
    stop = Stop()
    stop.request()
    for _ in range(2):
        with pytest.raises(Stopped):
            stream(("sleep", "60"), on_line=print, stop=stop)


def test_ctrl_c_ends_every_stage(tmp_path: Path) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    files = [tmp_path / "first", tmp_path / "last"]
    script = 'echo $$ > "$0"; exec "$@"'
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(
            (
                ("sh", "-c", script, str(files[0]), "yes"),
                ("sh", "-c", script, str(files[1]), "cat"),
            ),
            on_bytes=interrupt,
        )
    assert not any(is_alive(pid_in(file)) for file in files if file.exists())


def test_a_program_has_no_terminal_and_a_group_of_its_own() -> None:
    fields = run(("cat", "/proc/self/stat")).stdout.rpartition(")")[2].split()
    group, session, terminal = (int(fields[i]) for i in (2, 3, 4))
    assert group == session != os.getpgrp()
    assert terminal == 0


def test_extra_variables_are_added_and_nothing_is_inherited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/somewhere/else")
    names = {
        line.partition("=")[0] for line in run(("env",), env={"ZREP_RUN": "x"}).stdout.splitlines()
    }
    assert names == {"PATH", "LC_ALL", "HOME", "ZREP_RUN"}
    assert "/somewhere/else" not in run(("env",)).stdout


def test_no_descriptor_leaks_into_a_program() -> None:
    with Path("/dev/null").open() as file:
        os.set_inheritable(file.fileno(), True)
        assert run(("ls", "/proc/self/fd")).stdout.split() == ["0", "1", "2", "3"]


def open_descriptors() -> list[Path]:
    return list(Path("/proc/self/fd").iterdir())


def test_our_descriptors_are_closed_afterwards() -> None:
    run(("true",))
    before = len(open_descriptors())
    run(("cat",), stdin="x")
    run_pipeline((("echo", "x"), ("cat",), ("cat",)))
    with pytest.raises(CommandTimeout):
        run(("sleep", "60"), timeout=0.01)
    assert len(open_descriptors()) == before


def test_commands_are_logged_ready_to_paste(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="zrep"):
        run(("printf", "%s", "it's $HOME"))
    assert "printf %s 'it'\"'\"'s $HOME'" in caplog.messages


# --- stream


def test_lines_end_in_newline_or_carriage_return() -> None:
    lines: list[str] = []
    script = r"printf ' 10%%\r 20%%\r\nname\303'; printf '\244\n\nno end'; echo warn >&2"
    done = stream(("sh", "-c", script), on_line=lines.append)
    assert lines == [" 10%", " 20%", "name\u00e4", "no end"]
    assert (done.stdout, done.stderr) == ("", "warn\n")


def test_stdin_of_a_stream_stays_open_and_silent() -> None:
    with pytest.raises(CommandTimeout, match=r"cat was silent for 0\.1 s and was killed"):
        stream(("cat",), on_line=print, timeout_idle=0.1)


def test_any_output_counts_against_idleness() -> None:
    script = "for i in 1 2 3; do sleep 0.15; echo $i >&2; done"
    began = time.monotonic()
    assert stream(("sh", "-c", script), on_line=print, timeout_idle=0.4).stderr == "1\n2\n3\n"
    assert time.monotonic() - began > 0.4


def test_a_stream_fails_like_a_run() -> None:
    with pytest.raises(CommandFailed, match="failed with status 23: some files"):
        stream(("sh", "-c", "echo some files >&2; exit 23"), on_line=print)
    assert stream(("sh", "-c", "exit 24"), on_line=print, ok=(0, 24)).returncode == 24


def is_locked(path: Path) -> bool:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_lock_is_held_as_long_as_the_program_lives(tmp_path: Path) -> None:
    path, stop = tmp_path / "lock", Stop()
    held: list[bool] = []
    mine = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    fcntl.flock(mine, fcntl.LOCK_EX)

    def let_go(_: str) -> None:
        os.close(mine)
        held.append(is_locked(path))
        stop.request()

    with pytest.raises(Stopped):
        stream(("sh", "-c", "echo up; read x"), on_line=let_go, lock_fds=(mine,), stop=stop)
    assert held == [True]
    assert not is_locked(path)


# --- pipelines


@pytest.mark.parametrize("size", [0, 1, 65536, 3_000_001])
def test_the_pump_counts_every_byte_once(size: int) -> None:
    counts: list[int] = []
    stages = (("head", "-c", str(size), "/dev/zero"), ("cat",), ("wc", "-c"))
    result = run_pipeline(stages, on_bytes=counts.append)
    assert sum(counts) == result.moved == size
    assert result.stdout == f"{size}\n"
    assert [stage.returncode for stage in result.stages] == [0, 0, 0]


def test_a_pipeline_of_one_is_allowed() -> None:
    result = run_pipeline((("echo", "alone"),))
    assert (result.stdout, result.moved) == ("alone\n", 0)


def sh(script: str) -> tuple[str, ...]:
    return ("sh", "-c", script)


CAUSES: dict[str, tuple[tuple[tuple[str, ...], ...], int, int]] = {
    "the first fails": ((sh("echo x; exit 4"), ("cat",), ("wc",)), 1, 4),
    "the last fails, the first gets SIGPIPE": ((("yes",), sh("exit 3")), 2, 3),
    "the last of three fails": ((("yes",), ("cat",), sh("exit 3")), 3, 3),
    "SIGPIPE through a shell": ((sh("yes; exit $?"), sh("exit 3")), 2, 3),
    "a victim that reports an error of its own": ((sh("yes 2>&-; exit 1"), sh("exit 3")), 2, 3),
    "nobody fails, somebody stops reading": ((("yes",), ("head", "-n1")), 1, -signal.SIGPIPE),
    "a program is missing": ((("echo", "x"), ("no-such-program",)), 2, 127),
    "the reader dies while the first is silent": ((("sleep", "60"), sh("exit 3")), 2, 3),
    "both fail": ((sh("exit 4"), sh("cat; exit 5")), 1, 4),
}


@pytest.mark.parametrize("case", CAUSES)
def test_a_failure_names_the_stage_that_is_the_cause(case: str) -> None:
    stages, blamed, status = CAUSES[case]
    with pytest.raises(CommandFailed) as caught:
        run_pipeline(stages)
    assert caught.value.where == f"stage {blamed} of {len(stages)}"
    assert (caught.value.argv, caught.value.returncode) == (stages[blamed - 1], status)


def ended(returncode: int, stderr: str = "", *, lost_reader: bool = False) -> StageResult:
    return StageResult(argv=("any",), returncode=returncode, stderr=stderr, lost_reader=lost_reader)


SEND_COMPLAINS = ended(1, "cannot send 'a@b': Broken pipe\n")
SSH_DROPPED = ended(255, "client_loop: send disconnect: Broken pipe\n")


@pytest.mark.parametrize(
    ("stages", "cause"),
    [
        ((ended(0), ended(0)), None),
        ((SEND_COMPLAINS, ended(255, "Connection closed\n")), 1),
        ((SEND_COMPLAINS, SSH_DROPPED), 1),
        ((ended(1, "I/O error\n"), SSH_DROPPED), 0),
        ((ended(2, lost_reader=True), ended(0)), 0),
        ((ended(-13), ended(141), ended(0)), 1),
        ((ended(-13), ended(-13), ended(3)), 2),
        ((ended(0), ended(4), ended(5)), 1),
        ((SEND_COMPLAINS,), 0),
    ],
)
def test_victims_pass_the_blame_on(stages: tuple[StageResult, ...], cause: int | None) -> None:
    assert cause_of_failure(stages) == cause


@pytest.mark.parametrize(
    "stages",
    [
        pytest.param((sh("echo x; sleep 60"), ("cat",)), id="the first is silent"),
        pytest.param((("yes",), ("sleep", "60")), id="the second does not read"),
        pytest.param((sh("exec >&-; sleep 60"), ("cat",)), id="the first does not end"),
        pytest.param((("echo", "x"), sh("cat; exec <&-; sleep 60")), id="the second does not end"),
        pytest.param((("yes",), sh("exec <&-; sleep 60")), id="the second stopped reading"),
    ],
)
def test_a_pipeline_without_progress_is_ended(stages: tuple[tuple[str, ...], ...]) -> None:
    with pytest.raises(CommandTimeout, match=r"made no progress for 0\.3 s"):
        run_pipeline(stages, timeout_idle=0.3)


def test_what_moves_is_progress() -> None:
    drip = sh("for i in 1 2 3; do sleep 0.15; echo $i; done")
    result = run_pipeline((drip, ("wc", "-l")), timeout_idle=0.4)
    assert result.stdout == "3\n"


def test_chatter_on_stderr_blocks_no_stage() -> None:
    noisy = sh("head -c 1000000 /dev/zero >&2; cat; echo end >&2")
    result = run_pipeline((("echo", "through"), noisy, noisy))
    assert result.stdout == "through\n"
    assert all(stage.stderr.endswith("end\n") for stage in result.stages[1:])
