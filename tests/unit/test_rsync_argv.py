"""The pull's argv is one fixed profile; every exit code has a verdict."""

from __future__ import annotations

import pytest

from tests.unit.rows import of_each
from zrep.model.source import Method
from zrep.source.rsync import RsyncPull, Verdict, check_exclude, judge, module_name, pull_argv

RUN = "20260102_030405"


SHELL = "ssh -l zrep"


def spec(
    host: str = "10.0.0.11", module: str = f"mail.{RUN}", destination: str = "/backup/x"
) -> RsyncPull:
    return RsyncPull(host=host, module=module, destination=destination, shell=SHELL)


def test_the_whole_argv() -> None:
    assert " ".join(pull_argv(spec())) == (
        "rsync -aHAX --numeric-ids --inplace --no-whole-file --delete-delay --timeout=900 "
        "--stats --info=progress2 --no-human-readable --no-motd "
        f"-e ssh -l zrep 10.0.0.11::mail.{RUN}/ /backup/x/"
    )


def test_nothing_that_can_lose_data_silently_is_ever_used() -> None:
    words = " ".join(pull_argv(spec()))
    for option in ("--ignore-errors", "--delete-after", "--force", "--append", "-W", "--fuzzy"):
        assert option not in words


def test_an_ipv6_address_is_bracketed() -> None:
    assert pull_argv(spec(host="fd00::5"))[-2] == f"[fd00::5]::mail.{RUN}/"


def test_a_module_is_named_by_source_and_run() -> None:
    assert module_name("mail", RUN) == f"mail.{RUN}"


@pytest.mark.parametrize("host", ["", "-oProxyCommand=x", "a b", "a/b", "a;b", "user@host"])
def test_a_host_that_is_not_one_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="not a host"):
        spec(host=host)


@pytest.mark.parametrize("module", ["mail", f"../x.{RUN}", f"A.{RUN}", "mail.2026", f".{RUN}"])
def test_a_module_that_is_not_one_is_refused(module: str) -> None:
    with pytest.raises(ValueError, match="not a module"):
        spec(module=module)


@pytest.mark.parametrize("path", ["", "/", "x", "host:x", "/a/../b", "/a/..", "/a\nb"])
def test_a_destination_that_is_not_an_absolute_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not an absolute path"):
        spec(destination=path)


@pytest.mark.parametrize("pattern", ["", "!", "+ secret", "- x", "a\nb", "a\0b"])
def test_an_exclude_that_is_a_rule_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        check_exclude(pattern)


@of_each(
    [
        (0, Verdict.GOOD),
        *((code, Verdict.RETRY) for code in (10, 11, 12, 30, 35, 255)),
        *((code, Verdict.FAILED) for code in (1, 2, 3, 4, 5, 6, 13, 14, 19, 21, 22, 23, 127)),
        (20, Verdict.CANCELLED),
        (-9, Verdict.CANCELLED),
        (25, Verdict.NEEDS_ACK),
    ]
)
def test_every_exit_code_has_its_verdict_for_all_methods(row: tuple[int, Verdict]) -> None:
    code, verdict = row
    found = [judge(code, "", method=method) for method in Method]
    assert {f.verdict for f in found} == {verdict}
    assert {bool(f.why) for f in found} == {code != 0}


def test_vanished_files_prove_that_a_snapshot_is_none() -> None:
    assert judge(24, "", method=Method.LVM).verdict is Verdict.FAILED
    assert judge(24, "", method=Method.DIR).verdict is Verdict.WARNING


def test_a_refusal_by_the_sentinel_is_not_retried() -> None:
    text = (
        "pre-xfer exec returned failure (256):\n"
        "zrep sentinel: the snapshot is no longer mounted on /run/zrep/mnt/mail\n"
        "rsync: connection unexpectedly closed (0 bytes received so far) [Receiver]\n"
    )
    found = judge(12, text, method=Method.LVM)
    assert (found.verdict, found.why) == (
        Verdict.FAILED,
        "the snapshot is no longer mounted on /run/zrep/mnt/mail",
    )


def test_a_connection_that_broke_before_the_greeting_is_tried_again() -> None:
    found = judge(5, "rsync: did not see server greeting", method=Method.LVM)
    assert found.verdict is Verdict.RETRY


def test_a_slot_that_is_still_taken_is_waited_for() -> None:
    found = judge(5, "@ERROR: max connections (8) reached -- try again later", method=Method.LVM)
    assert found.verdict is Verdict.RETRY
