#!/bin/sh
# Makes a booted copy of the image a machine of its own: identity.sh; prints its new host key.
. "$(dirname "$0")/common.sh"

install -m 644 "$here/hosts" /etc/hosts
zgenhostid -f
rm -f /etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -C "$(hostname)" -f /etc/ssh/ssh_host_ed25519_key
systemctl reload ssh.service
cat /etc/ssh/ssh_host_ed25519_key.pub
