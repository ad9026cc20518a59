"""The narrow Zfs port and its implementations: zfs CLI over a Host, libzfs_core, and a fake."""
