"""zrep: backup, retention, replication and restore with ZFS as the source of truth."""

__version__ = "0.1.0"
