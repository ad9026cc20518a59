"""Judges what a backup caught of a writer (guest/writer): text in, verdict out.

A writer works in its folder like this, for seq = 1, 2, 3 ..., every two seconds:

1. overwrite `intent` with seq, 2. append the record of seq to `ledger.log`,
3. overwrite `done` with seq.

So at every instant, and hence in every copy made at *one* instant,

* `intent` >= last seq of the ledger >= `done`, and `intent` - `done` <= 1;
* the ledger is the records 1 .. last without a gap, each whole:
  `<seq> <seconds>.<6 digits> <service> <checksum>`; restarts and pauses of the writer leave no gap
  either, only a larger step in time.

A copy made while the writer went on (files read one after the other) breaks the first with a
probability that grows with the time between the reads: torn. A record cut off breaks the second.
The times of two ledgers of the same backup tell how far apart their instants are.
"""

from dataclasses import dataclass
from itertools import pairwise

MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line of a ledger."""

    seq: int
    time: float
    service: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is wrong (nothing: consistent), and how far the ledger goes."""

    faults: tuple[str, ...]
    last_seq: int
    last_time: float
    largest_step: float

    @property
    def torn(self) -> bool:
        return bool(self.faults)


def checksum(seq: int, time: str, service: str) -> int:
    """The writer's: (1, "1700000000.250000", "mail") -> an unsigned 32-bit number."""
    seconds, _, micros = time.partition(".")
    name_sum = 0
    for byte in service.encode():
        name_sum = (name_sum * 31 + byte) & MASK
    total = seq
    for number in (int(seconds), int(micros), name_sum):
        total = (total * 31 + number) & MASK
    return total


def parse_record(line: str) -> Record | None:
    """A whole record, or None."""
    words = line.split(" ")
    try:
        seq, time, service, given = int(words[0]), words[1], words[2], words[3]
        right = len(words) == 4 and checksum(seq, time, service) == int(given, 16)
        return Record(seq=seq, time=float(time), service=service) if right else None
    except (ValueError, IndexError):
        return None


def judge(*, ledger: str, intent: str, done: str) -> Verdict:
    """The verdict on the three files of one writer as a backup holds them."""
    lines = ledger.split("\n")
    faults = [] if lines[-1] == "" else ["the last record is cut off"]
    records = []
    for number, line in enumerate(lines[:-1], start=1):
        record = parse_record(line)
        if record is None:
            faults.append(f"line {number} is no record: {line!r}")
        elif record.seq != number:
            faults.append(f"line {number} has seq {record.seq}")
        if record:
            records.append(record)
    last = records[-1] if records else Record(seq=0, time=0.0, service="")
    faults += _order_faults(intent=intent, last=last.seq, done=done)
    steps = [after.time - before.time for before, after in pairwise(records)]
    return Verdict(
        faults=tuple(faults),
        last_seq=last.seq,
        last_time=last.time,
        largest_step=max(steps, default=0.0),
    )


def _order_faults(*, intent: str, last: int, done: str) -> list[str]:
    try:
        first, third = int(intent), int(done)
    except ValueError:
        return [f"intent {intent!r} or done {done!r} is no number"]
    if first >= last >= third and first - third <= 1:
        return []
    return [f"intent {first}, ledger {last}, done {third} are not of one instant"]
