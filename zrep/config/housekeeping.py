"""The keys about runs themselves: their folders, the grace period, and the deletion brake."""

from __future__ import annotations

import re

from zrep.config.schema import Section
from zrep.config.values import Wrong, absolute_path, parse_duration, shown, text
from zrep.model.housekeeping import Brake, Housekeeping

_PERCENT = r"(\d{1,2}|100)%"


def read_housekeeping(root: Section) -> Housekeeping:
    default = Housekeeping()
    return Housekeeping(
        state_dir=root.get_or("state_dir", absolute_path, default.state_dir),
        run_dir=root.get_or("run_dir", absolute_path, default.run_dir),
        grace=root.get_or("prune_grace", lambda v: parse_duration(text(v)), default.grace),
        brake=root.get_or("max_destroy", brake, default.brake),
    )


def brake(value: object) -> Brake:
    """500 -> that many; "30%" -> that share; [500, "30%"] -> whichever is less."""
    found = [_limit(v) for v in (value if isinstance(value, list) else [value])]
    counts = [b.count for b in found if b.count is not None]
    shares = [b.percent for b in found if b.percent is not None]
    if not found or len(counts) > 1 or len(shares) > 1:
        raise Wrong("must be one number, one share, or one of each")
    return Brake(count=counts[0] if counts else None, percent=shares[0] if shares else None)


def _limit(value: object) -> Brake:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Brake(count=value)
    if isinstance(value, str) and re.fullmatch(_PERCENT, value, re.ASCII):
        return Brake(percent=int(value[:-1]))
    raise Wrong(f'must be a number like 500 or a share like "30%", not {shown(value)}')
