"""Writing rendered files for a host into a folder that hooks/install-source can install."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from zrep.capsule.bundle import render_manifest
from zrep.capsule.render import CAPSULES, InstallFile

GATES = ("zrep-gate-target", "zrep-gate-replica", "zrep-gate-operator")
PROGRAMS = (*CAPSULES, *GATES, "install-source")


def load_hooks() -> Mapping[str, str]:
    """The capsules' texts: from the installed package, or from the source tree."""
    package = Path(__file__).parents[1]
    folder = package / "_hooks"
    if not folder.is_dir():
        folder = package.parent / "hooks"
    return {name: (folder / name).read_text() for name in PROGRAMS}


def write_tree(
    files: Sequence[InstallFile], out: Path, hooks: Mapping[str, str], *, user: str | None
) -> None:
    """`out/root/...`, `out/manifest` and `out/install-source`; the installer is to run as root.

    `user` is made if it is not there yet; None where no far host's key is to log in.
    """
    out.mkdir(parents=True, exist_ok=True)
    for file in files:
        place = out / "root" / file.path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(file.text)
    (out / "manifest").write_text(render_manifest(files, user=user))
    installer = out / "install-source"
    installer.write_text(hooks["install-source"])
    installer.chmod(0o755)
