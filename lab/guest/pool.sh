#!/bin/sh
# pool.sh NAME: a pool on the second disk, imported at every boot.
# shellcheck source=/dev/null
. "$(dirname "$0")/common.sh"

zpool create -o ashift=12 -m "/$1" "$1" /dev/vdb
zpool list -H "$1"
