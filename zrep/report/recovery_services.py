"""Parts 3, 5 and 6 of a recovery sheet: what to stop before, one service alone, and what to start
again. Pure.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from zrep.model.sheet import Sheet
from zrep.model.source import Service
from zrep.report.recovery_hosts import Hosts
from zrep.report.recovery_sources import copy_commands

_STOP = """\
3. STOP WHAT WRITES

For everything: stop docker on all hosts. For one service alone, go to part 5 instead.

{commands}

Whatever else writes to the sources' folders on these hosts must be stopped, too.
"""

_START = """\
6. START AGAIN

Not before the comparisons in part 4 have printed nothing.

{commands}
"""

_SERVICE_HEAD = """\
5. ONE SERVICE ALONE

Parts 1 and 2 first. Its containers are stopped, its folders replaced, and it is started as it was.
SWARM is a host on which `docker node ls` answers: a manager of the swarm.

    SWARM=${first}
"""
_UNITS = ("docker.socket", "docker.service")


def stop_section(sheet: Sheet, hosts: Hosts) -> Iterator[str]:
    lines = [hosts.ssh(name, "systemctl", "stop", *_UNITS) for name in _everyone(sheet, hosts)]
    yield _STOP.format(commands=_indent(lines))


def start_section(sheet: Sheet, hosts: Hosts) -> Iterator[str]:
    lines = [hosts.ssh(name, "systemctl", "start", *_UNITS) for name in _everyone(sheet, hosts)]
    yield _START.format(commands=_indent(lines))


def _everyone(sheet: Sheet, hosts: Hosts) -> list[str]:
    """Every host whose containers could write to a source."""
    sets = sheet.config.sets.values()
    found = {h for s in sets for h in (*s.hosts, *s.paused_hosts)}
    return sorted(found & set(hosts.addresses))


def service_section(sheet: Sheet, hosts: Hosts) -> Iterator[str]:
    services = [s for _, s in sorted(sheet.config.services.items()) if s.source in sheet.keys]
    everyone = _everyone(sheet, hosts)
    if not services or not everyone:
        return
    yield _SERVICE_HEAD.format(first=hosts.variables[everyone[0]])
    port = hosts.addresses[everyone[0]].port
    for number, service in enumerate(services, 1):
        yield "\n".join(_service(sheet, hosts, service, f"5.{number}", port))


def _service(sheet: Sheet, hosts: Hosts, service: Service, number: str, port: int) -> Iterator[str]:
    yield f"{number} {service.name}  ({', '.join(service.paths)} of {service.source})\n"
    source = sheet.source(service.source)
    if source is None or source.key.host not in hosts.addresses:
        yield "The configuration did not know any more where this belongs.\n"
        return
    yield from (line for name in service.swarm for line in _down(name, port))
    for path in service.paths:
        yield from copy_commands(source, hosts, path)
    yield from (f"    {_on_swarm(port, _scale_up(name))}" for name in service.swarm)
    yield ""


def _down(name: str, port: int) -> Iterator[str]:
    count = f"docker service inspect --format '{{{{.Spec.Mode.Replicated.Replicas}}}}' {name}"
    yield f"    {_variable(name)}=$({_on_swarm(port, shlex.quote(count))})"
    yield f"    {_on_swarm(port, shlex.quote(f'docker service scale {name}=0'))}"
    left = f"docker service ps --quiet --filter desired-state=running {name}"
    yield f"    {_on_swarm(port, shlex.quote(left))}   # goes on when this prints nothing"


def _scale_up(name: str) -> str:
    return f'"docker service scale {name}=${_variable(name)}"'


def _on_swarm(port: int, command: str) -> str:
    return f'ssh -n -p {port} "root@$SWARM" {command}'


def _variable(name: str) -> str:
    return "COUNT_" + "".join(c if c.isalnum() else "_" for c in name)


def _indent(lines: list[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)
