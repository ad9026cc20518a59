"""Removing from one host what crashed runs left there.

The caller holds the set's lock, so no run of that set is alive. What another set holds is its
own, unless nothing will end it any more.
"""

from __future__ import annotations

from zrep.source.capsule_json import Hold, Leftover, ProbeReport
from zrep.source.capsules import Capsules


def has_leftovers(report: ProbeReport, set_name: str) -> bool:
    return any(_is_dead(h, set_name) for h in report.holds) or any(
        _may_go(x, set_name) for x in report.leftovers
    )


def clear(capsules: Capsules, report: ProbeReport, *, set_name: str, run: str) -> None:
    """Thaw first, then release; `run` is the new run, which has nothing there yet."""
    for hold in report.holds:
        if _is_dead(hold, set_name):
            capsules.thaw(run=hold.run, set_name=hold.set_name)
    found = [x for x in report.leftovers if _may_go(x, set_name)]
    for old in sorted({x.run for x in found if x.set_name == set_name}):
        capsules.release(run=old, set_name=set_name)
    if any(not x.set_name for x in found):
        # Every release sweeps up what belongs to nobody.
        capsules.release(run=run, set_name=set_name)


def _is_dead(hold: Hold, set_name: str) -> bool:
    return hold.set_name == set_name or not hold.armed


def _may_go(leftover: Leftover, set_name: str) -> bool:
    return leftover.set_name in ("", set_name)
