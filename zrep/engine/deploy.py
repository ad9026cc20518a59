"""Installing what `render` makes on the machines themselves, and proving that it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from zrep.capsule.bundle import Bundle, make_bundle
from zrep.capsule.install import load_hooks
from zrep.capsule.machines import Machine
from zrep.capsule.render import AUTHORIZED_KEYS, PublicKey, render_host
from zrep.engine.progress import Progress
from zrep.engine.site import Site
from zrep.engine.verify_sources import outdated
from zrep.errors import CommandFailed, Exit, HostOutdated, SourceFailed, ZrepError
from zrep.frozen import dataclass
from zrep.host.admin import AdminLogin, run_script
from zrep.host.port import Completed
from zrep.model.source import Config
from zrep.source.capsules import Capsules
from zrep.source.together import together

Carry = Callable[[Machine, Bundle], Completed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The public halves that the machines shall accept."""

    control: PublicKey
    read: PublicKey | None = None
    restore: PublicKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """One machine: the lines that its installer printed, one per change, or what went wrong."""

    machine: Machine
    bundle: Bundle
    changes: tuple[str, ...] = ()
    error: ZrepError | None = None


def plan_deploy(
    config: Config, machines: Sequence[Machine], keys: Keys, *, also: Keys | None = None
) -> Sequence[tuple[Machine, Bundle]]:
    """What each machine gets; it accepts the keys of `also` too. ConfigError, as render has it."""
    hooks = load_hooks()
    return [(m, _bundle(config, m, hooks, (keys, *([also] if also else [])))) for m in machines]


def _bundle(
    config: Config, machine: Machine, hooks: Mapping[str, str], accepted: Sequence[Keys]
) -> Bundle:
    first, *more = [
        render_host(config, machine.roles, hooks, control=k.control, read=k.read, restore=k.restore)
        for k in accepted
    ]
    logins = [next(f.text for f in files if f.path == AUTHORIZED_KEYS) for files in (first, *more)]
    lines = dict.fromkeys(line for text in logins for line in text.splitlines(keepends=True))
    files = [replace(f, text="".join(lines)) if f.path == AUTHORIZED_KEYS else f for f in first]
    return make_bundle(files, hooks["install-source"], user=config.ssh.user)


def carry_by(config: Config, *, user: str | None, key_file: str | None, sudo: bool) -> Carry:
    """Over an administrator's own ssh: as root, or with sudo."""
    known = config.ssh.known_hosts
    login = AdminLogin(user=user, key_file=key_file, sudo=sudo, known_hosts=known)
    return lambda machine, bundle: run_script(
        login,
        machine.address.host,
        machine.address.port,
        script=bundle.script,
        stdin=bundle.archive,
        where=machine.name,
    )


def deploy(
    site: Site, plan: Sequence[tuple[Machine, Bundle]], carry: Carry, progress: Progress
) -> tuple[Deployed, ...]:
    """All machines at once; one that fails keeps none of the others from being set up."""
    progress.step(f"deploy: {', '.join(m.name for m, _ in plan)}")
    actions = {m.name: partial(_deploy_one, site, m, b, carry) for m, b in plan}
    done = together(actions)
    return tuple(done[m.name] for m, _ in plan)


def _deploy_one(site: Site, machine: Machine, bundle: Bundle, carry: Carry) -> Deployed:
    changes: tuple[str, ...] = ()
    try:
        changes = tuple(_carry(machine, bundle, carry).stdout.splitlines())
        verify(site, machine)
    except ZrepError as error:
        return Deployed(machine=machine, bundle=bundle, changes=changes, error=error)
    return Deployed(machine=machine, bundle=bundle, changes=changes)


def _carry(machine: Machine, bundle: Bundle, carry: Carry) -> Completed:
    try:
        return carry(machine, bundle)
    except CommandFailed as error:
        raise SourceFailed(
            "the installation failed",
            where=machine.name,
            why=error.why,
            next_step="every file there is the old one or the new one; mend it and deploy again. "
            "The login must be root's, or with --sudo one that may use sudo without a password",
        ) from error


def verify(site: Site, machine: Machine) -> None:
    """Ask with our own restricted key: is there now what was sent?"""
    if machine.roles.source:
        host = machine.roles.source
        report = Capsules(site.source_host(host)).probe()
        problems = tuple(outdated(site.config, {host: report}, load_hooks()))
        if problems:
            steps = "; ".join(dict.fromkeys(step for _, step in problems))
            raise HostOutdated(tuple(text for text, _ in problems), next_step=steps)
    if machine.roles.target:
        site.target_host.run(("zfs", "version"))
    if machine.roles.replica:
        replica = site.config.replicas[machine.roles.replica]
        site.replica_host(replica).run(("zfs", "version"))


def status_of(done: Sequence[Deployed]) -> Exit:
    """PARTIAL when some machines are set up and others are not."""
    errors = [d.error for d in done if d.error]
    if not errors:
        return Exit.DONE
    return Exit.PARTIAL if len(errors) < len(done) else errors[0].exit
