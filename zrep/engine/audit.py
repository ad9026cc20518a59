"""Trying on every machine what our keys must not be able to do, over the real ssh."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from zrep.capsule.audit import (
    Finding,
    KeyName,
    Outcome,
    Trial,
    control_trials,
    judge,
    read_trials,
)
from zrep.capsule.machines import Machine
from zrep.engine.progress import Progress
from zrep.engine.site import Site
from zrep.errors import CommandTimeout, Exit, ZrepError
from zrep.frozen import dataclass
from zrep.host.process import run
from zrep.host.ssh_argv import SshEndpoint, ssh_options
from zrep.host.ssh_failure import SSH_FAILED, explain_ssh_failure

# Trials of one machine, and machines.
AT_ONCE = 4
MACHINES_AT_ONCE = 8
SECONDS = 60.0
_SIGNALS, _STATUSES = 64, 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One trial and what it showed; `why` unless it was refused."""

    trial: Trial
    finding: Finding
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineAudit:
    """All trials of one machine; `problem` when not even what is allowed works there."""

    machine: Machine
    results: tuple[Result, ...] = ()
    problem: str = ""

    def count(self, finding: Finding) -> int:
        return sum(r.finding is finding for r in self.results)


def status_of(audits: Sequence[MachineAudit]) -> Exit:
    """REFUSED when anything is allowed that must not be; PARTIAL when something is not proven."""
    if any(a.count(Finding.ALLOWED) for a in audits):
        return Exit.REFUSED
    unproven = any(a.problem or a.count(Finding.UNPROVEN) for a in audits)
    return Exit.PARTIAL if unproven else Exit.DONE


def trials_of(machine: Machine) -> Iterator[Trial]:
    yield from control_trials()
    if machine.roles.source:
        yield from read_trials()


def audit(
    site: Site,
    machines: Sequence[Machine],
    progress: Progress,
    *,
    trials: Callable[[Machine], Iterable[Trial]] = trials_of,
) -> tuple[MachineAudit, ...]:
    with ThreadPoolExecutor(MACHINES_AT_ONCE) as pool:
        one = partial(_audit_one, site, progress)
        return tuple(pool.map(one, machines, [tuple(trials(m)) for m in machines]))


def _audit_one(
    site: Site, progress: Progress, machine: Machine, trials: Sequence[Trial]
) -> MachineAudit:
    """What is allowed must work first: on a host that is down everything looks refused."""
    progress.step(f"audit: {machine.name}, {len(trials)} trials")
    try:
        _prove_open(site, machine)
    except ZrepError as error:
        return MachineAudit(machine=machine, problem=str(error))
    doors = {k: _Door(_endpoint(site, machine, k)) for k in {t.key for t in trials}}
    with ExitStack() as stack, ThreadPoolExecutor(AT_ONCE) as pool:
        for door in doors.values():
            if door.has_key:
                stack.enter_context(door.held_open())
        results = tuple(pool.map(lambda t: _try(doors[t.key], machine, t), trials))
    return MachineAudit(machine=machine, results=results)


def _endpoint(site: Site, machine: Machine, name: KeyName) -> SshEndpoint:
    ssh = site.config.ssh
    return site.endpoint(
        machine.address, ssh.control_key if name is KeyName.CONTROL else ssh.read_key
    )


def _prove_open(site: Site, machine: Machine) -> None:
    roles = machine.roles
    if roles.source:
        site.source_host(roles.source).run(("probe",), timeout=120.0)
    elif roles.target:
        site.target_host.run(("zfs", "version"))
    elif roles.replica:
        site.replica_host(site.config.replicas[roles.replica]).run(("zfs", "version"))


class _Door:
    """One key's way to one machine.

    Two hundred requests need one login: they go through a connection that is held open, each a
    session of its own, with which sshd deals as with the first. What tries options of ssh itself
    logs in by itself; and so do all when the connection cannot be held.
    """

    def __init__(self, endpoint: SshEndpoint) -> None:
        self.endpoint = endpoint
        self.shared: tuple[str, ...] = ()

    @property
    def has_key(self) -> bool:
        return Path(self.endpoint.key_file).exists()

    @contextmanager
    def held_open(self) -> Iterator[None]:
        with TemporaryDirectory(prefix="zrep-audit-") as folder:
            path = ("-o", f"ControlPath={folder}/s")
            base = ("ssh", *ssh_options(self.endpoint), *path)
            # The one that stays would keep our pipes open; without us it ends by itself.
            quiet = ("sh", "-c", 'exec "$@" >/dev/null 2>&1', "sh")
            stay = ("-M", "-N", "-f", "-o", "ControlPersist=60")
            argv = (*quiet, *base, *stay, self.endpoint.login)
            with suppress(CommandTimeout):
                done = run(argv, timeout=SECONDS, ok=range(_STATUSES))
                self.shared = path if done.returncode == 0 else ()
            try:
                yield
            finally:
                if self.shared:
                    run((*base, "-O", "exit", self.endpoint.login), ok=range(_STATUSES))


def _try(door: _Door, machine: Machine, trial: Trial) -> Result:
    if not door.has_key:
        why = f"{door.endpoint.key_file} is not on this machine: audit from the target too"
        return Result(trial=trial, finding=Finding.UNPROVEN, why=why)
    try:
        outcome = ask(door.endpoint, trial, machine.name, door.shared)
    except CommandTimeout as error:
        return Result(trial=trial, finding=Finding.UNPROVEN, why=str(error))
    finding, why = judge(trial, outcome)
    return Result(trial=trial, finding=finding, why=why)


def ask(endpoint: SshEndpoint, trial: Trial, where: str, shared: tuple[str, ...] = ()) -> Outcome:
    """How ssh ended; CommandTimeout."""
    argv = trial_argv(endpoint, trial, shared)
    done = run(argv, timeout=SECONDS, ok=range(-_SIGNALS, _STATUSES), where=where)
    failure = explain_ssh_failure(done.stderr) if done.returncode == SSH_FAILED else None
    return Outcome(
        status=done.returncode,
        stdout=done.stdout,
        stderr=done.stderr,
        ssh_failure=str(failure) if failure else "",
    )


def trial_argv(
    endpoint: SshEndpoint, trial: Trial, shared: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The request goes as it is: nothing is quoted that an attacker would not quote.

    `shared` are the options that lead through an open connection.
    """
    request = () if trial.request is None else ("--", trial.request)
    options = trial.options or shared
    return ("ssh", *ssh_options(endpoint), *options, endpoint.login, *request)
