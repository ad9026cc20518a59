"""Which of the paths that containers use would be missing after a restore. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from zrep.model.coverage import Uncovered
from zrep.model.mounts import HostMounts, Mount
from zrep.model.source import Config, Method, Source

# Interfaces of the running system, not data; and the root, which agents look at.
SYSTEM = ("/proc", "/sys", "/dev", "/run", "/var/run", "/tmp")  # noqa: S108 - names, not files
CLOCK = ("/", "/etc/localtime", "/etc/timezone")
SWARM = "the state of the swarm: services, secrets, configs"


def find_uncovered(config: Config, reports: Mapping[str, HostMounts]) -> tuple[Uncovered, ...]:
    """Sorted; of hosts that told nothing there is nothing."""
    sources = [s for backup_set in config.sets.values() for s in backup_set.sources]
    ignored = [p for backup_set in config.sets.values() for p in backup_set.ignore_mounts]
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for host, report in reports.items():
        here = [s for s in sources if s.key.host == host or s.method is Method.GLUSTER]
        for path, user in _used(report, here):
            if not _covered(path, here) and not any(_within(path, p) for p in ignored):
                found[host, path].add(user)
    return tuple(
        sorted(
            Uncovered(host=host, path=path, users=tuple(sorted(users)))
            for (host, path), users in found.items()
        )
    )


def _used(report: HostMounts, sources: list[Source]) -> Iterator[tuple[str, str]]:
    """Path and user of everything that holds data and is not dumped instead."""
    dumped = {s.dump.service for s in sources if s.dump}
    for mount in report.mounts:
        if _holds_data(mount) and not any(_belongs(mount.container, s) for s in dumped):
            yield mount.path, mount.container
    if report.swarm:
        yield f"{report.root}/swarm", SWARM


def _holds_data(mount: Mount) -> bool:
    if mount.kind not in ("bind", "volume") or not mount.path or mount.path in CLOCK:
        return False
    return not any(_within(mount.path, p) for p in SYSTEM)


def _belongs(container: str, service: str) -> bool:
    """`wordpress_db.1.abc` is a task of `wordpress_db`."""
    return container == service or container.startswith(f"{service}.")


def _covered(path: str, sources: list[Source]) -> bool:
    """A gluster volume is mounted at the same place on every host that has it."""
    return any(_within(path, s.path) and not _excluded(path, s) for s in sources if not s.dump)


def _excluded(path: str, source: Source) -> bool:
    """Only a plain path at the source's root is understood; what a pattern hides is not."""
    roots = [e for e in source.exclude if e.startswith("/") and not set(e) & set("*?[")]
    return any(_within(path, f"{source.path.rstrip('/')}{e}".rstrip("/")) for e in roots)


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")
