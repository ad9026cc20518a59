"""The scripts of a dataset section and what each is told, in sanoid's words.

One thing of sanoid's is kept although it looks wrong: after a snapshot SANOID_SNAPNAME has the
dataset in front. ZREP_SNAPSHOT is the full name always.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zrep.frozen import dataclass
from zrep.model.names import SnapClass
from zrep.model.sanoid import number
from zrep.planner.effective import Effective

Environment = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Command lines for a shell, empty for none; `timeout` in seconds, None without a limit.

    `needs_pre`: no snapshot after a pre-snapshot script that failed. `always_post`: the
    post-snapshot script runs then, too.
    """

    pre_snapshot: str = ""
    post_snapshot: str = ""
    pre_pruning: str = ""
    pruning: str = ""
    timeout: float | None = 5.0
    needs_pre: bool = False
    always_post: bool = False


def hooks_of(effective: Effective) -> Hooks:
    values = effective.values
    seconds = number(values.get("script_timeout", ""))
    return Hooks(
        pre_snapshot=values.get("pre_snapshot_script", ""),
        post_snapshot=values.get("post_snapshot_script", ""),
        pre_pruning=values.get("pre_pruning_script", ""),
        pruning=values.get("pruning_script", ""),
        timeout=seconds if seconds > 0 else None,
        needs_pre=effective.is_on("no_inconsistent_snapshot"),
        always_post=effective.is_on("force_post_snapshot_script"),
    )


def before_snapshot(dataset: str, snaps: Mapping[SnapClass, str]) -> Environment:
    names = list(snaps.values())
    return _taking("pre", dataset, snaps) | {
        "SANOID_SNAPNAME": names[0],
        "ZREP_SNAPSHOT": f"{dataset}@{names[0]}",
    }


def after_snapshot(dataset: str, snaps: Mapping[SnapClass, str], *, failed: bool) -> Environment:
    """`failed`: the script before the snapshot did."""
    full = f"{dataset}@{next(iter(snaps.values()))}"
    return _taking("post", dataset, snaps) | {
        "SANOID_SNAPNAME": full,
        "SANOID_PRE_FAILURE": str(int(failed)),
        "ZREP_SNAPSHOT": full,
    }


def _taking(script: str, dataset: str, snaps: Mapping[SnapClass, str]) -> dict[str, str]:
    return {
        "SANOID_SCRIPT": script,
        "SANOID_TARGET": dataset,
        "SANOID_TARGETS": dataset,
        "SANOID_SNAPNAMES": ",".join(snaps.values()),
        "SANOID_TYPES": ",".join(snaps),
    }


def before_pruning(dataset: str, snap: str) -> Environment:
    return _pruning(dataset, snap)


def after_pruning(dataset: str, snap: str) -> Environment:
    return _pruning(dataset, snap) | {"SANOID_SCRIPT": "prune"}


def _pruning(dataset: str, snap: str) -> dict[str, str]:
    return {
        "SANOID_TARGET": dataset,
        "SANOID_SNAPNAME": snap,
        "ZREP_SNAPSHOT": f"{dataset}@{snap}",
    }


def shell(command: str) -> Sequence[str]:
    return ("sh", "-c", command)
