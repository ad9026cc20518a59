"""The plan of a restore as a shell script of plain zfs, ssh and rsync commands: for the day without
zrep. Pure.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import replace

from zrep.engine.restore_scrub import describe, environment
from zrep.model.backup import Backup, Child
from zrep.model.key import SourceKey
from zrep.model.restore import Item, Kind, Mode, RestorePlan
from zrep.model.source import Config, Replica

TOP = "/run/zrep-restore"
_HEAD = """\
#!/bin/sh
# Restore of backup {backup} without zrep. Read it before you run it.
# Run as root on the machine with the pool; root must be able to log in to the hosts by ssh.
# Nothing is asked and nothing is kept here: take a snapshot of what is there first.
set -eu
on() { host=$1; shift; ssh -o BatchMode=yes -p "$PORT" "root@$host" "$@"; }
PORT=22
"""


def render_script(
    plan: RestorePlan, backup: Backup, config: Config, replica: Replica | None = None
) -> str:
    """Stops, copies, compares and starts in the plan's order; ends at the first that fails.

    `backup` is as it is found on the `replica`, if one is given: it is received from there first.
    """
    received = list(_receive(plan, backup, config, replica)) if replica else []
    backup = _received(backup, config, replica) if replica else backup
    services = [name for s in plan.services for name in config.services[s].swarm]
    return "\n".join(
        (
            _HEAD.replace("{backup}", str(plan.backup)),
            *received,
            *(line for key in plan.keys for line in _mount(key, backup)),
            *_stop(plan, config, services),
            *(line for item in plan.items for line in _copy(item, config, backup)),
            *_scrub(plan, config),
            *_start(plan, config, services),
            *(f"umount {_place(key)}" for key in plan.keys),
            "",
        )
    )


def _place(key: SourceKey) -> str:
    return f"{TOP}/{key}"


def _received(backup: Backup, config: Config, replica: Replica) -> Backup:
    """The backup as it will be in this pool."""
    root = config.target.restored / str(backup.id)

    def here(child: Child) -> Child:
        name = child.snapshot.name
        ours = name.dataset.rebase(replica.dataset, root).at(name.snap)
        return replace(child, snapshot=replace(child.snapshot, name=ours))

    return replace(backup, children=tuple(map(here, backup.children)))


def _receive(plan: RestorePlan, backup: Backup, config: Config, replica: Replica) -> Iterator[str]:
    theirs = {c.key: c.snapshot.name for c in backup.children}
    ours = {c.key: c.snapshot.name for c in _received(backup, config, replica).children}
    there = f"on {shlex.quote(replica.address.host)} " if replica.address else ""
    if replica.address:
        yield f"PORT={replica.address.port}"
    for name, parent in {ours[key]: ours[key].dataset.parent for key in plan.keys}.items():
        sent = next(theirs[key] for key in plan.keys if ours[key] == name)
        yield f"zfs create -u -p -o canmount=off -o readonly=on {parent}"
        yield (
            f"zfs list {name} >/dev/null 2>&1 || "
            f"{there}zfs send -L -e -c {sent} | zfs receive -u {name.dataset}"
        )


def _scrub(plan: RestorePlan, config: Config) -> Iterator[str]:
    told = shlex.quote(json.dumps(describe(plan, config)))
    words = [f"{key}={shlex.quote(value)}" for key, value in environment(plan).items()]
    for step in plan.of(Kind.SCRUB):
        yield f"printf '%s' {told} | env {' '.join(words)} {shlex.quote(step.subject)}"


def _mount(key: SourceKey, backup: Backup) -> Iterator[str]:
    child = backup.child(key)
    assert child is not None  # noqa: S101 - the plan was checked
    yield f"mkdir -p {_place(key)}"
    yield f"mount -t zfs -o ro,nosuid,nodev,noexec {child.snapshot.name} {_place(key)}"


def _on(config: Config, host: str, *words: str) -> Iterator[str]:
    address = config.hosts[host]
    yield f"PORT={address.port}"
    yield f"on {shlex.quote(address.host)} {shlex.join(words)}"


def _stop(plan: RestorePlan, config: Config, services: list[str]) -> Iterator[str]:
    if plan.full:
        for host in plan.hosts:
            yield from _on(config, host, "systemctl", "stop", "docker.socket", "docker.service")
    for name in services:
        count = f"docker service inspect --format '{{{{.Spec.Mode.Replicated.Replicas}}}}' {name}"
        yield ': "${MANAGER:?set it to the address of a manager of the swarm}"'
        yield f'{_variable(name)}=$(on "$MANAGER" {shlex.quote(count)})'
        yield f'on "$MANAGER" docker service scale {name}=0'
        gone = f'[ -z "$(on "$MANAGER" docker service ps --quiet {name})" ]'
        yield f"until {gone}; do sleep 1; done"


def _start(plan: RestorePlan, config: Config, services: list[str]) -> Iterator[str]:
    for name in services:
        yield f'on "$MANAGER" docker service scale "{name}=${_variable(name)}"'
    if plan.full:
        for host in plan.hosts:
            yield from _on(config, host, "systemctl", "start", "docker.socket", "docker.service")


def _variable(service: str) -> str:
    return "COUNT_" + "".join(c if c.isalnum() else "_" for c in service)


def _copy(item: Item, config: Config, backup: Backup) -> Iterator[str]:
    address = config.hosts[item.key.host]
    path = next(s.path for x in config.sets.values() for s in x.sources if s.key == item.key)
    child = backup.child(item.key)
    folder = child.folder if child else ""
    origin = "/".join(filter(None, (_place(item.key), folder, item.inside)))
    to = "/".join(filter(None, (path.rstrip("/"), item.to)))
    words = ("rsync", "-aHAX", "--numeric-ids", "--secluded-args", *_mode(item))
    host = f"[{address.host}]" if ":" in address.host else address.host
    ends = ("-e", f"ssh -o BatchMode=yes -p {address.port}")
    yield f"if [ -d {shlex.quote(origin)} ]; then slash=/; else slash=; fi"
    for extra in ((), ("--dry-run", "--checksum", "--itemize-changes")):
        command = shlex.join((*words, *extra, *ends))
        yield f'{command} {shlex.quote(origin)}"$slash" {shlex.quote(f"root@{host}:{to}")}"$slash"'
    yield "# the second rsync should have printed nothing"


def _mode(item: Item) -> tuple[str, ...]:
    if item.mode is Mode.SIDE_BY_SIDE:
        return ("--mkpath",)
    excluded = (f"--exclude={pattern}" for pattern in item.exclude)
    own = () if item.inside else ("--exclude=/.zrep-safety-*",)
    modes = {Mode.MIRROR: ("--delete-delay",), Mode.MISSING_ONLY: ("--ignore-existing",)}
    return (*modes.get(item.mode, ()), *own, *excluded, *(("--mkpath",) if item.inside else ()))
