#!/bin/sh
# The disk of a swarm manager: volume group vg_docker with a thin pool, both with room to spare, a
# thin LV for the brick of the gluster volume, and one at /srv/mail.
# shellcheck source=/dev/null
. "$(dirname "$0")/common.sh"

# Takes its time; needed in gluster.sh only.
systemctl --quiet enable glusterd.service
systemctl start --no-block glusterd.service

pvcreate -q /dev/vdb
vgcreate -q vg_docker /dev/vdb
lvcreate -q -y -L 4G -T vg_docker/tp_docker
lvcreate -q -y -V 2G -T vg_docker/tp_docker -n tlv_docker
lvcreate -q -y -V 512M -T vg_docker/tp_docker -n tlv_mail
mkfs.xfs -q -i size=512 /dev/vg_docker/tlv_docker
mkfs.xfs -q /dev/vg_docker/tlv_mail
mkdir -p /export/docker /srv/mail
cat >> /etc/fstab << 'FSTAB'
/dev/vg_docker/tlv_docker /export/docker xfs defaults,noatime 0 0
/dev/vg_docker/tlv_mail /srv/mail xfs defaults,noatime 0 0
FSTAB
systemctl daemon-reload
mount /export/docker
mount /srv/mail
