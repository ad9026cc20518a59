#!/bin/sh
# A docker engine with the image of the writers, made of busybox alone.
# shellcheck source=/dev/null
. "$(dirname "$0")/common.sh"

systemctl --quiet enable containerd.service docker.service
systemctl start docker.service
root=$(mktemp -d)
mkdir "$root/bin" "$root/data"
cp /bin/busybox "$root/bin/"
ln -s busybox "$root/bin/sh"
install -m 755 "$(dirname "$0")/writer" "$root/bin/writer"
tar -C "$root" -c . | docker import --change 'ENTRYPOINT ["/bin/sh", "/bin/writer"]' - lab/writer:1
rm -r "$root"
