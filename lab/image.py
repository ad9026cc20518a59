"""The image that every node boots from: Debian with OpenZFS, LVM, Gluster and Docker."""

import os
from dataclasses import dataclass
from pathlib import Path

from lab import store
from lab.errors import LabError
from lab.host import capture, elevated, logged
from lab.progress import Progress

SUITE = "trixie"
SIZE = "6G"
USUAL_SECONDS = 300
PACKAGES = (
    # the system, and the module, which is compiled once here instead of on every node
    *("linux-image-cloud-amd64", "linux-headers-cloud-amd64", "zfs-dkms", "initramfs-tools"),
    *("systemd-sysv", "udev", "kmod", "procps", "psmisc", "util-linux", "iproute2", "iputils-ping"),
    # storage
    *("zfsutils-linux", "lvm2", "thin-provisioning-tools", "xfsprogs", "e2fsprogs"),
    *("glusterfs-server", "acl", "attr"),
    # the platform to back up
    *("docker.io", "docker-cli", "busybox-static"),
    # zrep and its peers
    *("openssh-server", "openssh-client", "rsync", "sudo", "zstd", "jq", "bsdextrautils"),
    *("python3-pyzfs", "python3-click", "python3-tomlkit", "python3-paramiko"),
    *("python3-humanize", "python3-croniter", "python3-pytest"),
    *("sanoid", "mbuffer", "pv", "lzop", "python3-colorama"),
)
# Whatever happens to the build, its processes and mounts go with it.
OWN_NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
GUEST_FILES = ("build.sh", "image.sh", "lab-net", "lab-net.service", "lab-probe")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A finished image in the cache."""

    folder: Path

    @property
    def key(self) -> str:
        return self.folder.name

    @property
    def disk(self) -> Path:
        return self.folder / "disk.qcow2"

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"

    @property
    def ssh_key(self) -> Path:
        """Opens root on every node."""
        return self.folder / "id_ed25519"

    @property
    def bootstrap_key(self) -> str:
        """Public host key of a node that has not got its own yet."""
        return (self.folder / "bootstrap_key.pub").read_text()


def image_key() -> str:
    """Changes with everything that goes into the image."""
    guest = store.HERE / "guest"
    return store.key_of((SUITE, SIZE, *PACKAGES), files=[guest / name for name in GUEST_FILES])


def images_folder() -> Path:
    return store.cache_root() / "images"


def ensure_image(progress: Progress) -> Image:
    """The image for today's key, built if need be."""
    folder = images_folder() / image_key()
    if not folder.exists():
        with store.completed(folder) as building:
            _build(progress, building=building)
    return Image(folder=folder)


def _build(progress: Progress, *, building: Path) -> None:
    script = store.HERE / "guest" / "build.sh"
    log = store.cache_root() / "image.log"
    log.unlink(missing_ok=True)
    for name in ("id_ed25519", "bootstrap_key"):
        make_ssh_key(building / name)
    argv = ("sh", str(script), SUITE, ",".join(PACKAGES), SIZE, f"{os.getuid()}:{os.getgid()}")
    with progress.step(f"building the image (log: {log})", usual=USUAL_SECONDS):
        inside = (*OWN_NAMESPACES, "env", "-C", str(building), *argv)
        logged(elevated(inside), log=log, timeout=3600)
    if not (building / "disk.qcow2").exists():
        raise LabError("the image has no disk", hint=f"read {log}")


def make_ssh_key(path: Path) -> None:
    capture(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "zrep-lab", "-f", str(path)))
