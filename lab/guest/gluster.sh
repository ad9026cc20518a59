#!/bin/sh
# The gluster volume `docker`, with one brick, mounted at /docker before docker starts.
# shellcheck source=/dev/null
. "$(dirname "$0")/common.sh"

mkdir -p /export/docker/gluster /docker /etc/systemd/system/docker.service.d
install -m 755 "$(dirname "$0")/mount-docker" /usr/local/sbin/
install -m 644 "$(dirname "$0")/lab-docker-volume.service" /etc/systemd/system/
printf '[Unit]\nRequires=lab-docker-volume.service\nAfter=lab-docker-volume.service\n' \
    > /etc/systemd/system/docker.service.d/volume.conf
systemctl daemon-reload
systemctl --quiet enable lab-docker-volume.service

until_true 180 systemctl is-active glusterd.service
gluster --mode=script volume create docker "$(hostname):/export/docker/gluster"
gluster --mode=script volume start docker
systemctl start lab-docker-volume.service
