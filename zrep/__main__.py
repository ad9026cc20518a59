"""Where the `zrep` program begins.

A gate answers every command of a far host's key or of an operator, several for each replication or
mount: it starts without the command line's own machinery.
"""

from __future__ import annotations

import gc
import sys
from typing import NoReturn

# Young objects between two searches for garbage in cycles. Most commands are short: what they
# allocate is modules and classes, and Python's own 700 spends a sixth of their time on looking
# through these again and again.
PATIENCE = 50_000
ROLES = ("target", "replica", "operator")


def main() -> NoReturn:
    gc.set_threshold(PATIENCE)
    try:
        _run()
    finally:
        gc.freeze()  # nothing is searched once more on the way out


def _run() -> NoReturn:
    match sys.argv[1:]:
        case ["gate", role] if role in ROLES:
            from zrep.engine.gate import answer

            sys.exit(answer(role))
    from zrep.cli.main import main as run_command

    run_command()


if __name__ == "__main__":
    main()
