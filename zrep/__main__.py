"""Where the `zrep` program begins.

A gate answers every command of a far host's key or of an operator, several for each replication or
mount: it starts without the command line's own machinery.
"""

from __future__ import annotations

import sys
from typing import NoReturn

ROLES = ("target", "replica", "operator")


def main() -> NoReturn:
    match sys.argv[1:]:
        case ["gate", role] if role in ROLES:
            from zrep.engine.gate import answer

            sys.exit(answer(role))
    from zrep.cli.main import main as run_command

    run_command()


if __name__ == "__main__":
    main()
