#!/bin/sh
# Builds the image of all nodes: build.sh SUITE PACKAGES SIZE OWNER, run as root in the folder that
# receives vmlinuz, initrd and disk.qcow2 and already holds the keys. No mirror is named:
# mmdebstrap knows where its suite lives.
set -eu
suite=$1 packages=$2 size=$3 owner=$4
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C.UTF-8 LAB_OUT="$PWD" LAB_HERE
LAB_HERE=$(cd "$(dirname "$0")" && pwd)
umask 022

tree=$PWD/tree
trap 'rm -rf "$tree"' EXIT
trap 'exit 143' TERM INT HUP
mkdir "$tree"

# apt's own user could not enter a cache in somebody's home.
mmdebstrap --mode=root --variant=minbase --components=main,contrib --format=directory \
    --aptopt='APT::Sandbox::User "root"' --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --include="$packages" --customize-hook="'$LAB_HERE/image.sh' \"\$1\"" "$suite" "$tree"
mke2fs -q -t ext4 -L lab -E assume_storage_prezeroed=1 -d "$tree" disk.raw "$size"
qemu-img convert -O qcow2 disk.raw disk.qcow2
rm -f disk.raw
chown "$owner" ./*
