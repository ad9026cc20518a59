#!/bin/sh
# The storage of a swarm manager: volume group vg_docker with a thin pool that has room to spare,
# a gluster volume `docker` with one brick on a thin LV, mounted at /docker, and a thin LV at
# /srv/mail.
. "$(dirname "$0")/common.sh"

systemctl --quiet enable glusterd.service
systemctl start --no-block glusterd.service

pvcreate -q /dev/vdb
vgcreate -q vg_docker /dev/vdb
lvcreate -q -y -L 4G -T vg_docker/tp_docker
lvcreate -q -y -V 2G -T vg_docker/tp_docker -n tlv_docker
lvcreate -q -y -V 512M -T vg_docker/tp_docker -n tlv_mail
mkfs.xfs -q -i size=512 /dev/vg_docker/tlv_docker
mkfs.xfs -q /dev/vg_docker/tlv_mail
mkdir -p /export/docker /srv/mail /docker
cat >> /etc/fstab << 'FSTAB'
/dev/vg_docker/tlv_docker /export/docker xfs defaults,noatime 0 0
/dev/vg_docker/tlv_mail /srv/mail xfs defaults,noatime 0 0
FSTAB
systemctl daemon-reload
mount /export/docker
mount /srv/mail
mkdir -p /export/docker/gluster

install -m 755 "$here/mount-docker" /usr/local/sbin/
install -m 644 "$here/lab-docker-volume.service" /etc/systemd/system/
mkdir -p /etc/systemd/system/docker.service.d
printf '[Unit]\nRequires=lab-docker-volume.service\nAfter=lab-docker-volume.service\n' \
    > /etc/systemd/system/docker.service.d/volume.conf
systemctl daemon-reload
systemctl --quiet enable lab-docker-volume.service

until_true 180 systemctl is-active glusterd.service
gluster --mode=script volume create docker "$(hostname):/export/docker/gluster"
gluster --mode=script volume start docker
systemctl start lab-docker-volume.service
