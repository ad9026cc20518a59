"""The gate's judgement of a recovery sheet that the director writes beside the data. Pure.

The one way in which a file is written from what stdin brings: into the folder of a set's sheet,
under one of a few names, and through no link.
"""

from __future__ import annotations

from zrep.capsule.gate_policy import Allowed, Facts, GatePolicy
from zrep.capsule.gate_words import refuse
from zrep.model.key import is_word
from zrep.model.recovery import is_paper, paper_argv, recovery_dataset


def judge_sheet(policy: GatePolicy, facts: Facts, argv: tuple[str, ...]) -> Allowed:
    """Read where to, build the argv anew, and compare every word."""
    path = argv[1].removeprefix("of=") if len(argv) > 1 else ""
    folder, _, name = path.rpartition("/")
    set_name = folder.rpartition("/")[2]
    if not is_word(set_name) or not is_paper(name):
        refuse(f"not a recovery sheet's file: {path!r}")
    dataset = recovery_dataset(policy.dataset, set_name)
    place = facts.mountpoint(dataset) or refuse(f"{dataset} is not mounted")
    if argv != paper_argv(place, name):
        refuse(f"not how {dataset} is written to")
    return Allowed(argv=argv)
