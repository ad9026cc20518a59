#!/bin/sh
# The storage of a database host: a thick LV at /docker_local, and free space in its volume group
# for copy-on-write snapshots.
# shellcheck source=/dev/null
. "$(dirname "$0")/common.sh"

pvcreate -q /dev/vdb
vgcreate -q vg_docker_local /dev/vdb
lvcreate -q -y -L 1536M -n lv_docker_local vg_docker_local
mkfs.xfs -q /dev/vg_docker_local/lv_docker_local
mkdir -p /docker_local
echo '/dev/vg_docker_local/lv_docker_local /docker_local xfs defaults,noatime 0 0' >> /etc/fstab
systemctl daemon-reload
mount /docker_local
