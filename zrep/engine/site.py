"""The hosts and pools of one configuration, opened when first needed and closed together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from zrep.errors import UnknownName
from zrep.host.local import LocalHost
from zrep.host.port import Host
from zrep.model.names import DatasetName
from zrep.model.source import Address, BackupSet, Config, Replica
from zrep.zfs.cli import CliZfs
from zrep.zfs.here import zfs_on
from zrep.zfs.local import LocalZfs
from zrep.zfs.port import Zfs

if TYPE_CHECKING:
    from zrep.host.ssh_argv import SshEndpoint

T = TypeVar("T")
TARGET = "target"


class Site:
    """Everything a verb reaches: the target's Zfs, the replicas', and the source hosts."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._hosts: dict[str, Host] = {}
        self._zfs: dict[str, Zfs] = {}

    @property
    def root(self) -> DatasetName:
        return self.config.target.dataset

    @property
    def sessions_root(self) -> DatasetName:
        """`sessions` beside the target's dataset, so that no backup ever contains a clone."""
        return self.config.target.sessions

    @property
    def target_host(self) -> Host:
        return self._host(TARGET, self.config.target.address)

    @property
    def target(self) -> Zfs:
        return self._pool(TARGET, self.config.target.address)

    def replica_zfs(self, replica: Replica) -> Zfs:
        return self._pool(f"replica {replica.name}", replica.address)

    def replica_host(self, replica: Replica) -> Host:
        return self._host(f"replica {replica.name}", replica.address)

    def source_host(self, name: str) -> Host:
        """The host that plays the logical host `name`."""
        return self._host(name, self.config.hosts[name])

    def backup_set(self, name: str | None) -> BackupSet:
        return pick(self.config.sets, name, what="set")

    def replica(self, name: str | None) -> Replica:
        return pick(self.config.replicas, name, what="replica")

    @property
    def state_dir(self) -> Path:
        return Path(self.config.keeping.state_dir)

    @property
    def run_dir(self) -> Path:
        return Path(self.config.keeping.run_dir)

    def close(self) -> None:
        for host in self._hosts.values():
            host.close()

    def _pool(self, role: str, address: Address | None) -> Zfs:
        if role not in self._zfs:
            host = self._host(role, address)
            self._zfs[role] = _zfs_by(host, is_here=address is None)
        return self._zfs[role]

    def _host(self, role: str, address: Address | None) -> Host:
        if role not in self._hosts:
            self._hosts[role] = self._connect(role, address)
        return self._hosts[role]

    def _connect(self, role: str, address: Address | None) -> Host:
        if address is None:
            return _this_machine() if role == TARGET else LocalHost()
        from zrep.host.ssh import SshHost

        return SshHost(name=role, endpoint=self.endpoint(address, self.config.ssh.control_key))

    def endpoint(self, address: Address, key_file: str) -> SshEndpoint:
        """One of our restricted keys on another host."""
        from zrep.host.ssh_argv import SshEndpoint

        return SshEndpoint(
            address=address.host,
            port=address.port,
            user=self.config.ssh.user,
            key_file=key_file,
            known_hosts=self.config.ssh.known_hosts,
            gated=True,
        )


def _zfs_by(host: Host, *, is_here: bool) -> Zfs:
    """The library is for who may use it: root on this machine."""
    if isinstance(host, LocalHost):
        return zfs_on(host)
    return LocalZfs(host) if is_here else CliZfs(host)


def _this_machine() -> Host:
    """For root itself; for others through the operators' gate, if they are let in by it."""
    if os.geteuid() == 0:
        return LocalHost()
    from zrep.host.sudo import SudoHost, goes_through_sudo

    return SudoHost() if goes_through_sudo() else LocalHost()


@contextmanager
def open_site(config: Config) -> Iterator[Site]:
    site = Site(config)
    try:
        yield site
    finally:
        site.close()


def pick(known: Mapping[str, T], name: str | None, *, what: str) -> T:
    """The entry called `name`, or the only one there is when no name was given."""
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name is not None and name in known:
        return known[name]
    names = ", ".join(sorted(known)) or "none is configured"
    if name is None:
        raise UnknownName(f"which {what}?", why=names, next_step=f"name one {what}")
    raise UnknownName(
        f"no {what} {name!r}", why=f"configured: {names}", next_step=f"name a configured {what}"
    )
