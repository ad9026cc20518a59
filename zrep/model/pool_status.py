"""A pool's health as ZFS reports it: fill, state, and the devices with their error counters."""

from __future__ import annotations

from zrep.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Vdev:
    """One device, or group of devices, of a pool.

    `depth` is 1 for what stands directly below the pool; `state` is ZFS's word (ONLINE, DEGRADED,
    OFFLINE, UNAVAIL ...); the counters are errors since the last `zpool clear`.
    """

    name: str
    depth: int
    state: str
    read: int = 0
    write: int = 0
    cksum: int = 0

    @property
    def errors(self) -> tuple[str, ...]:
        """Which counters are not zero, in ZFS's order and words."""
        counters = {"read": self.read, "write": self.write, "cksum": self.cksum}
        return tuple(name for name, count in counters.items() if count)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFill:
    """One pool as `zpool list` shows it: bytes, per cent, health in ZFS's word.

    ZFS knows no sizes of a pool that it cannot open: they are None.
    """

    name: str
    health: str
    size: int | None = None
    free: int | None = None
    capacity: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """One pool and its devices, spares in waiting left out, in the order of `zpool status`."""

    fill: PoolFill
    vdevs: tuple[Vdev, ...] = ()
