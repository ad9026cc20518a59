"""From the configuration to the files that other hosts need. Pure.

Everything installed is root's and constant: capsules, one line-based source.conf, a sudoers
fragment in the subset that sudo and sudo-rs share (absolute paths, `""` for no arguments), and
authorized_keys whose every line is a forced command.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256

from zrep.errors import ConfigError
from zrep.frozen import dataclass
from zrep.model.key import SourceKey
from zrep.model.methods import METHODS
from zrep.model.session import replica_sessions
from zrep.model.source import (
    BackupSet,
    Config,
    Database,
    Prepare,
    Replica,
    Service,
    Source,
)

LIBEXEC = "/usr/libexec/zrep"
HOME = "/var/lib/zrep-operator"
SOURCE_CONF = "/etc/zrep/source.conf"
GATE_TOML = "/etc/zrep/gate.toml"
SUDOERS = "/etc/sudoers.d/zrep"
AUTHORIZED_KEYS = f"{HOME}/.ssh/authorized_keys"

# Run by sudo, run by sshd as the operator, and read by those; the probe's digest is over them all.
PRIVILEGED = (
    "capsule-before",
    "capsule-check",
    "capsule-docker-start",
    "capsule-docker-status",
    "capsule-docker-stop",
    "capsule-halt",
    "capsule-probe",
    "capsule-quiesce",
    "capsule-release",
    "capsule-restore-close",
    "capsule-restore-discard",
    "capsule-restore-look",
    "capsule-restore-open",
    "capsule-restore-safety",
    "capsule-rsync-read",
    "capsule-rsync-write",
    "capsule-service-down",
    "capsule-service-up",
    "capsule-snapshot",
    "capsule-thaw",
    "capsule-unhalt",
)
_STREAMS = ("capsule-rsync-read", "capsule-rsync-write")
# Run by root on the host itself, and by rsync's daemon: never through sudo.
ROOTS_OWN = ("check-lease", "check-sentinel", "zrep-arm")
READ_ONLY_TEXTS = frozenset(
    {
        *("capsule-docker", "capsule-lib", "capsule-restore", "capsule-service", "capsule-state"),
        *(f"method-{name}" for name in METHODS),
        *(f"dump-{name}" for name in Database),
        *(f"service-{name}" for name in Prepare),
        *("gluster-xml", "solr-commit"),
    }
)
CAPSULES = tuple(sorted((*PRIVILEGED, *READ_ONLY_TEXTS, *ROOTS_OWN, "gate")))

_PATH = re.compile(r"/|(/(?!\.\.?(/|$))[A-Za-z0-9_.+@:,=\-]+)+")
_KEY = re.compile(r"(ssh|ecdsa|sk)-[a-z0-9@.\-]+ [A-Za-z0-9+/]+={0,3}( [A-Za-z0-9_.@:+\-]+)?")
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")
_FROM = re.compile(r"[A-Za-z0-9.:/,!*?_\-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallFile:
    """One file as it has to be on the host; owned by root in every case."""

    path: str
    mode: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """One line of a .pub file, and from which addresses it may be used (an sshd pattern list)."""

    line: str
    allowed_from: str = ""

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.line):
            raise ValueError(f"not a public key: {self.line[:40]!r}")
        if self.allowed_from and not _FROM.fullmatch(self.allowed_from):
            raise ValueError(f"not a list of addresses: {self.allowed_from!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What a host is to zrep: a source host by its logical name, the remote target, a replica."""

    source: str | None = None
    target: bool = False
    replica: str | None = None

    def __post_init__(self) -> None:
        if not (self.source or self.target or self.replica):
            raise ValueError("a host without a role")
        if self.target and self.replica:
            raise ValueError("target and replica on one host: one key cannot have two gates")

    @property
    def gate(self) -> str | None:
        """The program behind the control key's zfs and rsync requests."""
        if self.target:
            return "zrep-gate-target"
        return "zrep-gate-replica" if self.replica else None


def render_host(
    config: Config,
    roles: Roles,
    hooks: Mapping[str, str],
    *,
    control: PublicKey,
    read: PublicKey | None = None,
    restore: PublicKey | None = None,
) -> tuple[InstallFile, ...]:
    """All files of one host; `hooks` maps names to texts. ConfigError names every bad source."""
    return (
        *_programs(roles, hooks),
        *_configuration(config, roles),
        InstallFile(path=SUDOERS, mode=0o440, text=render_sudoers(roles, user=config.ssh.user)),
        InstallFile(
            path=AUTHORIZED_KEYS,
            mode=0o644,
            text=render_authorized_keys(roles, control=control, read=read, restore=restore),
        ),
    )


def _programs(roles: Roles, hooks: Mapping[str, str]) -> Iterator[InstallFile]:
    names = (*(CAPSULES if roles.source else ()), *((roles.gate,) if roles.gate else ()))
    for name in names:
        mode = 0o644 if name in READ_ONLY_TEXTS else 0o755
        yield InstallFile(path=f"{LIBEXEC}/{name}", mode=mode, text=hooks[name])


def _configuration(config: Config, roles: Roles) -> Iterator[InstallFile]:
    if roles.source:
        text = render_source_conf(config, roles.source)
        yield InstallFile(path=SOURCE_CONF, mode=0o644, text=text)
    if roles.target:
        yield InstallFile(path=GATE_TOML, mode=0o644, text=render_target_gate(config))
    if roles.replica:
        text = render_replica_gate(config.replicas[roles.replica])
        yield InstallFile(path=GATE_TOML, mode=0o644, text=text)


def render_source_conf(config: Config, host: str) -> str:
    """One line per set and source, and per set that is quiesced here.

    `deployment NAME HOST`: what the host is, which it will tell and act by;
    `source SET NAME METHOD VOLUME PATH KEY=VALUE...`, `quiesce SET docker PAUSE TIMER` (seconds);
    and `service NAME HOST/SOURCE SWARM...` of every service, for any host may be a manager.
    """
    sets = config.sets.values()
    pairs = [(s.name, x) for s in sets for x in s.sources if x.key.host == host]
    pauses = [_quiesce_line(s) for s in sets if host in s.paused_hosts]
    services = [s for s in config.services.values() if s.swarm]
    problems = (
        *(p for _, source in pairs for p in _problems(source)),
        *(p for service in services for p in _service_problems(service)),
    )
    if problems or not (pairs or pauses):
        raise ConfigError(problems or (f"no source is on host {host}",))
    sources = (_source_line(name, source) for name, source in pairs)
    lines = sorted((*pauses, *sources, *map(_service_line, services)))
    place = f"deployment {config.deployment} {host}\n" if config.deployment else ""
    head = "# Written by zrep. Changes are lost when it is rendered again.\n"
    return "".join((head, place, *lines))


def _quiesce_line(backup_set: BackupSet) -> str:
    quiesce = backup_set.quiesce
    return f"quiesce {backup_set.name} docker {quiesce.max_pause} {quiesce.timer}\n"


def _service_line(service: Service) -> str:
    return f"service {service.name} {service.source} {' '.join(service.swarm)}\n"


def _service_problems(service: Service) -> Iterator[str]:
    for name in service.swarm:
        if not _SERVICE.fullmatch(name):
            yield f"service {service.name}: {name!r} is no name of a swarm service"


def _source_line(set_name: str, source: Source) -> str:
    volume = source.volume or "-"
    words = ("source", set_name, source.key.name, source.method.value, volume, source.path)
    return " ".join((*words, *METHODS[source.method].options(source))) + "\n"


def _problems(source: Source) -> Iterator[str]:
    """What source.conf cannot say: it has no quoting, on purpose."""
    if not _PATH.fullmatch(source.path):
        yield f"source {source.key}: path {source.path!r} has characters zrep does not handle"
    for problem in METHODS[source.method].problems(source):
        yield f"source {source.key}: {problem}"


def render_sudoers(roles: Roles, *, user: str) -> str:
    """The operator may start these programs without arguments, and nothing else.

    A gate is told the request in SSH_ORIGINAL_COMMAND, kept for it alone: its stdin carries the
    stream. No pseudo-terminal comes between a stream and its program.
    """
    capsules = PRIVILEGED if roles.source else ()
    streams = (*(_STREAMS if roles.source else ()), *_gates(roles))
    return "".join(
        (
            "# Written by zrep. Valid for sudo and sudo-rs.\n",
            f"Cmnd_Alias ZREP_ALL = {_commands((*capsules, *_gates(roles)))}\n",
            f"Cmnd_Alias ZREP_STREAM = {_commands(streams)}\n",
            "Defaults!ZREP_STREAM !use_pty\n",
            *(_gate_rules(roles)),
            f"{user} ALL=(root) NOPASSWD: ZREP_ALL\n",
        )
    )


def _gates(roles: Roles) -> tuple[str, ...]:
    return (roles.gate,) if roles.gate else ()


def _gate_rules(roles: Roles) -> Iterator[str]:
    if roles.gate:
        yield f"Cmnd_Alias ZREP_GATE = {_commands((roles.gate,))}\n"
        yield 'Defaults!ZREP_GATE env_keep += "SSH_ORIGINAL_COMMAND"\n'


def _commands(names: tuple[str, ...]) -> str:
    return ", ".join(f'{LIBEXEC}/{name} ""' for name in names)


def render_authorized_keys(
    roles: Roles, *, control: PublicKey, read: PublicKey | None, restore: PublicKey | None = None
) -> str:
    """One forced command per key. A source host's gate hands zfs and rsync to the role's gate."""
    command = f"{LIBEXEC}/gate" if roles.source else f"sudo -n {LIBEXEC}/{roles.gate}"
    lines = [_key_line(control, command)]
    streams = ((read, "capsule-rsync-read"), (restore, "capsule-rsync-write"))
    for key, capsule in streams if roles.source else ():
        if key is not None:
            lines.append(_key_line(key, f"sudo -n {LIBEXEC}/{capsule}"))
    return "".join(lines)


def _key_line(key: PublicKey, command: str) -> str:
    source = f',from="{key.allowed_from}"' if key.allowed_from else ""
    return f'restrict{source},command="{command}" {key.line}\n'


def render_target_gate(config: Config) -> str:
    keys = sorted({s.key for x in config.sets.values() for s in x.sources})
    ssh = config.ssh
    login = {"user": ssh.user, "key_file": ssh.read_key, "known_hosts": ssh.known_hosts}
    return "\n".join(
        (
            "# Written by zrep: what the control key may do here.",
            "[target]",
            f"dataset = {json.dumps(str(config.target.dataset))}",
            f"sessions = {json.dumps(str(config.target.sessions))}",
            "",
            "[target.login]",
            *(f"{name} = {json.dumps(value)}" for name, value in login.items()),
            *(line for key in keys for line in _pull_lines(config, key)),
            "",
        )
    )


def _pull_lines(config: Config, key: SourceKey) -> tuple[str, ...]:
    address = config.hosts[key.host]
    return (
        "",
        "[[target.pulls]]",
        f"source = {json.dumps(str(key))}",
        f"address = {json.dumps(address.host)}",
        f"port = {address.port}",
    )


def render_replica_gate(replica: Replica) -> str:
    return (
        "# Written by zrep: what the control key may do here.\n"
        f"[replica]\ndataset = {json.dumps(str(replica.dataset))}\n"
        f"sessions = {json.dumps(str(replica_sessions(replica.dataset)))}\n"
        f"send_back = {json.dumps(replica.send_back)}\n"
    )


def capsule_digest(hooks: Mapping[str, str]) -> str:
    """What capsule-probe prints for a host that has exactly these capsules."""
    lines = (f"{sha256(hooks[n].encode()).hexdigest()}  {n}\n" for n in CAPSULES)
    return sha256("".join(lines).encode()).hexdigest()
