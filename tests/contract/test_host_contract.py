"""What every Host promises, checked on this host and over a real sshd."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.contract.host_support import SSHD, Sshd, running_sshd
from zrep.errors import CommandFailed, CommandTimeout
from zrep.host.child import STDERR_TAIL
from zrep.host.environment import FIXED_ENVIRONMENT
from zrep.host.local import LocalHost
from zrep.host.pipeline import run_pipeline
from zrep.host.port import Host
from zrep.zfs.argv import MAX_COMMAND

MEGABYTES_4 = 4 << 20


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if SSHD is None:
        pytest.skip("sshd is not installed (Debian: openssh-server)")
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture(scope="module", params=["local", "ssh"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """One host for all promises: each must hold whatever happened before."""
    if request.param == "local":
        yield LocalHost(name="far")
    else:
        with request.getfixturevalue("sshd").host() as host:
            yield host


HARD_WORDS = (
    "",
    " ",
    "a b",
    "it's",
    'say "x"',
    "$HOME",
    "`id`",
    "$(id)",
    "*",
    "~",
    "#",
    "a\nb",
    "\\",
    "-n",
    "--",
    "!x",
    "a;b|c&d>e",
    "\u00e4\u20ac",
    "not-utf8-\udcff",
)


def test_words_arrive_exactly_as_given(host: Host) -> None:
    done = host.run(("printf", "<%s>\\n", *HARD_WORDS))
    assert done.stdout == "".join(f"<{word}>\n" for word in HARD_WORDS)
    assert done.argv == ("printf", "<%s>\\n", *HARD_WORDS)


def test_a_nul_in_a_word_is_refused_before_anything_runs(host: Host) -> None:
    with pytest.raises(ValueError):
        host.run(("echo", "a\0b"))


def test_stdin_text_arrives_and_ends(host: Host) -> None:
    assert host.run(("cat",), stdin="one\ntw\u00f6\udcff").stdout == "one\ntw\u00f6\udcff"


@pytest.mark.parametrize("stdin", [None, ""])
def test_stdin_is_empty_unless_text_is_given(host: Host, stdin: str | None) -> None:
    assert host.run(("cat",), stdin=stdin, timeout=5).stdout == ""


def test_a_declared_status_is_returned(host: Host) -> None:
    done = host.run(("sh", "-c", "echo half; echo why >&2; exit 3"), ok=(0, 3))
    assert (done.returncode, done.stdout, done.stderr) == (3, "half\n", "why\n")


def test_a_command_that_is_too_long_is_an_error_with_the_evidence(host: Host) -> None:
    with pytest.raises(CommandFailed, match="Argument list too long") as caught:
        host.run(("echo", "x" * (256 << 10)))
    assert (caught.value.argv[0], caught.value.returncode, caught.value.where) == (
        "echo",
        126,
        "far",
    )


def test_the_longest_command_of_zfs_passes(host: Host) -> None:
    words = ("x" * 250,) * (MAX_COMMAND // 251)
    assert len(host.run(("echo", *words)).stdout) > MAX_COMMAND - 512


def test_any_other_status_is_an_error_with_the_evidence(host: Host) -> None:
    with pytest.raises(CommandFailed) as caught:
        host.run(("sh", "-c", "echo out; echo first >&2; echo last >&2; exit 3"), ok=(0, 2))
    error = caught.value
    assert (error.returncode, error.stderr, error.where) == (3, "first\nlast\n", "far")
    assert str(error) == "far: sh failed with status 3: last"


def test_a_missing_program_is_status_127(host: Host) -> None:
    with pytest.raises(CommandFailed, match="no-such-program") as caught:
        host.run(("no-such-program", "x"))
    assert caught.value.returncode == 127


def test_death_by_a_signal_is_a_negative_status(host: Host) -> None:
    with pytest.raises(CommandFailed) as caught:
        host.run(("sh", "-c", "kill -9 $$"))
    assert caught.value.returncode < 0


def test_large_output_on_both_streams_does_not_block(host: Host) -> None:
    script = (
        f"head -c {MEGABYTES_4} /dev/zero >&2 & head -c {MEGABYTES_4} /dev/zero; wait; echo end >&2"
    )
    done = host.run(("sh", "-c", script), timeout=30)
    assert len(done.stdout) == MEGABYTES_4
    assert len(done.stderr) == STDERR_TAIL
    assert done.stderr.endswith("\0end\n")


def test_large_input_and_output_do_not_block(host: Host) -> None:
    text = "0123456789abcde\n" * (MEGABYTES_4 // 16)
    assert host.run(("cat",), stdin=text, timeout=30).stdout == text


def test_a_program_need_not_read_its_input(host: Host) -> None:
    assert host.run(("echo", "done"), stdin="x" * MEGABYTES_4).stdout == "done\n"


def test_a_command_that_takes_too_long_is_an_error(host: Host) -> None:
    began = time.monotonic()
    with pytest.raises(CommandTimeout, match=r"far: sleep did not end within 0\.2 s"):
        host.run(("sleep", "5"), timeout=0.2)
    assert time.monotonic() - began < 2


def test_a_time_limit_holds_for_programs_that_close_their_output(host: Host) -> None:
    with pytest.raises(CommandTimeout):
        host.run(("sh", "-c", "exec sleep 5 >&- 2>&-"), timeout=0.2)


def test_the_host_is_usable_after_a_timeout(host: Host) -> None:
    with pytest.raises(CommandTimeout):
        host.run(("sleep", "5"), timeout=0.05)
    assert host.run(("echo", "alive")).stdout == "alive\n"


def test_the_environment_is_ours(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZREP_TEST_SECRET", "leaked")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    lines = host.run(("env",)).stdout.splitlines()
    assert {f"{name}={value}" for name, value in FIXED_ENVIRONMENT.items()} <= set(lines)
    assert not [line for line in lines if "ZREP_TEST_SECRET" in line]


def test_the_host_is_usable_again_after_close(host: Host) -> None:
    host.run(("true",))
    host.close()
    assert host.run(("echo", "again")).stdout == "again\n"


def test_several_threads_may_share_a_host(host: Host) -> None:
    def echo(number: int) -> str:
        return host.run(("sh", "-c", 'cat; echo "$0"', str(number)), stdin="in ").stdout

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(echo, range(12))) == [f"in {number}\n" for number in range(12)]


def test_bulk_is_byte_clean(host: Host, tmp_path: Path) -> None:
    every_byte = bytes(range(256)) * 4096
    copy = tmp_path / "copy"
    (tmp_path / "original").write_bytes(every_byte)
    result = run_pipeline(
        (
            ("cat", str(tmp_path / "original")),
            host.bulk_argv(("cat",)),
            ("dd", f"of={copy}", "status=none"),
        )
    )
    assert copy.read_bytes() == every_byte
    assert result.moved == len(every_byte)


def test_bulk_quotes_words_and_returns_the_status(host: Host) -> None:
    argv = host.bulk_argv(("sh", "-c", 'printf "<%s>" "$@"; exit 7', "sh", *HARD_WORDS))
    done = subprocess.run(argv, check=False, capture_output=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 7
    assert done.stdout.decode("utf-8", "surrogateescape") == "".join(f"<{w}>" for w in HARD_WORDS)
