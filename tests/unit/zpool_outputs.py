"""What real `zpool` commands printed, as people published it with their questions to OpenZFS.

Each says where it comes from. Names of devices are as there; where the page had made blanks of
it, the tab at the beginning of the lines is put back. One that was cut off there ends here with
the line after which it was.
"""

from __future__ import annotations

# Figures of `zpool list -p`, 2024, in the columns asked for:
# github.com/netdata/netdata/issues/18359
LIST_DEGRADED = "store\t9981503995904\t30\tDEGRADED\t6935315337216\n"

# TrueNAS 24.10 (OpenZFS 2.2 or 2.3): github.com/truenas/py-libzfs/pull/276
SPARE_IN_USE = """\
config:

\tNAME                                        STATE     READ WRITE CKSUM
\ttestspare                                   ONLINE       0     0     0
\t  mirror-0                                  ONLINE       0     0     0
\t    spare-0                                 ONLINE       0     0     0
\t      9d92cdac-f627-446c-8ace-169b6dec27a0  ONLINE       0     0     0
\t      f7c8e925-6ede-4331-8fd3-ee70570772e0  ONLINE       0     0     0
\t    1eb6a232-9a25-4867-80bb-ffd1b0797891    ONLINE       0     0     0
\t  mirror-1                                  ONLINE       0     0     0
\t    474f99c6-a0d4-491f-8440-9c5761018b4d    ONLINE       0     0     0
\t    dca2f116-a998-4b2d-92d5-4389837cc8c8    ONLINE       0     0     0
\tspecial
\t  58d6865e-664f-456c-a6bb-391e53e014d8      ONLINE       0     0     0
\tlogs
\t  790817f9-9e27-4576-8b99-093b8d792962      ONLINE       0     0     0
\tcache
\t  a6f48d2e-256c-4eba-a451-e4b6bb147eee      ONLINE       0     0     0
\tspares
\t  f7c8e925-6ede-4331-8fd3-ee70570772e0      INUSE     currently in use
\t  4d982589-03a3-4ae3-934a-8386a49a891c      AVAIL
\t  4a5ab019-d9b4-4ebe-ae54-c5d73911b4fc      AVAIL

errors: No known data errors
"""

# FreeBSD with OpenZFS 2.1, January 2023: a handbook of the FreeBSD-Ask project
MIRROR_LOST_A_DISK = """\
  pool: zvol0
 state: DEGRADED
status: One or more devices could not be opened.  Sufficient replicas exist for
\tthe pool to continue functioning in a degraded state.
action: Attach the missing device and online it using 'zpool online'.
   see: https://openzfs.github.io/openzfs-docs/msg/ZFS-8000-2Q
  scan: scrub repaired 0B in 05:36:58 with 0 errors on Tue Jan 17 08:40:57 2023
config:

\tNAME                      STATE     READ WRITE CKSUM
\tzvol0                     DEGRADED     0     0     0
\t  mirror-0                DEGRADED     0     0     0
\t    12897545936258916783  UNAVAIL      0     0     0  was /dev/gpt/ndisk2
\t    gpt/ndisk1            ONLINE       0     0     0

errors: No known data errors
"""

# OpenZFS 2.3.1, cut off: github.com/openzfs/zfs/issues/17262
RAIDZ_LOST = """\
  pool: Regression-Pool
 state: UNAVAIL
status: One or more devices has been removed by the administrator.
\tSufficient replicas exist for the pool to continue functioning in a
\tdegraded state.
action: Online the device using zpool online' or replace the device with
\t'zpool replace'.
  scan: resilvered 12K in 00:00:00 with 0 errors on Tue Apr 22 15:39:11 2025
config:

\tNAME                        STATE     READ WRITE CKSUM
\tRegression-Pool             UNAVAIL      0     0     0  insufficient replicas
\t  raidz1-0                  ONLINE       0     0     0
\t    sdl                     ONLINE       0     0     0
\t    sdj                     ONLINE       0     0     0
\t    sdk                     ONLINE       0     0     0
\t  raidz1-1                  UNAVAIL      0     0     0  insufficient replicas
\t    wwn-0x50000394f803873c  REMOVED      0     0     0
\t    wwn-0x50000394f809f478  REMOVED      0     0     0
"""

# OpenZFS's own test suite, 2026, cut off: github.com/openzfs/zfs/issues/18319
DRAID_SPARED = """\
  pool: testpool
 state: DEGRADED
status: One or more devices are faulted in response to persistent errors.
\tSufficient replicas exist for the pool to continue functioning in a
\tdegraded state.
action: Replace the faulted device, or use 'zpool clear' to mark the device
\trepaired.
  scan: scrub repaired 2K in 00:00:01 with 0 errors on Fri Mar 13 07:18:28 2026
  scan: resilvered (draid1:2d:10c:5s-0) 53.6M in 00:00:00 with 0 errors on Fri Mar 13 07:18:27 2026
config:

\tNAME                                    STATE     READ WRITE CKSUM
\ttestpool                                DEGRADED     0     0     0
\t  draid1:2d:10c:5s-0                    DEGRADED     0     0     0
\t    /var/tmp/basedir.1718729/new_vdev0  ONLINE       0     0     0
\t    /var/tmp/basedir.1718729/vdev1      ONLINE       0     0     0
\t    spare-2                             DEGRADED     0     0     1
\t      /var/tmp/basedir.1718729/vdev2    FAULTED      0     0     0  external device fault
\t      draid1-0-3                        ONLINE       0     0     0
"""

# Proxmox: theorangeone.net/posts/proxmox-boot-drive-replacement, lines above the table left out
MIRROR_FAILING = """\
config:

\tNAME                                       STATE     READ WRITE CKSUM
\trpool                                      DEGRADED     0     0     0
\t  mirror-0                                 DEGRADED    26     0     0
\t    ata-CT500MX500SSD1_XXXXXXXXXXXX-part3  DEGRADED    28     0     2  too many errors
\t    ata-CT500MX500SSD1_YYYYYYYYYYYY-part3  FAULTED     17     0     1  too many errors

errors: No known data errors
"""

# OpenZFS 0.8 to 2.0 print the same: github.com/openzfs/zfs/issues/9352
DISK_GONE = """\
  pool: pool1
 state: UNAVAIL
status: One or more devices are faulted in response to IO failures.
action: Make sure the affected devices are connected, then run 'zpool clear'.
   see: http://zfsonlinux.org/msg/ZFS-8000-JQ
  scan: none requested
config:

\tNAME        STATE     READ WRITE CKSUM
\tpool1       UNAVAIL      0     0     0  insufficient replicas
\t  sdc       UNAVAIL      0     0     0
errors: List of errors unavailable: pool I/O is currently suspended

errors: 5 data errors, use '-v' for a list
"""

# An Illumos-like one (SmartOS, 2013), a log device taken offline, lines above the table left out:
# github.com/TritonDataCenter/smartos-live/issues/249
LOG_OFFLINE = """\
config:

\tNAME          STATE     READ WRITE CKSUM
\tzones         DEGRADED     0     0     0
\t  mirror-0    ONLINE       0     0     0
\t    c1t1d0s0  ONLINE       0     0     0
\t    c1t0d0s0  ONLINE       0     0     0
\t    c1t4d0s1  ONLINE       0     0     0
\tlogs
\t  c1t2d0s4    OFFLINE      0     0     0

errors: No known data errors
"""

STATUSES = {
    "testspare": SPARE_IN_USE,
    "zvol0": MIRROR_LOST_A_DISK,
    "Regression-Pool": RAIDZ_LOST,
    "testpool": DRAID_SPARED,
    "rpool": MIRROR_FAILING,
    "pool1": DISK_GONE,
    "zones": LOG_OFFLINE,
}
