"""Runs a command that must not outlive its purpose: `leash.py [--owner PID] --life S -- ARGV`.

The command ends with this process (however that dies), after S seconds at the latest, and, with an
owner, as soon as the owner is gone. Its stdin stays open and silent.
"""

import argparse
import os
import select
import signal
import subprocess
import sys
import time


def owner_gone(watch: select.poll, *, seconds: float) -> bool:
    return bool(watch.poll(seconds * 1000))


def hold(child: "subprocess.Popen[bytes]", watch: select.poll, *, life: float) -> int:
    """Wait for the end of the child, of its owner or of its time."""
    deadline = time.monotonic() + life
    while child.poll() is None:
        if time.monotonic() > deadline or owner_gone(watch, seconds=0.5):
            child.kill()
    return child.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--owner", type=int)
    parser.add_argument("--life", type=float, required=True)
    parser.add_argument("argv", nargs="+")
    options = parser.parse_args()
    watch = select.poll()
    if options.owner:
        try:
            watch.register(os.pidfd_open(options.owner), select.POLLIN)
        except ProcessLookupError:
            return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    child = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "--", *options.argv], stdin=subprocess.PIPE
    )
    try:
        return hold(child, watch, life=options.life)
    finally:
        child.kill()
        child.wait()


if __name__ == "__main__":
    sys.exit(main())
