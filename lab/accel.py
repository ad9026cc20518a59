"""Hardware virtualisation or emulation: decided by really running our system under KVM."""

import os
import platform
import subprocess
from pathlib import Path

from lab import store
from lab.image import Image
from lab.progress import Progress
from lab.qemu import BINARY

MARKER = b"zrep-lab: userland alive"


def choose_accel(image: Image, progress: Progress) -> str:
    """`kvm` or `tcg`; asked once per boot of this host, image and QEMU."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    key = store.key_of((boot, image.key, platform.release(), str(Path("/dev/kvm").stat().st_mode)))
    answer = store.cache_root() / f"accel-{key}"
    if not answer.exists():
        for old in store.cache_root().glob("accel-*"):
            old.unlink()
        with progress.step("trying whether KVM can run our system", usual=5):
            answer.write_text("kvm" if kvm_works(image) else "tcg")
        progress.say(f"machines run with {answer.read_text()}")
    return answer.read_text()


def kvm_works(image: Image) -> bool:
    """Boot the image read-only to a program of ours; a /dev/kvm alone promises nothing."""
    append = "root=/dev/vda ro console=ttyS0 panic=-1 init=/usr/local/sbin/lab-probe"
    argv = (
        *(BINARY, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-machine", "pc", "-accel", "kvm", "-cpu", "host", "-m", "512"),
        *("-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", append),
        *("-drive", f"file={image.disk},if=virtio,format=qcow2,snapshot=on", "-serial", "stdio"),
    )
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired as late:
        return MARKER in (late.stdout or b"")
    return MARKER in done.stdout
