"""The lab's judge finds what a backup must not contain: one that finds nothing proves nothing."""

from __future__ import annotations

import pytest

from lab.ledger import checksum, judge


def line(seq: int, *, service: str = "mail") -> str:
    time = f"{1_700_000_000 + seq}.250000"
    return f"{seq} {time} {service} {checksum(seq, time, service):08x}\n"


LEDGER = "".join(line(n) for n in (1, 2, 3))


@pytest.mark.parametrize(("intent", "done"), [("3", "3"), ("3", "2"), ("4", "3")])
def test_a_copy_of_one_instant_is_consistent(intent: str, done: str) -> None:
    verdict = judge(ledger=LEDGER, intent=intent, done=done)
    assert not verdict.torn
    assert verdict.last_seq == 3
    assert verdict.last_time == 1_700_000_003.25


@pytest.mark.parametrize(
    ("ledger", "intent", "done"),
    [
        (LEDGER, "2", "2"),
        (LEDGER, "5", "3"),
        (LEDGER, "4", "4"),
        (line(1) + line(3), "3", "3"),
        (LEDGER[:-4], "3", "3"),
        (LEDGER.replace("mail", "male", 1), "3", "3"),
        (LEDGER + line(4)[:10], "4", "3"),
        ("", "9", "9"),
    ],
)
def test_a_torn_copy_is_found(ledger: str, intent: str, done: str) -> None:
    assert judge(ledger=ledger, intent=intent, done=done).torn
