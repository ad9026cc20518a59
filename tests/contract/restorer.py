"""A zrep that restores one service of a RestoreSite and kills itself with -9 on the way:

    python -m tests.contract.restorer PID TMP PICKLE RUN AT

PID holds the namespace of the site in TMP, PICKLE has its configuration and its pool. It dies right
after the record was written for the AT-th time; 0 for never, and then says how often it was.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from pathlib import Path

from tests.contract.capsule_world import CapsuleWorld
from tests.contract.restore_world import RestoreSite
from zrep.engine.progress import Silent
from zrep.engine.restore_record import Keeper
from zrep.engine.restore_request import Order, plan_order
from zrep.engine.restore_run import restore


class FatalKeeper(Keeper):
    """Kills this process after a given change."""

    at = 0
    written = 0

    def change(self, **fields: object) -> None:
        super().change(**fields)
        FatalKeeper.written += 1
        if FatalKeeper.written == FatalKeeper.at:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    pid, tmp, state, run, at = sys.argv[1:]
    config, pool = pickle.loads(Path(state).read_bytes())  # noqa: S301 - the test's own
    site = RestoreSite(config, CapsuleWorld(pid=int(pid), tmp=Path(tmp)), Path(tmp))
    site.pool.pool = pool
    FatalKeeper.at = int(at)
    planned = plan_order(site, Order(run=run, backup="latest", service="first"))
    restore(site, planned, planned.order.record, Silent(), agree=lambda _: True)
    sys.stdout.write(f"{FatalKeeper.written}\n")


if __name__ == "__main__":
    import zrep.engine.restore_run

    zrep.engine.restore_run.Keeper = FatalKeeper  # type: ignore[attr-defined]
    main()
