"""The whole of zrep.toml as a Config: every table read, every problem collected."""

from __future__ import annotations

import json
from collections.abc import Mapping

from zrep.config.deployments import check_apart, read_deployments
from zrep.config.document import Document, Problem
from zrep.config.drill import read_checks, read_drilling
from zrep.config.housekeeping import read_housekeeping
from zrep.config.keys import ZREP
from zrep.config.monitoring import read_monitoring, read_watch
from zrep.config.schema import Section, open_document, suggest
from zrep.config.sources import Sets, check_lengths, read_sets
from zrep.config.values import (
    Wrong,
    absolute_path,
    address,
    boolean,
    compression,
    dataset,
    list_of,
    relative_path,
    shown,
    text,
    user,
)
from zrep.model.key import SourceKey
from zrep.model.policy import Policy
from zrep.model.source import Config, Replica, Service, Ssh, Target

Policies = Mapping[str, Policy | None]
"""Policies by name; None for a file with problems of its own, which are reported there."""


def build_config(
    document: Document, policies: Policies, problems: list[Problem], *, meaning: str
) -> Config | None:
    """The configuration, or None with all that is wrong added to `problems`."""
    root = open_document(document, problems, ZREP[""])
    deployments = read_deployments(root)
    hosts = deployments.hosts
    read = read_sets(root, hosts)
    services = _read_services(root, read)
    target = _read_target(root, policies)
    replicas = _read_replicas(root, policies, target)
    check_apart(root, deployments, target)
    _check_sections(root, policies)
    ssh = _read_ssh(root)
    keeping = read_housekeeping(root)
    drilling = read_drilling(root)
    monitoring = read_monitoring(root)
    if target is not None:
        check_lengths(read.declared, target.dataset)
    if target is None or problems:
        return None
    return Config(
        target=target,
        hosts=hosts,
        sets=read.sets,
        replicas=replicas,
        services=services,
        ssh=ssh,
        deployment=deployments.chosen,
        elsewhere=deployments.elsewhere,
        keeping=keeping,
        drilling=drilling,
        monitoring=monitoring,
        meaning=meaning,
    )


def meaning_of(values: Mapping[str, object], policies: Mapping[str, Mapping[str, object]]) -> str:
    """A text that changes when the meaning of the configuration may have changed.

    Comments, spacing and the order of keys make no difference; the order of dataset sections
    does, as it does to sanoid.
    """
    sections = values.get("dataset")
    order = list(sections) if isinstance(sections, dict) else []
    whole = {"zrep": values, "policies": policies, "order": order}
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), default=str)


def _check_sections(root: Section, policies: Policies) -> None:
    """Dataset sections are for commands of their own, and most configurations have none."""
    if root.values.keys() & {"template", "dataset"}:
        from zrep.config.datasets import check_sections

        check_sections(root, policies)


def _read_target(root: Section, policies: Policies) -> Target | None:
    if "target" not in root.values:
        if not root.misspelt("target"):
            root.note("[target] is missing: it names the dataset that receives backups")
        return None
    section = root.table("target", ZREP["target"])
    where = section.need("dataset", dataset)
    policy = _policy(section, policies, needed=True)
    host = section.get("host", address)
    packing = section.get_or("compression", compression, "gzip-7")
    if policy and not policy.autosnap:
        section.note(f"{policy.name} takes no snapshots (autosnap = false)", "policy")
    if where is None or policy is None:
        return None
    return Target(dataset=where, policy=policy, address=host, compression=packing)


def _policy(section: Section, policies: Policies, *, needed: bool) -> Policy | None:
    def known(value: object) -> str:
        name = text(value)
        if name not in policies:
            raise Wrong(f"{shown(name)} is no policy{suggest(name, policies)}")
        return name

    name = section.need("policy", known) if needed else section.get("policy", known)
    return policies.get(name) if name else None


def _read_ssh(root: Section) -> Ssh:
    section = root.table("ssh", ZREP["ssh"])
    default = Ssh()
    return Ssh(
        user=section.get_or("user", user, default.user),
        control_key=section.get_or("control_key", absolute_path, default.control_key),
        read_key=section.get_or("read_key", absolute_path, default.read_key),
        restore_key=section.get_or("restore_key", absolute_path, default.restore_key),
        known_hosts=section.get_or("known_hosts", absolute_path, default.known_hosts),
    )


def _read_services(root: Section, read: Sets) -> dict[str, Service]:
    known = {str(d.key): d.key for d in read.declared}

    def source(value: object) -> SourceKey:
        name = text(value)
        host, _, source_name = name.partition("/")
        if source_name in read.doubtful:
            return SourceKey(host, source_name)
        if name not in known:
            raise Wrong(f"{shown(name)} is no source of any set{suggest(name, known)}")
        return known[name]

    services = {}
    for name, section in root.tables("service", ZREP["service.*"]).items():
        key = section.need("source", source)
        paths = section.need("paths", list_of(relative_path))
        swarm = section.get("swarm", list_of(text, empty=True)) or ()
        if key and paths:
            services[name] = Service(
                name=name, source=key, paths=paths, swarm=swarm, **read_checks(section)
            )
    return services


def _read_replicas(root: Section, policies: Policies, target: Target | None) -> dict[str, Replica]:
    replicas = {}
    for name, section in root.tables("replica", ZREP["replica.*"]).items():
        where = section.need("dataset", dataset)
        host = section.get("host", address)
        policy = _policy(section, policies, needed=False)
        back = section.get_or("send_back", boolean, default=False)
        watch = read_watch(section)
        if where is None:
            continue
        replicas[name] = Replica(
            name=name, dataset=where, policy=policy, address=host, send_back=back, watch=watch
        )
        if target and host == target.address and _overlap(replicas[name], target):
            section.note(
                f"{where} and the target {target.dataset} lie within each other", "dataset"
            )
    return replicas


def _overlap(replica: Replica, target: Target) -> bool:
    a, b = replica.dataset, target.dataset
    return a.is_below(b) or b.is_below(a)
