#!/bin/sh
# Turns the freshly installed tree $1 into the image every node boots from. Runs on the building
# machine as mmdebstrap's customize hook; $LAB_HERE is the folder with the files put into the guest,
# $LAB_OUT receives kernel, initrd and package versions.
set -eu
root=$1
in_root() { chroot "$root" env DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

kernel=$(basename "$root"/lib/modules/*-cloud-amd64)

# The module is built: keep it, drop compiler, headers and dkms (which would take it away with them).
mkdir "$root/lab-modules"
cp "$root/lib/modules/$kernel/updates/dkms/"* "$root/lab-modules/"
in_root apt-mark manual kmod > /dev/null
in_root apt-get purge -y --autoremove -o APT::AutoRemove::SuggestsImportant=false \
    zfs-dkms dkms linux-headers-cloud-amd64 > /dev/null
mkdir -p "$root/lib/modules/$kernel/updates/dkms"
mv "$root/lab-modules/"* "$root/lib/modules/$kernel/updates/dkms/"
rmdir "$root/lab-modules"
# Unpacked modules, for the same reason as the initrd below.
find "$root/lib/modules/$kernel" -name '*.ko.xz' -exec xz -d {} +
in_root depmod "$kernel"
in_root modinfo -k "$kernel" zfs > /dev/null

# A small uncompressed initrd: unpacking is what an emulated processor is slow at.
printf '%s\n' virtio_pci virtio_blk ext4 crc32c > "$root/etc/initramfs-tools/modules"
printf 'MODULES=list\nBUSYBOX=auto\nCOMPRESS=cat\nRUNSIZE=10%%\n' \
    > "$root/etc/initramfs-tools/conf.d/lab"
sed -i 's/^COMPRESS=.*/COMPRESS=cat/; s/^MODULES=.*/MODULES=list/' "$root/etc/initramfs-tools/initramfs.conf"
# (Packing with "cat" is not a format of the kernel's: update-initramfs says so and leaves it plain.)
in_root update-initramfs -u -k "$kernel"
cp "$root/boot/vmlinuz-$kernel" "$LAB_OUT/vmlinuz"
cp "$root/boot/initrd.img-$kernel" "$LAB_OUT/initrd"
rm -f "$root"/boot/vmlinuz-* "$root"/boot/initrd.img-*

# Names come from /etc/hosts alone: there is no name server to wait for.
sed -i 's/^hosts:.*/hosts: files/' "$root/etc/nsswitch.conf"
: > "$root/etc/resolv.conf"

# Geo-replication is not used here, and setting it up keeps glusterd from starting for half a minute.
rm -f "$root"/usr/lib/*/glusterfs/gsyncd

# Services: nothing that a node does not need, nothing on a timer.
in_root systemctl --quiet disable glusterd.service docker.service docker.socket containerd.service \
    sanoid.timer rsync.service lvm2-monitor.service 2> /dev/null || true
in_root systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer e2scrub_reap.service fstrim.timer logrotate.timer man-db.timer sanoid.timer \
    systemd-timesyncd.service systemd-firstboot.service systemd-resolved.service \
    systemd-networkd.service systemd-pstore.service systemd-hwdb-update.service \
    getty@tty1.service getty-static.service serial-getty@ttyS0.service \
    sys-kernel-debug.mount sys-kernel-tracing.mount dev-mqueue.mount \
    modprobe@drm.service apparmor.service sshd-keygen.service xfs_scrub_all.timer ldconfig.service \
    systemd-journal-catalog-update.service systemd-update-done.service graphical.target ssh.socket systemd-binfmt.service 2> /dev/null || true

# Who the machine is comes from the kernel command line (lab.name=, lab.lan=).
install -m 755 "$LAB_HERE/lab-net" "$LAB_HERE/lab-probe" "$root/usr/local/sbin/"
install -m 644 "$LAB_HERE/lab-net.service" "$root/etc/systemd/system/"
in_root systemctl --quiet set-default multi-user.target
in_root systemctl --quiet enable lab-net.service ssh.service
printf '/dev/vda / ext4 rw,noatime,errors=remount-ro 0 1\n' > "$root/etc/fstab"
printf 'lab\n' > "$root/etc/hostname"
printf 'LANG=C.UTF-8\n' > "$root/etc/default/locale"
: > "$root/etc/machine-id"

# Root comes in with the key of this image only. The host key is replaced when a node is set up.
rm -f "$root"/etc/ssh/ssh_host_*
install -m 600 "$LAB_OUT/bootstrap_key" "$root/etc/ssh/ssh_host_ed25519_key"
install -m 644 "$LAB_OUT/bootstrap_key.pub" "$root/etc/ssh/ssh_host_ed25519_key.pub"
install -d -m 700 "$root/root/.ssh"
install -m 600 "$LAB_OUT/id_ed25519.pub" "$root/root/.ssh/authorized_keys"
printf '%s\n' 'HostKey /etc/ssh/ssh_host_ed25519_key' 'UseDNS no' 'MaxSessions 60' 'MaxStartups 60:30:100' \
    'PermitRootLogin prohibit-password' 'PasswordAuthentication no' > "$root/etc/ssh/sshd_config.d/lab.conf"
mkdir -p "$root/etc/systemd/journald.conf.d" "$root/etc/systemd/system.conf.d"
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n' > "$root/etc/systemd/journald.conf.d/lab.conf"
printf '[Manager]\nDefaultTimeoutStartSec=300s\nDefaultTimeoutStopSec=60s\n' \
    > "$root/etc/systemd/system.conf.d/lab.conf"

# shellcheck disable=SC2016  # dpkg-query's own ${}
in_root dpkg-query -W -f '${Package} ${Version}\n' > "$LAB_OUT/packages"
in_root apt-get clean
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/var/cache/* "$root"/usr/src/*
