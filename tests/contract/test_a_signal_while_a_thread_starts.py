"""A signal that arrives while a thread is being started does not keep zrep from ending."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Raises where a handler of a signal may: in Thread.start, which has waited until its thread runs.
INTERRUPTED = """
import sys, threading
from zrep.model.key import SourceKey
from zrep.source.releases import Releases
from zrep.source.together import begin, together

class Signal(BaseException):
    pass

def trace(frame, event, _):
    waits = frame.f_code is threading.Event.wait.__code__
    if not waits or frame.f_back.f_code.co_name != "start":
        return None
    if event == "return":
        sys.settrace(None)
        raise Signal
    return trace

def act():
    sys.stdout.write("acted\\n")

sys.settrace(trace)
try:
    {line}
except Signal as error:
    kept = error  # and with it all that was under way, as when zrep tells of it
    sys.stdout.write("interrupted\\n")
"""


@pytest.mark.parametrize(
    "line",
    [
        "Releases([SourceKey('h', 'a')], lambda _: act()).finish()",
        "begin({'h': act})",
        "together({'h': act})",
    ],
)
def test_it_ends_when_the_thread_has_done_its_work(line: str) -> None:
    done = subprocess.run(
        (sys.executable, "-c", INTERRUPTED.replace("{line}", line)),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        cwd=ROOT,
    )
    assert sorted(done.stdout.split()) == ["acted", "interrupted"], done.stderr
    assert done.returncode == 0
