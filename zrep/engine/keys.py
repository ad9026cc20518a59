"""Rotating a key: every machine accepts the new one, it is tried on every machine, it takes the old
one's place, and only then no machine accepts the old one any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from zrep.capsule.audit import KeyName as Audited
from zrep.capsule.audit import Outcome, Sign, Trial, is_refusal
from zrep.capsule.machines import Machine, find_machines
from zrep.capsule.render import PublicKey
from zrep.engine.audit import ask
from zrep.engine.deploy import Carry, Deployed, Keys, carry_by, deploy, plan_deploy, verify
from zrep.engine.key_files import (
    KeyFile,
    fingerprint,
    forget_old,
    key_file,
    make,
    public_line,
    switch,
    write_public,
)
from zrep.engine.progress import Progress
from zrep.engine.site import Site, open_site
from zrep.errors import AccessRefused, PartialResult, Refused, UsageError, ZrepError
from zrep.frozen import dataclass
from zrep.model.keys import NEXT, OLD, KeyName, Phase
from zrep.model.source import Config

UNDER_WAY = {
    Phase.ADD: "a rotation is under way: a new key is made and not in use yet; run it again",
    Phase.REMOVE: "a rotation is under way: machines may still accept the old key; run it again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """One key's rotation: the machines that accept it, and the way an administrator gets there."""

    config: Config
    key: KeyFile
    machines: Sequence[Machine]
    carry: Carry
    allowed_from: str = ""


def request(
    config: Config,
    name: str,
    *,
    login: str | None,
    identity: str | None,
    sudo: bool,
    allowed_from: str,
) -> Rotation:
    """The rotation of the key called `name` on every machine that accepts it."""
    key = key_file(config, KeyName(name))
    machines = find_machines(config)
    return Rotation(
        config=config,
        key=key,
        machines=[m for m in machines if key.name is KeyName.CONTROL or m.roles.source],
        carry=carry_by(config, user=login, key_file=identity, sudo=sudo),
        allowed_from=allowed_from,
    )


def describe(config: Config, name: str) -> dict[str, str | None]:
    """What there is to know of a key: `public` and `fingerprint` None when it is not here."""
    key = key_file(config, KeyName(name))
    public = public_line(key.path) if key.exists else None
    return {
        "name": name,
        "path": str(key.path),
        "public": public,
        "fingerprint": fingerprint(key.path) if public else None,
        "rotation": UNDER_WAY.get(key.phase),
    }


def accepted_keys(config: Config, *, allowed_from: str) -> Keys:
    """The keys in use. UsageError rather than leaving one out: the machines would forget it."""
    lines = {name: _line(key_file(config, name)) for name in KeyName}
    for name in (KeyName.CONTROL, KeyName.READ):
        if lines[name] is None:
            pub = key_file(config, name).beside(".pub")
            raise UsageError(
                f"there is no {name} key here, nor its public half {pub}",
                next_step=f"zrep key create {name}, or copy {pub} from the machine that has it",
            )
    control, read, restore = lines[KeyName.CONTROL], lines[KeyName.READ], lines[KeyName.RESTORE]
    assert control is not None  # noqa: S101 - tells the type checker
    return Keys(
        control=PublicKey(line=control, allowed_from=allowed_from),
        read=PublicKey(line=read) if read else None,
        restore=PublicKey(line=restore) if restore else None,
    )


def _line(key: KeyFile) -> str | None:
    """The public half; the .pub file alone will do for a key that is on another machine."""
    if key.exists:
        return public_line(key.path)
    pub = key.beside(".pub")
    return " ".join(pub.read_text().split()[:2]) if pub.exists() else None


def rotate(rotation: Rotation, progress: Progress) -> None:
    """From wherever an earlier rotation has stopped to the end.

    PartialResult names the machines that keep it from going on; at every moment the key in use is
    accepted by all that are reached, and calling it again goes on.
    """
    key = rotation.key
    if not key.exists:
        raise Refused(f"there is no {key.name} key", next_step=f"zrep key create {key.name}")
    if key.phase is Phase.MAKE:
        make(key, NEXT)
        progress.step(f"made a new {key.name} key")
    if key.phase is Phase.ADD:
        _install(rotation, key.beside(NEXT), progress)
        _try_all(rotation, key.beside(NEXT), progress)
        switch(key)
        progress.step(f"the new {key.name} key is in use")
    _install(rotation, None, progress)
    _try_all(rotation, key.path, progress)
    write_public(key)
    forget_old(key)
    progress.step("no machine accepts the old key any more")


def _install(rotation: Rotation, also: Path | None, progress: Progress) -> None:
    """Every machine accepts the keys in use, and `also`. PartialResult when one was not reached."""
    keys = accepted_keys(rotation.config, allowed_from=rotation.allowed_from)
    other = _with(keys, rotation.key.name, also) if also else None
    plan = plan_deploy(rotation.config, rotation.machines, keys, also=other)
    with open_site(rotation.config) as site:
        done = deploy(site, plan, rotation.carry, progress)
    _require(done, rotation.key)


def _with(keys: Keys, name: KeyName, path: Path) -> Keys:
    line = public_line(path)
    match name:
        case KeyName.CONTROL:
            return replace(keys, control=replace(keys.control, line=line))
        case KeyName.READ:
            return replace(keys, read=PublicKey(line=line))
        case KeyName.RESTORE:
            return replace(keys, restore=PublicKey(line=line))


def _require(done: Sequence[Deployed], key: KeyFile) -> None:
    failed = [f"{d.machine.name}: {d.error}" for d in done if d.error]
    if failed:
        raise _stopped(key, failed)


def _stopped(key: KeyFile, failed: Sequence[str]) -> PartialResult:
    both = key.beside(OLD).exists() or key.beside(NEXT).exists()
    return PartialResult(
        f"the rotation of the {key.name} key has stopped",
        why="; ".join(failed) + ("; the old and the new key may both be accepted" if both else ""),
        next_step=f"nothing is locked out; mend it, then again: zrep key rotate {key.name}",
    )


def _try_all(rotation: Rotation, path: Path, progress: Progress) -> None:
    """Log in with the key at `path` everywhere it must be accepted."""
    progress.step(f"try: {', '.join(m.name for m in rotation.machines)}")
    failed = []
    for machine in rotation.machines:
        try:
            _try_one(rotation, machine, path)
        except ZrepError as error:
            failed.append(f"{machine.name}: {error}")
    if failed:
        raise _stopped(rotation.key, failed)


def _try_one(rotation: Rotation, machine: Machine, path: Path) -> None:
    if rotation.key.name is KeyName.CONTROL:
        ssh = replace(rotation.config.ssh, control_key=str(path))
        with open_site(replace(rotation.config, ssh=ssh)) as site:
            verify(site, machine)
    elif machine.roles.source:
        with open_site(rotation.config) as site:
            outcome = greet(site, machine, path)
        if not is_refusal(Sign.DAEMON, outcome):
            raise AccessRefused(
                "the new key is not answered as it should be",
                where=machine.name,
                why=outcome.ssh_failure or f"status {outcome.status}: {outcome.stderr[:200]}",
            )


def greet(site: Site, machine: Machine, path: Path) -> Outcome:
    """What the read or restore key's forced command answers: rsync's daemon, and nothing else."""
    trial = Trial(
        name="greet", key=Audited.READ, sign=Sign.DAEMON, request="rsync --server --daemon ."
    )
    return ask(site.endpoint(machine.address, str(path)), trial, machine.name)
