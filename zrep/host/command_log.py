"""Each command that zrep runs, logged ready to paste."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence


def log_command(name: str, argv: Sequence[str]) -> None:
    """At DEBUG, by the logger `name`.

    Where nobody has loaded `logging`, nobody has asked for it either; it takes long to load.
    """
    logging = sys.modules.get("logging")
    if logging is not None:
        logging.getLogger(name).debug("%s", shlex.join(argv))
