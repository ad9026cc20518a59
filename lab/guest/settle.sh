#!/bin/sh
# The last thing before the machine is saved: what is not in memory need not be saved.
# shellcheck source=/dev/null
. "$(dirname "$0")/common.sh"

sync
echo 3 > /proc/sys/vm/drop_caches
