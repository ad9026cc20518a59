#!/bin/sh
# Makes a clone of the booted machine a machine of its own: identity.sh NAME ADDRESS MAC ENTROPY;
# prints its new host key.
# shellcheck source=/dev/null
. "$(dirname "$0")/common.sh"
name=$1 address=$2 mac=$3 entropy=$4

# All clones would draw the same random numbers: 0x5207 is RNDRESEEDCRNG.
python3 -I -S -c '
import fcntl, sys
with open("/dev/urandom", "wb", buffering=0) as device:
    device.write(bytes.fromhex(sys.argv[1]))
    fcntl.ioctl(device, 0x5207)' "$entropy"

hostname "$name"
hostname > /etc/hostname
install -m 644 "$(dirname "$0")/hosts" /etc/hosts
ip link set eth1 down
ip address flush dev eth1
ip link set eth1 address "$mac"
ip address add "$address/24" dev eth1
ip link set eth1 up

rm -f /etc/machine-id /run/machine-id /etc/ssh/ssh_host_*
umount /etc/machine-id 2> /dev/null || true
systemd-machine-id-setup > /dev/null 2>&1
zgenhostid -f
systemctl restart systemd-journald.service
ssh-keygen -q -t ed25519 -N '' -C "$name" -f /etc/ssh/ssh_host_ed25519_key
systemctl reload ssh.service
cat /etc/ssh/ssh_host_ed25519_key.pub
