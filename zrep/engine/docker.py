"""`zrep docker`: containers and docker itself on many hosts at once, asked for by a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial

from zrep.engine.lock import exclusive
from zrep.engine.site import Site
from zrep.errors import Exit, Refused, UnknownName, ZrepError
from zrep.frozen import dataclass
from zrep.model.names import BackupId
from zrep.model.source import Config
from zrep.source.docker_control import DockerControl, DockerStatus
from zrep.source.together import together


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDocker:
    """One host: what was done there in words, its state if it was asked, or what went wrong."""

    host: str
    done: str = ""
    status: DockerStatus | None = None
    error: ZrepError | None = None


def status_of(hosts: Sequence[HostDocker]) -> Exit:
    errors = [h.error for h in hosts if h.error]
    if not errors:
        return Exit.DONE
    return Exit.PARTIAL if len(errors) < len(hosts) else errors[0].exit


def pick_hosts(config: Config, names: Sequence[str]) -> tuple[str, ...]:
    """The named logical hosts, or all that any set speaks of; UnknownName."""
    known = {h for s in config.sets.values() for h in (*s.hosts, *s.paused_hosts)}
    for name in names:
        if name not in known:
            raise UnknownName(f"no host {name!r}", why=f"configured: {', '.join(sorted(known))}")
    return tuple(sorted({*names} or known))


def show(site: Site, hosts: Sequence[str]) -> tuple[HostDocker, ...]:
    return _on_all(site, hosts, lambda _, control: ("", control.status()))


def stop(site: Site, hosts: Sequence[str]) -> tuple[HostDocker, ...]:
    """Raises Busy while a set that pauses any of the hosts is being backed up."""
    with ExitStack() as locks:
        for name in _sets_of(site.config, hosts):
            locks.enter_context(exclusive(site.run_dir, f"set-{name}"))
        return _on_all(site, hosts, lambda _, control: ("stopped", control.stop()))


def start(site: Site, hosts: Sequence[str]) -> tuple[HostDocker, ...]:
    return _on_all(site, hosts, lambda _, control: ("started", control.start()))


def pause(site: Site, hosts: Sequence[str]) -> tuple[HostDocker, ...]:
    """Pause as a backup does, with the timer that lets go; all hosts under one run's name.

    Refused for hosts that no set quiesces: their timer is not configured. Raises Busy during a
    backup of those sets. What is paused is not a backup's: the next one lets it go first.
    """
    sets = {h: _quiesced_by(site.config, h) for h in hosts}
    run = str(BackupId.at(datetime.now(UTC)))
    with ExitStack() as locks:
        for name in sorted(set(sets.values())):
            locks.enter_context(exclusive(site.run_dir, f"set-{name}"))
        return _on_all(site, hosts, lambda host, c: _pause_one(c, run, sets[host]))


def _pause_one(control: DockerControl, run: str, set_name: str) -> tuple[str, None]:
    held = control.quiesce(run=run, set_name=set_name)
    if not held.docker:
        return "has no docker", None
    return f"{held.containers} containers paused, let go by themselves in {held.timer} s", None


def unpause(site: Site, hosts: Sequence[str]) -> tuple[HostDocker, ...]:
    """Let go of all that zrep holds there, whatever run it belongs to, also one that is alive."""
    return _on_all(site, hosts, lambda _, control: (_unpause_one(control), None))


def _unpause_one(control: DockerControl) -> str:
    count = sum(t.containers - t.escaped for t in control.thaw())
    return f"{count} containers let go" if count else "nothing of ours was paused"


def _quiesced_by(config: Config, host: str) -> str:
    for name, backup_set in sorted(config.sets.items()):
        if host in backup_set.paused_hosts:
            return name
    raise Refused(
        f"no set pauses {host}",
        why="without a configured timer nothing would end the pause if zrep died",
        next_step=f"add quiesce = {{ docker = true }} to a set of {host}, and deploy its capsules",
    )


def _sets_of(config: Config, hosts: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        n for n, s in sorted(config.sets.items()) if {*hosts} & {*s.hosts, *s.paused_hosts}
    )


Action = Callable[[str, DockerControl], tuple[str, DockerStatus | None]]


def _on_all(site: Site, hosts: Sequence[str], action: Action) -> tuple[HostDocker, ...]:
    """At once on all; a host that fails keeps none of the others from it."""
    actions: Mapping[str, Callable[[], HostDocker]] = {
        host: partial(_on_one, site, host, action) for host in hosts
    }
    done = together(actions)
    return tuple(done[host] for host in hosts)


def _on_one(site: Site, host: str, action: Action) -> HostDocker:
    try:
        words, status = action(host, DockerControl(site.source_host(host)))
    except ZrepError as error:
        return HostDocker(host=host, error=error)
    return HostDocker(host=host, done=words, status=status)


VERBS: Mapping[str, Callable[[Site, Sequence[str]], tuple[HostDocker, ...]]] = {
    "status": show,
    "pause": pause,
    "unpause": unpause,
    "stop": stop,
    "start": start,
}
