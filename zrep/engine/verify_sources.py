"""After the probe, before anything is touched: has every host what this version works with?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256

from zrep.capsule.install import load_hooks
from zrep.capsule.render import capsule_digest, render_source_conf
from zrep.errors import CommandFailed, HostOutdated
from zrep.host.port import Host
from zrep.model.source import Config
from zrep.source.capsule_json import ProbeReport
from zrep.source.rsync_version import RECEIVER, SENDER, parse_version, version_problem

UPDATE = "install a newer rsync there"


def verify_sources(config: Config, reports: Mapping[str, ProbeReport], target: Host) -> None:
    """HostOutdated names all that is too old, or not as rendered, on any of the hosts."""
    hooks = load_hooks()
    found = [*outdated(config, reports, hooks), *_target_problems(target)]
    if found:
        steps = dict.fromkeys(step for _, step in found)
        raise HostOutdated(tuple(text for text, _ in found), next_step="; ".join(steps))


def outdated(
    config: Config, reports: Mapping[str, ProbeReport], hooks: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """What is wrong on each source host, and the step that mends it. Pure."""
    capsules = capsule_digest(hooks)
    senders = {s.key.host for backup_set in config.sets.values() for s in backup_set.sources}
    for host, report in reports.items():
        step = _install(host)
        if report.capsules != capsules:
            yield f"{host}: its capsules are not those of this version", step
        if report.config != source_conf_digest(config, host):
            yield f"{host}: its source.conf is not what this configuration says", step
        problem = version_problem(report.rsync, SENDER) if host in senders else ""
        if problem:
            yield f"{host}: {problem}", UPDATE


def source_conf_digest(config: Config, host: str) -> str:
    """What capsule-probe prints for a host that has exactly this source.conf."""
    return sha256(render_source_conf(config, host).encode()).hexdigest()


def _install(machine: str) -> str:
    return f"zrep capsule deploy {machine}"


def _target_problems(target: Host) -> Iterator[tuple[str, str]]:
    try:
        said = target.run(("rsync", "--version"), ok=(0, 127)).stdout
    except CommandFailed as error:
        yield (
            f"{target.name}: cannot ask for the version of rsync: {error.why}",
            _install("target"),
        )
        return
    problem = version_problem(parse_version(said), RECEIVER)
    if problem:
        yield f"{target.name}: {problem}", UPDATE
