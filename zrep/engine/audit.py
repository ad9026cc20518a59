"""Trying on every machine what our keys must not be able to do, over the real ssh."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

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
from zrep.host.process import run
from zrep.host.ssh_argv import SshEndpoint, ssh_options
from zrep.host.ssh_failure import SSH_FAILED, explain_ssh_failure

AT_ONCE = 4
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
    return tuple(_audit_one(site, m, progress, tuple(trials(m))) for m in machines)


def _audit_one(
    site: Site, machine: Machine, progress: Progress, trials: Sequence[Trial]
) -> MachineAudit:
    """What is allowed must work first: on a host that is down everything looks refused."""
    progress.step(f"audit: {machine.name}, {len(trials)} trials")
    try:
        _prove_open(site, machine)
    except ZrepError as error:
        return MachineAudit(machine=machine, problem=str(error))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = tuple(pool.map(lambda t: _try(site, machine, t), trials))
    return MachineAudit(machine=machine, results=results)


def _prove_open(site: Site, machine: Machine) -> None:
    roles = machine.roles
    if roles.source:
        site.source_host(roles.source).run(("probe",), timeout=120.0)
    elif roles.target:
        site.target_host.run(("zfs", "version"))
    elif roles.replica:
        site.replica_host(site.config.replicas[roles.replica]).run(("zfs", "version"))


def _try(site: Site, machine: Machine, trial: Trial) -> Result:
    ssh = site.config.ssh
    key = ssh.control_key if trial.key is KeyName.CONTROL else ssh.read_key
    if not Path(key).exists():
        why = f"{key} is not on this machine: audit from the target too"
        return Result(trial=trial, finding=Finding.UNPROVEN, why=why)
    try:
        outcome = ask(site.endpoint(machine.address, key), trial, machine.name)
    except CommandTimeout as error:
        return Result(trial=trial, finding=Finding.UNPROVEN, why=str(error))
    finding, why = judge(trial, outcome)
    return Result(trial=trial, finding=finding, why=why)


def ask(endpoint: SshEndpoint, trial: Trial, where: str) -> Outcome:
    """How ssh ended; CommandTimeout."""
    done = run(
        trial_argv(endpoint, trial), timeout=SECONDS, ok=range(-_SIGNALS, _STATUSES), where=where
    )
    failure = explain_ssh_failure(done.stderr) if done.returncode == SSH_FAILED else None
    return Outcome(
        status=done.returncode,
        stdout=done.stdout,
        stderr=done.stderr,
        ssh_failure=str(failure) if failure else "",
    )


def trial_argv(endpoint: SshEndpoint, trial: Trial) -> tuple[str, ...]:
    """The request goes as it is: nothing is quoted that an attacker would not quote."""
    request = () if trial.request is None else ("--", trial.request)
    return ("ssh", *ssh_options(endpoint), *trial.options, endpoint.login, *request)
