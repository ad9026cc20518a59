"""Every key that zrep.toml and policy files know, on one page; docs/configuration.md explains them.

`*` stands for a name that the administrator chooses.
"""

from __future__ import annotations

from collections.abc import Mapping

from zrep.model.policy import SCHEDULE_RANGES, SCHEDULED

COUNTS = tuple(c.value for c in reversed(SCHEDULED))
SCHEDULE = tuple(SCHEDULE_RANGES)
AGES = tuple(f"{count}_{level}" for count in COUNTS for level in ("warn", "crit"))
CAPACITY = ("capacity_warn", "capacity_crit")
MONITOR = ("monitor", "monitor_dont_warn", "monitor_dont_crit")
SCRIPTS = ("pre_snapshot_script", "post_snapshot_script", "pre_pruning_script", "pruning_script")
SCOPE = ("recursive", "process_children_only", "skip_children")

POLICY = (
    *COUNTS,
    "manual",
    *SCHEDULE,
    "timezone",
    "autosnap",
    "autoprune",
    "prune_defer",
    *MONITOR,
    *AGES,
    *CAPACITY,
)

# What sanoid knows, and so what a [dataset."..."] or [template...] section may say.
SANOID = (
    "path",
    "use_template",
    *SCOPE,
    "autosnap",
    "autoprune",
    *COUNTS,
    *SCHEDULE,
    "prune_defer",
    *SCRIPTS,
    "script_timeout",
    "no_inconsistent_snapshot",
    "force_post_snapshot_script",
    *MONITOR,
    *AGES,
    *CAPACITY,
)

ZREP: Mapping[str, tuple[str, ...]] = {
    "": (
        "state_dir",
        "run_dir",
        "prune_grace",
        "max_destroy",
        "target",
        "ssh",
        "deployment",
        "set",
        "service",
        "replica",
        "drill",
        "monitoring",
        "template",
        "dataset",
    ),
    "target": ("dataset", "host", "policy", "compression"),
    "ssh": ("user", "control_key", "read_key", "restore_key", "known_hosts"),
    "deployment.*": ("hosts", "default", "allow_restore_from", "scrub", "scrub_timeout"),
    "set.*": (
        "schedule",
        "quiesce",
        "on_partial",
        "parallel",
        "bwlimit",
        "ignore_mounts",
        "ping",
        "max_age",
        "source",
    ),
    "set.*.quiesce": ("docker", "max_pause", "hosts"),
    "set.*.source.*": (
        "host",
        "hosts",
        "method",
        "volume",
        "path",
        "size",
        "mounted",
        "exclude",
        "allow_delete",
        "allow_shrink",
        "data_max",
        "metadata_max",
        "heals_max",
        "database",
        "service",
        "min_size",
        "max_shrink",
        "max_time",
        "prepare",
    ),
    "service.*": ("source", "paths", "swarm", "check", "check_timeout"),
    "replica.*": ("host", "dataset", "policy", "send_back", "ping", "max_age"),
    "drill": ("key", "sample", "count_all", "max_age"),
    "monitoring": ("metrics_dir", "ping_timeout"),
    "template.*": SANOID,
    "dataset.*": SANOID,
}
