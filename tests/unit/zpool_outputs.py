"""What real `zpool` commands printed, kept as text: reports published by users of OpenZFS.

Each says where it was published; names of devices are as there, whitespace is what zpool prints
(a tab, then two blanks for every level).
"""

from __future__ import annotations

# Figures of a pool with a broken log mirror (`zpool list -p`, 2024), in the columns asked for:
# github.com/netdata/netdata/issues/18359
LIST_DEGRADED = "store\t9981503995904\t30\tDEGRADED\t6935315337216\n"
