"""What is backed up and where to: sources, sets, target, deployments, replicas, services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from zrep.frozen import dataclass
from zrep.model.drill import Drilling
from zrep.model.guard import Allowance
from zrep.model.housekeeping import Housekeeping
from zrep.model.key import SourceKey
from zrep.model.monitoring import Monitoring, Watch
from zrep.model.names import DatasetName
from zrep.model.policy import Policy


class Method(StrEnum):
    """How a source is captured."""

    LVM = "lvm"
    DIR = "dir"
    GLUSTER = "gluster"
    ZFS = "zfs"
    DUMP = "dump"


class Database(StrEnum):
    """What zrep knows to dump."""

    POSTGRESQL = "postgresql"
    MARIADB = "mariadb"
    MONGODB = "mongodb"


class Prepare(StrEnum):
    """What zrep knows to flush before a snapshot of its volume."""

    CASSANDRA = "cassandra"
    SOLR = "solr"


class Consistency(StrEnum):
    """The weakest truth about a backup, weakest first."""

    NONE = "none"
    NODE = "node"
    CLUSTER = "cluster"
    APPLICATION = "application"


class OnPartial(StrEnum):
    """What to do with a run in which some sources failed."""

    PUBLISH = "publish"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """How full a thin pool may be, in percent, for a snapshot still to be made in it."""

    data: int = 70
    metadata: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """A dump out of the container of a swarm service, and when it is not believed.

    `max_shrink` is how much smaller than the last good one it may be, in percent; `max_time` how
    long it may take, in seconds.
    """

    database: Database
    service: str
    min_bytes: int = 1024
    max_shrink: int = 50
    max_time: int = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What is done in the container of a swarm service before anything is paused."""

    kind: Prepare
    service: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One data tree on one host.

    `volume` is `vg/lv` for lvm, a volume for gluster, a dataset for zfs, empty for the others.
    `size` is the COW size of a thick LVM snapshot as lvcreate takes it (`20%ORIGIN`, `5g`);
    `mounted` demands that `path` is a mount point; `heals_max` is how many files may wait for
    gluster to heal them.
    """

    key: SourceKey
    method: Method
    path: str
    volume: str = ""
    size: str = "20%ORIGIN"
    mounted: bool = False
    exclude: tuple[str, ...] = ()
    pool: PoolLimits = field(default_factory=PoolLimits)
    heals_max: int = 0
    dump: Dump | None = None
    prepare: Preparation | None = None
    allowance: Allowance = field(default_factory=Allowance)


# Between the longest pause that a run waits for and the moment a host ends it by itself.
TIMER_MARGIN = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiesce:
    """How services hold still while a set is captured; seconds.

    `max_pause` is the budget from the first pause to the last snapshot. `hosts` are paused too,
    although the set has no source there: their services write to what others hold.
    """

    docker: bool = False
    max_pause: int = 30
    hosts: tuple[str, ...] = ()

    @property
    def timer(self) -> int:
        """When a host lets go of its containers by itself."""
        return self.max_pause + TIMER_MARGIN


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSet:
    """The sources that are captured together under one backup id.

    `parallel` of them are transferred at once; together they take no more than `bwlimit`, in
    KiB per second. Of `ignore_mounts` nobody needs to be told that no source covers them.
    """

    name: str
    sources: tuple[Source, ...]
    on_partial: OnPartial = OnPartial.PUBLISH
    quiesce: Quiesce = field(default_factory=Quiesce)
    parallel: int = 1
    bwlimit: int | None = None
    ignore_mounts: tuple[str, ...] = ()
    watch: Watch = field(default_factory=Watch)

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(sorted({s.key.host for s in self.sources}))

    @property
    def bwlimit_each(self) -> int | None:
        """The share of the bandwidth limit of one of the transfers under way, in KiB per second."""
        return max(1, self.bwlimit // self.parallel) if self.bwlimit else None

    @property
    def paused_hosts(self) -> tuple[str, ...]:
        """Whose containers are paused for this set; none when nothing is."""
        if not self.quiesce.docker:
            return ()
        return tuple(sorted({*self.hosts, *self.quiesce.hosts}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a host answers: name or address, and the ssh port."""

    host: str
    port: int = 22

    def __str__(self) -> str:
        """As the configuration writes it: an IPv6 address in brackets, port 22 left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 22 else f"{host}:{self.port}"


# How long a program that makes foreign data fit may take, in seconds.
SCRUB_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A platform that is not backed up here; backups of those that it `accepts` may go to it.

    `scrub` are programs that make what came fit to run there, of `scrub_time` seconds each.
    """

    name: str
    hosts: Mapping[str, Address] = field(hash=False)
    accepts: tuple[str, ...] = ()
    scrub: tuple[str, ...] = ()
    scrub_time: int = SCRUB_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The dataset that receives backups; `address` None means this machine."""

    dataset: DatasetName
    policy: Policy
    address: Address | None = None
    compression: str = "gzip-7"

    @property
    def sessions(self) -> DatasetName:
        """Where mounted backups live: beside the dataset, so that no backup contains a clone."""
        return (self.dataset.parent or self.dataset) / "sessions"

    @property
    def restored(self) -> DatasetName:
        """Where what comes back from a replica is received, apart from what a sync writes to."""
        return (self.dataset.parent or self.dataset) / "restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A tree elsewhere that follows the target; `address` None means this machine.

    `send_back`: its gate lets backups out again.
    """

    name: str
    dataset: DatasetName
    policy: Policy | None = None
    address: Address | None = None
    send_back: bool = False
    watch: Watch = field(default_factory=Watch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service of the platform: which paths of which source are its data.

    `checks` are programs that a drill has look at a copy of it, for `check_timeout` seconds each.
    """

    name: str
    source: SourceKey
    paths: tuple[str, ...]
    swarm: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    check_timeout: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Ssh:
    """Who we log in as, with which keys, and whom we believe."""

    user: str = "zrep"
    control_key: str = "/etc/zrep/keys/control"
    read_key: str = "/etc/zrep/keys/read"
    restore_key: str = "/etc/zrep/keys/restore"
    known_hosts: str = "/etc/zrep/known_hosts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole valid configuration.

    `hosts` are those of `deployment`. Without an `origin` that is the one that is backed up, and
    the others are `elsewhere`; with one it is where backups of `origin` go, and `scrub` and
    `scrub_time` are its own. `meaning` is all that it says, spelled in one way. `text` is the
    file itself, `policy_texts` the policies' by name.
    """

    target: Target
    hosts: Mapping[str, Address] = field(hash=False)
    sets: Mapping[str, BackupSet] = field(hash=False)
    replicas: Mapping[str, Replica] = field(hash=False)
    services: Mapping[str, Service] = field(hash=False)
    ssh: Ssh = field(default_factory=Ssh)
    deployment: str = ""
    elsewhere: Mapping[str, Deployment] = field(default_factory=dict, hash=False)
    origin: str = ""
    scrub: tuple[str, ...] = ()
    scrub_time: int = SCRUB_SECONDS
    keeping: Housekeeping = field(default_factory=Housekeeping)
    drilling: Drilling = field(default_factory=Drilling)
    monitoring: Monitoring = field(default_factory=Monitoring)
    meaning: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    policy_texts: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)

    @property
    def digest(self) -> str:
        """16 hex digits that change when the meaning may have changed; few commands ask for it."""
        from hashlib import sha256

        return sha256(self.meaning.encode()).hexdigest()[:16] if self.meaning else ""
