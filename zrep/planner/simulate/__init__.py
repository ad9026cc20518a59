"""ZFS as values: pools, and what each operation makes of them.

Every operation takes a frozen Pool and returns a new one, or raises the ZfsError that real ZFS
means. Dry runs, the fake port and the crash tests stand on it; the contract suite of the Zfs port
keeps it honest.
"""
